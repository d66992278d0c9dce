"""`questlog doctor`: what it promises it does, and one campaign does not hold up another."""

from __future__ import annotations

import asyncio
import json
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

from questlog.campaign.commands import Activate
from tests.eventstore.scribe import Scribe, create, open_store, put
from tests.eventstore.test_verifier import damage
from tests.tools.stores import run

FORGED = (
    "INSERT INTO event SELECT campaign_id, version + 1, id || 'x', kind, member, role, at, patch,"
    " data, meta, request, schema, hash FROM event WHERE campaign_id = 'zz' AND version = 3"
)
RETITLED = "UPDATE campaign SET title = 'Hacked' WHERE campaign_id = 'w2'"


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    """Return a store with campaigns of three versions: `aa`, active at main, `w2` and `zz`."""
    path = tmp_path / "log.db"

    async def make() -> None:
        store = await open_store(path)
        await Scribe(store, "aa").write(create(), put("/hp", 1), Activate("main"))
        for name in ("w2", "zz"):
            await Scribe(store, name).write(create(title="Bell"), put("/hp", 1), put("/hp", 2))
        await store.close()

    asyncio.run(make())
    return path


def examined(path: Path, *arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what the doctor says, by campaign and code."""
    result = run(path, "doctor", *arguments, "--json")
    assert result.exit_code == (1 if result.stdout else 0), result.output
    told = [json.loads(line) for line in result.stdout.splitlines()]
    return {(each["campaign_id"], each["code"]): each for each in told}


def outcomes(path: Path) -> dict[tuple[str, str], bool]:
    """Have everything repaired; return what was."""
    result = run(path, "doctor", "--repair", "--json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    return {(each["campaign_id"], each["code"]): each["repaired"] for each in told}


def test_a_tail_that_does_not_verify_is_not_promised_and_holds_nothing_up(log: Path) -> None:
    damage(log, FORGED, RETITLED)
    found = examined(log)
    assert found["w2", "head_mismatch"]["repairable"] is True
    assert found["zz", "extra_tail"]["repairable"] is False
    assert found["zz", "extra_tail"]["obstacle"] == "Version 4 is not what its hash says"
    result = run(log, "doctor", "--repair")
    assert result.exit_code == 1
    assert "1 of 2 repaired; 1 left." in result.stdout
    [repaired] = [line for line in result.stdout.splitlines() if line.endswith("; repaired")]
    assert "can be made again from the log" in repaired
    assert "cannot be repaired: Version 4 is not what its hash says" in result.stdout
    assert list(examined(log)) == [("zz", "extra_tail")]


@pytest.mark.parametrize(
    ("change", "obstacle"),
    [
        ("patch = '[]'", "Version 2 is not what its hash says"),
        ("version = 9", "Version 2 is missing"),
    ],
)
def test_a_log_without_its_campaign_is_promised_only_where_it_verifies(
    log: Path, change: str, obstacle: str
) -> None:
    damage(
        log,
        "DELETE FROM campaign WHERE campaign_id = 'zz'",
        f"UPDATE event SET {change} WHERE campaign_id = 'zz' AND version = 2",
        RETITLED,
    )
    found = examined(log)
    assert found["zz", "orphan"]["repairable"] is False
    assert found["zz", "orphan"]["obstacle"] == obstacle
    assert outcomes(log) == {("zz", "orphan"): False, ("w2", "head_mismatch"): True}


def test_what_turns_out_not_to_be_repairable_is_said_with_the_reason(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(log, FORGED, RETITLED)

    async def promise(*_arguments: Any) -> dict[tuple[str, str], str]:
        return {}

    # The log may have changed since it was looked at.
    monkeypatch.setattr("eventstore.doctor._obstacles", promise)
    result = run(log, "doctor", "--repair")
    assert result.exit_code == 1
    assert "not repaired: Version 4 is not what its hash says." in result.stdout
    assert list(examined(log)) == [("zz", "extra_tail")]


def test_campaigns_that_changed_their_seats_are_both_repaired(log: Path) -> None:
    damage(
        log,
        "UPDATE campaign SET active_table = NULL WHERE campaign_id = 'aa'",
        "UPDATE campaign SET active_table = 'main' WHERE campaign_id = 'zz'",
    )
    found = examined(log)
    assert all(each["repairable"] for each in found.values())
    assert outcomes(log) == {("aa", "seat_mismatch"): True, ("zz", "seat_mismatch"): True}
    assert run(log, "verify").exit_code == 0


def test_a_seat_that_another_log_has_too_is_not_promised(log: Path) -> None:
    async def make() -> None:
        store = await open_store(log)
        loaded = await store.load("w2")
        assert loaded is not None
        scribe = Scribe(store, "w2")
        scribe.state = loaded.state
        await scribe.write(Activate("other"))
        await store.close()

    asyncio.run(make())
    damage(
        log,
        "UPDATE campaign SET active_table = NULL WHERE campaign_id = 'w2'",
        "UPDATE campaign SET active_table = 'other' WHERE campaign_id = 'aa'",
        "UPDATE event SET hash = 'f' WHERE campaign_id = 'aa' AND version = 3",
    )
    found = examined(log)
    assert (
        found["w2", "seat_mismatch"]["obstacle"] == "'aa' is at 'other' too: deactivate one of them"
    )
    assert outcomes(log)["w2", "seat_mismatch"] is False


def test_a_wrong_snapshot_of_a_damaged_log_goes_without_another_in_its_place(log: Path) -> None:
    async def make() -> None:
        store = await open_store(log)
        loaded = await store.load("zz", at=1)
        assert loaded is not None
        await store.save_snapshot(loaded.state, loaded.hash)
        await store.close()

    asyncio.run(make())
    damage(
        log,
        "UPDATE snapshot SET state = '{'",
        "DELETE FROM event WHERE campaign_id = 'zz' AND version = 2",
        RETITLED,
    )
    done = outcomes(log)
    assert done == {
        ("w2", "head_mismatch"): True,
        ("zz", "snapshot_mismatch"): True,
        ("zz", "gap"): False,
    }


def test_a_table_that_was_added_is_not_promised_to_go(log: Path) -> None:
    for sql in ("CREATE TABLE mine (a)", "DROP INDEX event_id"):
        damage(log, methodcaller("execute", sql))
    result = run(log, "doctor", "--json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert {each["detail"].split()[1]: each["repairable"] for each in told} == {
        "index": True,
        "table": False,
    }
    assert run(log, "doctor", "--repair").exit_code == 1
    [left] = [json.loads(line) for line in run(log, "doctor", "--json").stdout.splitlines()]
    assert left["obstacle"] == "only triggers and indexes are made anew"
