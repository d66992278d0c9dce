"""The verifier: an intact log is intact, and each kind of damage is found, named and told apart."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from eventstore.chain import FIELDS, link
from eventstore.port import Finding
from eventstore.proof.verifier import verify
from eventstore.sqlite.store import SqliteReader
from questlog.campaign.commands import Activate
from tests.eventstore.scribe import Scribe, any_command, create, open_store, put, url_of

HEAD = 12
SNAPSHOTS = (4, 8)
TRIGGERS = ("event_follows", "event_moves_head", "event_never_changes", "event_never_goes")
COLUMNS = ", ".join((*FIELDS, "hash"))
Damage = Callable[[sqlite3.Connection], object]


async def findings(path: Path, campaign_id: str | None = None) -> list[Finding]:
    """Return everything the verifier finds."""
    reader = await SqliteReader.open(url_of(path))
    try:
        return [finding async for finding in verify(reader, campaign_id)]
    finally:
        await reader.close()


async def codes(path: Path) -> list[tuple[str, int | None]]:
    """Return code and version of every finding."""
    return [(finding.code, finding.version) for finding in await findings(path)]


@pytest.fixture(name="log")
async def _log(tmp_path: Path) -> Path:
    """A store with two campaigns: `c` with 12 versions and two snapshots, and `d`."""
    path = tmp_path / "log.db"
    store = await open_store(path)
    scribe = Scribe(store)
    await scribe.write(create(title="Ashfall"))
    while scribe.state.version < HEAD:
        number = scribe.state.version + 1
        seat = number == 6
        command = Activate("main") if seat else put("/hp", number, meta={"note": "n"})
        await scribe.write(command, id=f"step-{number}")
        if number in SNAPSHOTS:
            await scribe.snapshot()
    await Scribe(store, "d").write(create())
    await store.close()
    return path


def damage(path: Path, *statements: str | Damage) -> None:
    """Change the file behind the store's back; its triggers stand aside meanwhile."""
    connection = sqlite3.connect(path, isolation_level=None)
    kept = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
    ).fetchall()
    for name, _ in kept:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        if isinstance(statement, str):
            assert connection.execute(statement).rowcount, statement
        else:
            statement(connection)
    for _, sql in kept:
        connection.execute(sql)
    connection.close()


async def test_an_intact_store_has_no_findings(log: Path) -> None:
    assert await findings(log) == []
    assert await findings(log, "c") == []


async def test_a_campaign_that_nothing_names_has_no_findings(log: Path) -> None:
    assert await findings(log, "nobody") == []


@pytest.mark.parametrize("seed", range(5))
async def test_random_logs_with_snapshots_everywhere_are_intact(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    store = await open_store(tmp_path / "log.db")
    scribe = Scribe(store)
    for _ in range(300):
        await scribe.append([scribe.decide(any_command(rng, scribe.state))])
        if rng.random() < 0.1:
            await scribe.snapshot()
    await store.close()
    assert await findings(tmp_path / "log.db") == [], f"seed {seed}"


@pytest.mark.parametrize("version", [1, 5, 8, HEAD])
@pytest.mark.parametrize(
    "column", ["id", "kind", "member", "role", "at", "patch", "data", "meta", "request", "hash"]
)
async def test_one_changed_character_is_one_finding_at_its_version(
    log: Path, column: str, version: int
) -> None:
    damage(
        log,
        f"UPDATE event SET {column} = substr({column}, 1, length({column}) - 1) ||"
        f" CASE substr({column}, -1) WHEN 'e' THEN 'f' ELSE 'e' END"
        f" WHERE campaign_id = 'c' AND version = {version}",
    )
    assert await codes(log) == [("hash_mismatch", version)]


async def test_a_changed_schema_number_is_found_at_its_version(log: Path) -> None:
    damage(log, "UPDATE event SET schema = 1 WHERE campaign_id = 'c' AND version = 5")
    assert await codes(log) == [("hash_mismatch", 5)]


async def test_a_changed_version_leaves_a_gap_and_an_event_past_the_head(log: Path) -> None:
    damage(log, "UPDATE event SET version = 50 WHERE campaign_id = 'c' AND version = 5")
    assert await codes(log) == [("gap", 5), ("extra_tail", HEAD + 1)]


async def test_an_event_moved_to_another_campaign_is_missed_here_and_orphaned_there(
    log: Path,
) -> None:
    damage(log, "UPDATE event SET campaign_id = 'e' WHERE campaign_id = 'c' AND version = 5")
    assert [(f.campaign_id, f.code, f.version) for f in await findings(log)] == [
        ("c", "gap", 5),
        ("e", "orphan", 5),
    ]


async def test_a_row_cut_out_of_the_middle_is_a_gap(log: Path) -> None:
    damage(log, "DELETE FROM event WHERE campaign_id = 'c' AND version = 5")
    (finding,) = await findings(log)
    assert (finding.campaign_id, finding.code, finding.version) == ("c", "gap", 5)
    assert finding.detail == "Version 5 is missing."


async def test_several_rows_cut_out_are_one_gap(log: Path) -> None:
    damage(log, "DELETE FROM event WHERE campaign_id = 'c' AND version BETWEEN 3 AND 9")
    (finding,) = await findings(log)
    assert (finding.code, finding.version) == ("gap", 3)
    assert finding.detail == "Versions 3 to 9 are missing."


async def test_a_cut_tail_is_missed(log: Path) -> None:
    damage(log, "DELETE FROM event WHERE campaign_id = 'c' AND version > 7")
    assert await codes(log) == [("missing_tail", 8)]


async def test_a_log_without_any_event_is_missed_from_its_first(log: Path) -> None:
    damage(log, "DELETE FROM event WHERE campaign_id = 'd'")
    assert await codes(log) == [("missing_tail", 1)]


async def test_a_head_set_back_leaves_a_tail_too_long(log: Path) -> None:
    damage(log, "UPDATE campaign SET head_version = 9 WHERE campaign_id = 'c'")
    assert ("extra_tail", 10) in await codes(log)


async def test_a_cut_tail_with_its_head_set_back_shows_by_the_snapshot_past_it(log: Path) -> None:
    damage(
        log,
        "DELETE FROM event WHERE campaign_id = 'c' AND version > 7",
        "UPDATE campaign SET head_version = 7, (head_hash, last_at) ="
        " (SELECT hash, at FROM event WHERE campaign_id = 'c' AND version = 7)"
        " WHERE campaign_id = 'c'",
    )
    assert await codes(log) == [("orphan", 8)]


async def test_two_swapped_events_are_one_finding_at_the_first_of_them(log: Path) -> None:
    damage(
        log,
        "UPDATE event SET version = 99 WHERE campaign_id = 'c' AND version = 3",
        "UPDATE event SET version = 3 WHERE campaign_id = 'c' AND version = 10",
        "UPDATE event SET version = 10 WHERE campaign_id = 'c' AND version = 99",
    )
    assert await codes(log) == [("swapped", 3)]


async def test_two_damages_are_two_findings(log: Path) -> None:
    damage(
        log,
        "UPDATE event SET meta = '{}' WHERE campaign_id = 'c' AND version = 3",
        "UPDATE event SET meta = '{}' WHERE campaign_id = 'c' AND version = 10",
    )
    assert await codes(log) == [("hash_mismatch", 3), ("hash_mismatch", 10)]


@pytest.mark.parametrize(
    "change",
    [
        "state = replace(state, '\"hp\":4', '\"hp\":5')",
        "state = replace(state, '\"hp\":4', '\"hp\":true')",
        "state = substr(state, 2)",
        "state = '[]'",
        "hash = replace(hash, substr(hash, 1, 8), '00000000')",
    ],
)
async def test_an_edited_snapshot_is_found(log: Path, change: str) -> None:
    damage(log, f"UPDATE snapshot SET {change} WHERE version = 4")
    assert await codes(log) == [("snapshot_mismatch", 4)]


async def test_a_snapshot_of_no_campaign_is_an_orphan(log: Path) -> None:
    damage(log, "UPDATE snapshot SET campaign_id = 'x' WHERE version = 4")
    (finding,) = await findings(log)
    assert (finding.campaign_id, finding.code, finding.version) == ("x", "orphan", 4)


async def test_a_log_whose_campaign_is_gone_is_an_orphan(log: Path) -> None:
    damage(log, "DELETE FROM campaign WHERE campaign_id = 'c'")
    assert await codes(log) == [("orphan", 1)]


def forge(connection: sqlite3.Connection, version: int, **changes: str) -> str:
    """Put a row after version `version` - 1 that links to it as a genuine one would."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM event WHERE campaign_id = 'c' AND version = {version - 1}"
    ).fetchone()
    fields = dict(zip(FIELDS, row[:-1], strict=True))
    fields.update(version=version, id="forged", **changes)
    digest = link(row[-1], fields.values())
    connection.execute(
        f"INSERT OR REPLACE INTO event ({COLUMNS}) VALUES ({', '.join('?' * len(row))})",
        (*fields.values(), digest),
    )
    return digest


async def test_a_row_forged_past_the_head_is_a_tail_too_long(log: Path) -> None:
    damage(log, lambda c: forge(c, HEAD + 1))
    assert await codes(log) == [("extra_tail", HEAD + 1)]


async def test_a_forged_row_in_the_middle_breaks_the_link_of_the_next(log: Path) -> None:
    damage(log, lambda c: forge(c, 7))
    assert ("hash_mismatch", 8) in await codes(log)


def forge_head(**changes: str) -> Damage:
    """Return the damage of a forged event at the end, for which the head was moved too."""

    def run(connection: sqlite3.Connection) -> None:
        digest = forge(connection, HEAD + 1, **changes)
        connection.execute(
            "UPDATE campaign SET head_version = ?, head_hash = ?, last_at ="
            " (SELECT at FROM event WHERE hash = ?) WHERE campaign_id = 'c'",
            (HEAD + 1, digest, digest),
        )

    return run


@pytest.mark.parametrize(
    "patch",
    [
        '[{"op":"remove","path":"/nothing"}]',
        '[{"op":"replace","path":"","value":7}]',
        "[",
        "{}",
        "5",
        "[5]",
    ],
)
async def test_a_forged_patch_that_does_not_apply_is_found(log: Path, patch: str) -> None:
    damage(log, forge_head(patch=patch))
    assert await codes(log) == [("patch_failed", HEAD + 1)]


async def test_a_patch_that_fails_is_named_though_others_follow_and_snapshots_go_on(
    tmp_path: Path,
) -> None:
    store = await open_store(tmp_path / "log.db")
    scribe = Scribe(store)
    await scribe.write(create())
    bad = scribe.decide(put("/hp", 1))
    await store.append("c", [replace(bad, patch='[{"op":"remove","path":"/nothing"}]')])
    await scribe.append([scribe.decide(put("/hp", 2))])
    await scribe.snapshot()
    await scribe.append([scribe.decide(put("/hp", 3))])
    await store.close()
    assert await codes(tmp_path / "log.db") == [("patch_failed", 2)]


@pytest.mark.parametrize("data", ["[]", "7", "{", '{"table":1}'])
async def test_a_forged_payload_that_is_not_of_its_kind_is_found(log: Path, data: str) -> None:
    damage(log, forge_head(kind="campaign.activated", patch="[]", data=data))
    assert await codes(log) == [("patch_failed", HEAD + 1)]


async def test_a_forged_event_of_an_unknown_schema_is_found(log: Path) -> None:
    damage(log, forge_head(schema="9"))
    assert await codes(log) == [("patch_failed", HEAD + 1)]


async def test_time_that_falls_back_is_found(log: Path) -> None:
    damage(log, forge_head(at="2001-01-01T00:00:00.000Z"))
    assert await codes(log) == [("time_reversed", HEAD + 1)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("head_hash = replace(head_hash, substr(head_hash, 1, 8), '00000000')", HEAD),
        ("last_at = '2001-01-01T00:00:00.000Z'", HEAD),
        ("title = 'Another'", 1),
        ("created_at = '2001-01-01T00:00:00.000Z'", 1),
    ],
)
async def test_what_stands_beside_the_log_must_agree_with_it(
    log: Path, change: str, expected: int
) -> None:
    damage(log, f"UPDATE campaign SET {change} WHERE campaign_id = 'c'")
    assert await codes(log) == [("head_mismatch", expected)]


@pytest.mark.parametrize("table", ["NULL", "'other'"])
async def test_a_seat_the_log_does_not_tell_of_is_found(log: Path, table: str) -> None:
    damage(log, f"UPDATE campaign SET active_table = {table} WHERE campaign_id = 'c'")
    assert await codes(log) == [("seat_mismatch", HEAD)]


@pytest.mark.parametrize(
    ("statement", "detail"),
    [
        *((f"DROP TRIGGER {name}", f"The trigger {name} is gone.") for name in TRIGGERS),
        ("DROP INDEX event_id", "The index event_id is gone."),
        ("CREATE INDEX mine ON event (at)", "The index mine was added."),
    ],
)
async def test_a_changed_schema_is_found(log: Path, statement: str, detail: str) -> None:
    connection = sqlite3.connect(log)
    connection.execute(statement)
    connection.close()
    assert await findings(log) == [Finding("", "schema_changed", None, detail)]


async def test_a_trigger_made_harmless_is_found(log: Path) -> None:
    connection = sqlite3.connect(log)
    connection.execute("DROP TRIGGER event_never_goes")
    connection.execute("CREATE TRIGGER event_never_goes BEFORE DELETE ON event BEGIN SELECT 1; END")
    connection.close()
    (finding,) = await findings(log)
    assert finding.detail == "The trigger event_never_goes is not as the migrations made it."


async def test_a_page_overwritten_on_the_disk_is_found(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    store = await open_store(path)
    scribe = Scribe(store)
    await scribe.write(create())
    for number in range(100):
        await scribe.write(put("/hp", str(number) * 200))
    await store.close()
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(data)
    assert "unreadable" in {code for code, _ in await codes(path)}


async def test_text_that_is_not_text_is_found_and_the_next_campaign_still_walked(
    log: Path,
) -> None:
    damage(
        log,
        "UPDATE event SET meta = CAST(x'ff' AS TEXT) WHERE campaign_id = 'c' AND version = 5",
        "UPDATE event SET meta = '{ }' WHERE campaign_id = 'd'",
    )
    assert [(f.campaign_id, f.code) for f in await findings(log)] == [
        ("c", "hash_mismatch"),
        ("d", "hash_mismatch"),
    ]


async def test_a_log_longer_than_a_chunk_is_walked_whole_and_its_progress_told(
    tmp_path: Path,
) -> None:
    store = await open_store(tmp_path / "log.db")
    scribe = Scribe(store)
    events = [scribe.decide(create())]
    events += [scribe.decide(put("/hp", number)) for number in range(999)]
    await scribe.append(events)
    chunks: list[int] = []
    assert [f async for f in verify(store, progress=chunks.append)] == []
    await store.close()
    assert sum(chunks) == 1000
    assert len(chunks) > 1
    damage(tmp_path / "log.db", "UPDATE event SET meta = '{ }' WHERE version = 700")
    assert await codes(tmp_path / "log.db") == [("hash_mismatch", 700)]
