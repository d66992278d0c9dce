"""Which version there was at a moment, and which texts name one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eventstore.moments import version_at
from eventstore.sqlite.store import SqliteReader
from questlog.campaign.errors import Invalid
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.moments import parse_moment, written
from tests.eventstore.scribe import START, Scribe, create, filled, open_store, put, url_of


@pytest.mark.parametrize("length", [1, 2, 3, 8, 13])
async def test_a_moment_has_the_last_version_until_then(tmp_path: Path, length: int) -> None:
    store = await open_store(tmp_path / "q.db")
    await Scribe(store).write(create(), *(put("/hp", n) for n in range(1, length)))
    for number in range(length + 2):
        moment = START + timedelta(seconds=number)
        assert await version_at(store, "c", moment) == min(number, length)
        assert await version_at(store, "c", moment + timedelta(seconds=0.9)) == min(number, length)
    assert await version_at(store, "nowhere", START) == 0
    await store.close()


async def test_a_log_with_a_gap_says_so(tmp_path: Path) -> None:
    connection = await filled(tmp_path / "q.db")
    connection.execute("DROP TRIGGER event_never_goes")
    connection.execute("DELETE FROM event WHERE version = 2")
    connection.close()
    reader = await SqliteReader.open(url_of(tmp_path / "q.db"))
    with pytest.raises(DamagedLogError, match="version 2"):
        await version_at(reader, "c", START)
    await reader.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T21:14", "2026-11-23T21:14:00.000Z"),
        ("2026-11-23", "2026-11-23T00:00:00.000Z"),
        ("2026-11-23T21:14:05.1239Z", "2026-11-23T21:14:05.123Z"),
        ("2026-11-23T21:14+02:00", "2026-11-23T19:14:00.000Z"),
    ],
)
def test_moments_are_read_and_written_as_the_log_does(text: str, expected: str) -> None:
    assert written(parse_moment(text)) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "12", "0001-01-01T00:00+14:00", "2026-02-30"])
def test_other_texts_are_no_moment(text: str) -> None:
    with pytest.raises(Invalid, match="no time like"):
        parse_moment(text)


def test_a_moment_is_written_in_utc() -> None:
    assert written(datetime(2026, 1, 2, 19, 30, tzinfo=UTC)) == "2026-01-02T19:30:00.000Z"
