"""What every adapter must do with a fork: a log that begins as a copy of another's."""

from __future__ import annotations

import random
import secrets
from typing import Any

from msgspec.structs import replace

from eventstore.chain import GENESIS, link
from eventstore.port import Appended, Conflict, Duplicate, EventStore, Outcome, Reused
from questlog.campaign.commands import Deactivate, Fork, Request
from questlog.campaign.decide import Minted, decide
from questlog.campaign.events import NewEvent, Origin
from questlog.document import Limits
from tests.eventstore.scribe import DM, Scribe, any_command, create, moment, put

KEPT = ("version", "id", "kind", "actor", "at", "patch", "data", "meta", "request", "schema")


async def forking(
    store: EventStore, source: str, at: int, into: str, id: str | None = None
) -> NewEvent:
    """Return the event a fork of `source` at version `at` comes to."""
    loaded = await store.load(source, at=at)
    assert loaded is not None
    decision = decide(
        replace(loaded.state, campaign_id=into),
        Request(DM, Fork(Origin(source, at, loaded.hash)), id),
        Minted(moment(5_000), f"fork-{into}"),
        Limits(),
    )
    assert decision.event is not None
    return decision.event


async def fork(
    store: EventStore, source: str, at: int, into: str, id: str | None = None
) -> Outcome:
    """Fork `source` at version `at` into another campaign."""
    return await store.fork(source, into, await forking(store, source, at, into, id))


async def chained(store: EventStore, campaign_id: str) -> list[tuple[Any, ...]]:
    """Return what the events of a log say, having held each against its hash."""
    previous, found = GENESIS, []
    for event in await store.read(campaign_id):
        raw = (bytes(part).decode() for part in (event.patch, event.data, event.meta))
        actor = (event.actor.member, event.actor.role)
        head = (campaign_id, event.version, event.id, event.kind, *actor, event.at)
        previous = link(previous, (*head, *raw, event.request, event.schema))
        assert event.hash == previous
        found.append(tuple(getattr(event, name) for name in KEPT))
    return found


class ForkContract:
    """Derive together with `EventStoreContract`, which opens the store."""

    async def test_a_fork_has_the_history_under_its_own_id(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create({"hp": 2**70, "é": "龍"}, title="Ashfall"))
        await scribe.write(put("/hp", 2), id="hit")
        await scribe.write(put("/hp", 3))
        outcome = await fork(store, "c", 2, "what-if")
        head = await store.head("what-if")
        assert head is not None
        assert outcome == Appended(3, head.hash)
        source, copied = await chained(store, "c"), await chained(store, "what-if")
        assert copied[:2] == source[:2]
        last = (await store.read("what-if", after=2))[0]
        assert (last.kind, last.operations()) == ("campaign.forked", [])
        [origin] = [await store.hash_at("c", 2)]
        assert bytes(last.data).decode() == (
            f'{{"from":{{"campaign_id":"c","version":2,"hash":"{origin}"}}}}'
        )
        summary = await store.summary("what-if")
        assert summary is not None
        assert (summary.title, summary.version, summary.table) == ("Ashfall", 3, None)
        assert (summary.created_at, summary.last_at) == (source[0][4], moment(5_000))

    async def test_one_asked_for_again_is_a_duplicate(self, store: EventStore) -> None:
        await Scribe(store).write(create(), put("/hp", 1))
        first = await fork(store, "c", 2, "d", "fork-1")
        assert isinstance(first, Appended)
        again = await fork(store, "c", 2, "d", "fork-1")
        assert again == Duplicate(first.version, first.hash)
        assert await fork(store, "c", 1, "d", "fork-1") == Reused(3)
        assert await fork(store, "c", 2, "d", "fork-2") == Conflict(3)
        assert await fork(store, "c", 2, "c") == Conflict(2)
        assert len(await store.read("d")) == 3

    async def test_an_id_its_actor_used_in_the_history_is_taken(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create())
        await scribe.write(put("/hp", 1), id="mine")
        await scribe.write(put("/hp", 2), id="later")
        assert await fork(store, "c", 2, "d", "mine") == Reused(2)
        assert await store.head("d") is None
        assert isinstance(await fork(store, "c", 2, "d", "later"), Appended)

    async def test_forks_and_their_source_go_their_own_ways(self, store: EventStore) -> None:
        seed = secrets.randbits(32)
        print(f"seed {seed}")
        rng = random.Random(seed)
        scribes = [Scribe(store, "c0")]
        for number in range(60):
            scribe = rng.choice(scribes)
            table = scribe.state.table
            await scribe.write(any_command(rng, scribe.state))
            if scribe.state.table is not None and scribe.state.table != table:
                # A table has one seat; it is given up at once, so that others may have it.
                await scribe.write(Deactivate())
            if len(scribes) < 6 and number % 8 == 7:
                at = rng.randint(1, scribe.state.version)
                await fork(store, scribe.state.campaign_id, at, f"c{len(scribes)}")
                loaded = await store.load(f"c{len(scribes)}")
                assert loaded is not None
                other = Scribe(store, f"c{len(scribes)}")
                other.state, other.hash = loaded.state, loaded.hash
                scribes.append(other)
        for scribe in scribes:
            loaded = await store.load(scribe.state.campaign_id)
            assert loaded is not None
            assert (loaded.state, loaded.hash) == (scribe.state, scribe.hash), f"seed {seed}"
            assert await chained(store, scribe.state.campaign_id)

    async def test_a_fork_is_read_from_its_sources_snapshots(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create(), put("/hp", 1))
        await scribe.snapshot()
        await scribe.write(put("/hp", 2), put("/hp", 3))
        await scribe.snapshot()
        await fork(store, "c", 3, "d")
        await store.carry_snapshots("c", "d", 3)
        [(version, digest, state)] = await store.snapshots("d")
        assert (version, digest) == (2, await store.hash_at("d", 2))
        loaded = await store.load("d", at=2)
        assert loaded is not None
        assert loaded.state == state
        assert (state.campaign_id, state.document["hp"]) == ("d", 1)

    async def test_a_fork_begins_with_the_last_event_that_made_it_one(
        self, store: EventStore
    ) -> None:
        await Scribe(store).write(create(), put("/hp", 1))
        await fork(store, "c", 2, "d")
        await fork(store, "d", 3, "e")
        await fork(store, "d", 1, "f")
        begun = {name: await store.begins(name) for name in "cdefg"}
        assert begun == {"c": 1, "d": 3, "e": 4, "f": 2, "g": 1}
