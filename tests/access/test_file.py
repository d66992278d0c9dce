"""The access file: private, shared by the command and the server, and never half-made."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from eventstore import migrator
from eventstore.errors import (
    NewerSchemaError,
    NotAStoreError,
    StoreError,
    StoreReadOnlyError,
    UnreadableError,
)
from eventstore.sqlite.store import SqliteStore
from questlog.campaign.errors import Invalid
from server.access.attended import attended
from server.access.file import AccessFile, access_path
from server.access.records import Member, member_of
from tests.support.access import store_url


async def opened(path: Path) -> AccessFile:
    return await AccessFile.open(store_url(path))


async def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        access = await opened(tmp_path / "q.db")
    finally:
        os.umask(old)
    assert stat.S_IMODE(access.path.stat().st_mode) == 0o600
    await access.close()
    log = await SqliteStore.open(store_url(tmp_path / "q.db"))
    names = os.listdir(tmp_path)
    assert {"q.db", "q.db-wal", "q.db.access", "q.db.lock"} <= set(names)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names} == {0o600}
    await log.close()
    access.path.chmod(0o644)
    await (await opened(tmp_path / "q.db")).close()
    assert stat.S_IMODE(access.path.stat().st_mode) == 0o600


async def test_it_stands_beside_the_store_and_both_find_the_same_key(tmp_path: Path) -> None:
    first, second = await asyncio.gather(opened(tmp_path / "q.db"), opened(tmp_path / "q.db"))
    assert first.path == access_path(store_url(tmp_path / "q.db")) == tmp_path / "q.db.access"
    assert first.audience == second.audience
    assert await first.keys() == await second.keys()
    assert len(await first.keys()) == 1
    await first.close()
    await second.close()


async def test_two_keys_count_and_the_newest_signs(tmp_path: Path) -> None:
    access = await opened(tmp_path / "q.db")
    (first,) = await access.keys()
    second = (await access.rotate())[0]
    third = (await access.rotate())[0]
    assert await access.keys() == (third, second)
    assert len({first.key_id, second.key_id, third.key_id}) == 3
    assert len({first.secret, second.secret, third.secret}) == 3
    await access.close()


async def test_another_process_writing_is_noticed_and_ones_own_is_not(tmp_path: Path) -> None:
    ours, theirs = await opened(tmp_path / "q.db"), await opened(tmp_path / "q.db")
    before = await ours.version()
    await ours.rotate()
    assert await ours.version() == before
    await theirs.rotate()
    assert await ours.version() != before
    await ours.close()
    await theirs.close()


async def test_members_come_go_and_come_back(tmp_path: Path) -> None:
    access = await opened(tmp_path / "q.db")
    mira = Member(campaign_id="c", member="mira", role="player", name="Mira K.")
    await access.add_member(mira)
    with pytest.raises(Invalid, match="a member already"):
        await access.add_member(mira)
    await access.set_role("c", "mira", "dm")
    await access.remove_member("c", "mira", 1_000)
    (gone,) = await access.members("c")
    assert (gone.role, gone.name, gone.valid_from) == (None, None, 1_000)
    with pytest.raises(Invalid, match="was removed"):
        await access.set_role("c", "mira", "dm")
    await access.add_member(mira)
    (back,) = await access.members("c")
    assert (back.role, back.name, back.valid_from) == ("player", "Mira K.", 1_000)
    assert await access.members("other") == []
    await access.close()


async def test_a_providers_user_has_one_seat_at_a_campaign(tmp_path: Path) -> None:
    access = await opened(tmp_path / "q.db")

    def seat(campaign: str, member: str) -> Member:
        return Member(
            campaign_id=campaign, member=member, role="player", issuer="https://i/", subject="s"
        )

    await access.add_member(seat("c", "mira"))
    await access.add_member(seat("d", "mira"))
    with pytest.raises(Invalid, match="another seat"):
        await access.add_member(seat("c", "tobin"))
    found = await access.seats_of("https://i/", "s")
    assert [each.campaign_id for each in found] == ["c", "d"]
    assert [each.member for each in await access.members("c")] == ["mira"]
    await access.close()


@pytest.mark.parametrize("name", ["dm", "player", "spectator"])
def test_nobody_is_called_by_the_name_of_a_role(name: str) -> None:
    with pytest.raises(Invalid, match="name of a role"):
        member_of("player", name)


async def test_a_file_that_is_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    log = await SqliteStore.open(store_url(tmp_path / "log.db"))
    await log.close()
    (tmp_path / "log.db").rename(tmp_path / "q.db.access")
    (tmp_path / "r.db.access").write_text("a diary, not a database" * 100)
    for name in ("q.db", "r.db"):
        before = (tmp_path / f"{name}.access").read_bytes()
        with pytest.raises(NotAStoreError):
            await opened(tmp_path / name)
        assert (tmp_path / f"{name}.access").read_bytes() == before


async def test_one_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    access = await opened(tmp_path / "q.db")
    await access.read(lambda c: c.execute("PRAGMA user_version = 99"))
    await access.close()
    with pytest.raises(NewerSchemaError):
        await opened(tmp_path / "q.db")


async def test_a_folder_that_is_not_there_and_a_damaged_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(StoreReadOnlyError):
        await opened(tmp_path / "nowhere" / "q.db")
    access = await opened(tmp_path / "q.db")
    await access.close()
    content = access.path.read_bytes()
    access.path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(StoreError) as damaged:
        await opened(tmp_path / "q.db")
    assert isinstance(damaged.value, UnreadableError)


async def test_a_file_left_half_made_is_finished(tmp_path: Path) -> None:
    access = await opened(tmp_path / "q.db")
    await access.run(lambda c: c.execute("DELETE FROM signing_key").rowcount)
    await access.close()
    again = await opened(tmp_path / "q.db")
    assert len(await again.keys()) == 1
    assert again.audience == access.audience
    await again.close()


async def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    access = await opened(tmp_path / "q.db")

    def half(connection: object) -> None:
        connection.execute("DELETE FROM signing_key")  # type: ignore[attr-defined]
        raise Invalid("no further")

    with pytest.raises(Invalid, match="no further"):
        await access.run(half)
    assert len(await access.keys()) == 1
    await access.close()


async def test_one_of_an_older_release_is_taken_up_with_all_that_is_in_it(tmp_path: Path) -> None:
    path = access_path(store_url(tmp_path / "q.db"))
    connection = sqlite3.connect(path, isolation_level=None)
    first, *_ = migrator.sqlite_migrations("access")
    migrator.migrate(connection, [first], now="t", application_id=migrator.ACCESS_ID)
    connection.execute(
        "INSERT INTO member (campaign_id, member, role, name, valid_from, changed_at)"
        " VALUES ('c', 'mira', 'player', 'Mira K.', 7, 't')"
    )
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnreadableError, match="busy"):
        await opened(tmp_path / "q.db")
    other.execute("ROLLBACK")
    access = await opened(tmp_path / "q.db")
    (mira,) = await access.members("c")
    assert (mira.name, mira.valid_from) == ("Mira K.", 7)
    assert await access.read(lambda c: attended(c, "c")) == []
    await access.close()
    connection.close()
    other.close()
