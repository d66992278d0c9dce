"""Events in each other's places are told from changed ones, however they were mixed."""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping
from pathlib import Path

import pytest

from eventstore.port import Finding
from eventstore.proof.order import MOST_EVENTS
from eventstore.proof.verifier import verify
from eventstore.sqlite.proving import prove
from eventstore.sqlite.store import SqliteReader
from tests.eventstore.scribe import Scribe, create, open_store, put, url_of
from tests.eventstore.test_verifier import codes, damage, findings

HEAD = 40
SNAPSHOTS = (10, 20, 30)
EDIT = "UPDATE event SET meta = '{ }' WHERE version = "


async def fill(path: Path, head: int) -> Path:
    """Write a campaign of so many versions, with a few snapshots."""
    store = await open_store(path)
    scribe = Scribe(store)
    await scribe.append([scribe.decide(create())])
    while scribe.state.version < head:
        number = scribe.state.version + 1
        await scribe.append([scribe.decide(put("/hp", number))])
        if number in SNAPSHOTS:
            await scribe.snapshot()
    await store.close()
    return path


@pytest.fixture(name="log")
async def _log(tmp_path: Path) -> Path:
    return await fill(tmp_path / "log.db", HEAD)


def moved(places: Mapping[int, int]) -> list[str]:
    """Return the statements that give each of these versions another."""
    away = [f"UPDATE event SET version = {a + 100_000} WHERE version = {a}" for a in places]
    back = [
        f"UPDATE event SET version = {b} WHERE version = {a + 100_000}" for a, b in places.items()
    ]
    return [*away, *back]


def swap(a: int, b: int) -> list[str]:
    """Return the statements that exchange two versions."""
    return moved({a: b, b: a})


@pytest.mark.parametrize(
    ("a", "b"),
    [(5, 6), (5, 7), (3, 35), (1, 2), (1, HEAD), (HEAD - 1, HEAD), (2, HEAD), (10, 11), (9, 20)],
)
async def test_a_swapped_pair_is_one_finding_that_names_both(log: Path, a: int, b: int) -> None:
    damage(log, *swap(a, b))
    [finding] = await findings(log)
    assert (finding.code, finding.version) == ("swapped", a)
    assert f"Versions {a} and {b} stand in each other's place" in finding.detail
    assert "nothing is lost" in finding.detail


async def test_a_swap_is_not_what_an_edit_of_the_same_events_is(log: Path) -> None:
    damage(log, *(f"{EDIT}{version}" for version in (5, 6)))
    assert await codes(log) == [("hash_mismatch", 5)]


@pytest.mark.parametrize(
    ("places", "named"),
    [
        ({5: 6, 6: 7, 7: 5}, ["5, 6 and 7"]),
        ({5: 20, 20: 33, 33: 5}, ["5, 20 and 33"]),
        ({5: 6, 6: 5, 8: 30, 30: 8}, ["5 and 6", "8 and 30"]),
        ({5: 30, 30: 5, 8: 20, 20: 8}, ["5 and 30", "8 and 20"]),
        ({5: 8, 8: 5, 6: 7, 7: 6}, ["5 and 8", "6 and 7"]),
    ],
)
async def test_events_may_be_mixed_in_any_way(
    log: Path, places: dict[int, int], named: list[str]
) -> None:
    damage(log, *moved(places))
    found = await findings(log)
    assert {each.code for each in found} == {"swapped"}
    assert [each.detail.partition(" stand")[0] for each in found] == [
        f"Versions {text}" for text in named
    ]


async def test_any_order_of_a_few_events_is_told(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for number in range(8):
        path = await fill(tmp_path / f"{number}.db", 30)
        chosen = rng.sample(range(1, 31), rng.randint(2, 6))
        others = rng.sample(chosen, len(chosen))
        damage(path, *moved(dict(zip(chosen, others, strict=True))))
        found = await findings(path)
        assert all(each.code == "swapped" for each in found), f"seed {seed}: {found}"
        assert bool(found) is (chosen != others)


@pytest.mark.parametrize("edited", [20, 4, 6, 39])
async def test_a_swap_beside_a_changed_event_is_told_from_it(log: Path, edited: int) -> None:
    damage(log, *swap(10, 30), f"{EDIT}{edited}")
    assert await codes(log) == sorted([("swapped", 10), ("hash_mismatch", edited)], key=_version)


def _version(code: tuple[str, int | None]) -> int:
    return code[1] or 0


async def test_of_a_pair_of_which_one_was_changed_something_is_lost(log: Path) -> None:
    damage(log, *swap(5, 28), f"{EDIT}28")
    assert await codes(log) == [("hash_mismatch", 5), ("hash_mismatch", 28)]


async def test_an_event_in_the_place_of_another_is_no_swap(log: Path) -> None:
    chosen = "at, patch, data, meta, request, hash"
    damage(
        log,
        f"UPDATE event SET ({chosen}) = (SELECT {chosen} FROM event e WHERE e.version = 9)"
        " WHERE version = 7",
    )
    assert await codes(log) == [("hash_mismatch", 7)]


async def test_a_pair_far_apart_in_a_long_log_is_found(tmp_path: Path) -> None:
    path = await fill(tmp_path / "long.db", 1_500)
    damage(path, *swap(40, 1_400), *(f"{EDIT}{version}" for version in (60, 700, 701)))
    assert await codes(path) == [("swapped", 40), ("hash_mismatch", 60), ("hash_mismatch", 700)]


async def test_much_damage_is_all_told_in_order(tmp_path: Path) -> None:
    path = await fill(tmp_path / "long.db", 400)
    edited = range(3, 400, 3)
    damage(path, *(f"{EDIT}{version}" for version in edited), *swap(2, 398))
    found = await codes(path)
    assert len(found) > 3 * MOST_EVENTS
    assert found == sorted(found, key=_version)
    assert {version for _, version in found} >= set(edited) - {3, 399}


async def test_a_long_run_of_changed_events_is_one_finding(log: Path) -> None:
    damage(log, "UPDATE event SET meta = '{ }' WHERE version BETWEEN 2 AND 39")
    [finding] = await findings(log)
    assert (finding.code, finding.version) == ("hash_mismatch", 2)


async def test_proved_in_stretches_a_swap_is_told_alike(log: Path) -> None:
    damage(log, *swap(5, 25))
    reader = await SqliteReader.open(url_of(log))

    async def both() -> tuple[list[Finding], list[Finding]]:
        ours = [each async for each in prove(reader, url_of(log), None, lambda _: None, stretch=9)]
        return ours, [each async for each in verify(reader)]

    try:
        ours, theirs = await both()
    finally:
        await reader.close()
    assert ours == theirs
    assert [each.code for each in ours] == ["swapped"]
