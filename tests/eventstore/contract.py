"""What every adapter of the port must do. An adapter's tests derive from `EventStoreContract`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from eventstore.chain import GENESIS, link
from eventstore.errors import StoreClosedError, StoreError
from eventstore.port import Appended, Conflict, Duplicate, EventStore, Head, Reused
from questlog.campaign.commands import Activate, Deactivate
from questlog.campaign.events import Actor, Event
from questlog.campaign.evolve import Step, fold
from questlog.campaign.state import CampaignState
from tests.eventstore.scribe import DM, Scribe, any_command, create, moment, put

MIRA = Actor("mira", "player")


def step_of(event: Event) -> Step:
    """Return what an event read back does to its campaign."""
    return Step(event.version, event.at, event.operations(), event.fact())


class EventStoreContract:
    """Derive, and say how to open the store that lies in a folder."""

    async def open(self, place: Path) -> EventStore:
        """Open the store in this folder for writing, making it where there is none."""
        raise NotImplementedError

    @pytest.fixture(name="store")
    async def _store(self, tmp_path: Path) -> AsyncIterator[EventStore]:
        store = await self.open(tmp_path)
        yield store
        await store.close()

    async def test_what_was_appended_is_read_back_as_it_was(self, store: EventStore) -> None:
        scribe = Scribe(store)
        first = scribe.decide(create({"hp": 2**70, "é": "龍"}, title="Ashfall"))
        second = scribe.decide(put("/hp", 1.5, kind="hit", meta={"die": 20}), id="hit-1")
        await scribe.append([first, second])
        events = await store.read("c")
        assert [event.version for event in events] == [1, 2]
        read = events[1]
        assert (read.id, read.kind, read.actor, read.at) == ("hit-1", "hit", DM, moment(2))
        assert read.operations() == [{"op": "add", "path": "/hp", "value": 1.5}]
        assert bytes(read.meta) == b'{"die":20}'
        assert events[0].operations()[0]["value"] == {"hp": 2**70, "é": "龍"}
        assert events[0].fact() == first.fact

    async def test_hashes_form_a_chain_over_every_field(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create(), put("/hp", 1), put("/hp", 2))
        previous = GENESIS
        for event in await store.read("c"):
            raw = (bytes(part).decode() for part in (event.patch, event.data, event.meta))
            actor = (event.actor.member, event.actor.role)
            head = ("c", event.version, event.id, event.kind, *actor, event.at)
            previous = link(previous, (*head, *raw, event.request, event.schema))
            assert event.hash == previous

    async def test_the_same_request_again_returns_the_first_result(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create())
        hit = scribe.decide(put("/hp", 9), id="hit-1")
        (first,) = await scribe.append([hit])
        await scribe.write(put("/hp", 8))
        assert isinstance(first, Appended)
        again = await store.append("c", [hit])
        assert again == [Duplicate(first.version, first.hash)]
        assert await store.head("c") == Head(3, scribe.hash)

    async def test_how_large_it_is_is_told(self, store: EventStore) -> None:
        empty = await store.extent()
        assert (empty.events, empty.campaigns) == (0, 0)
        await Scribe(store).write(create({"text": "x" * 100_000}), put("/hp", 1), put("/hp", 2))
        full = await store.extent()
        assert (full.events, full.campaigns) == (3, 1)
        assert full.size > 100_000

    async def test_an_id_used_for_another_request_is_refused(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create())
        await scribe.write(put("/hp", 9), id="hit-1")
        other = scribe.decide(put("/hp", 8), id="hit-1")
        assert await store.append("c", [other]) == [Reused(2)]

    async def test_an_id_belongs_to_its_actor_and_campaign(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create())
        await scribe.write(put("/hp", 9), id="x")
        assert await scribe.write(put("/hp", 8), id="x", actor=MIRA) == Appended(3, scribe.hash)
        assert isinstance(
            await scribe.write(put("/hp", 7), id="x", actor=Actor("dm", "player")), Appended
        )
        other = Scribe(store, "d")
        await other.write(create())
        assert isinstance(await other.write(put("/hp", 9), id="x"), Appended)

    async def test_a_wrong_version_is_a_conflict_that_names_the_actual_one(
        self, store: EventStore
    ) -> None:
        scribe = Scribe(store)
        await scribe.write(create())
        late = scribe.decide(put("/hp", 1))
        await store.append("c", [late])
        assert await store.append("c", [replace(late, id="other")]) == [Conflict(2)]
        ahead = replace(late, id="ahead", based_on=7)
        assert await store.append("c", [ahead]) == [Conflict(2)]
        assert len(await store.read("c")) == 2

    async def test_an_event_of_no_campaign_is_a_conflict_at_0(self, store: EventStore) -> None:
        scribe = Scribe(store)
        scribe.decide(create())
        assert await store.append("c", [scribe.decide(put("/hp", 1))]) == [Conflict(0)]
        assert await store.head("c") is None

    async def test_the_id_counts_before_the_version(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create())
        hit = scribe.decide(put("/hp", 9), id="hit-1")
        await scribe.append([hit])
        stale = replace(hit, based_on=0)
        assert isinstance((await store.append("c", [stale]))[0], Duplicate)
        assert await store.append("c", [replace(stale, request="other")]) == [Reused(2)]

    async def test_a_batch_may_mix_new_events_duplicates_and_conflicts(
        self, store: EventStore
    ) -> None:
        scribe = Scribe(store)
        await scribe.write(create())
        hit = scribe.decide(put("/hp", 9), id="hit-1")
        await scribe.append([hit])
        new = scribe.decide(put("/hp", 8), id="hit-2")
        batch = [
            hit,
            new,
            new,
            replace(hit, request="?"),
            replace(new, id="late"),
            replace(new, id="next", based_on=3),
        ]
        outcomes = await store.append("c", batch)
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds == [Duplicate, Appended, Duplicate, Reused, Conflict, Appended]
        assert [outcome.version for outcome in outcomes] == [2, 3, 3, 2, 3, 4]

    async def test_one_bad_append_does_not_fail_those_beside_it(self, store: EventStore) -> None:
        scribes = [Scribe(store, name) for name in ("a", "b", "c")]
        events = [scribe.decide(create()) for scribe in scribes]
        # Not text at all, so that no store of any kind can take it.
        events[1] = replace(events[1], kind=None)
        results = await asyncio.gather(
            *(store.append(s.state.campaign_id, [e]) for s, e in zip(scribes, events, strict=True)),
            return_exceptions=True,
        )
        assert isinstance(results[0], list)
        assert isinstance(results[1], StoreError)
        assert isinstance(results[2], list)
        assert [found.campaign_id for found in await store.campaigns()] == ["a", "c"]

    async def test_a_cancelled_caller_still_has_its_event_appended(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create())
        hit = scribe.decide(put("/hp", 9), id="hit-1")
        caller = asyncio.ensure_future(store.append("c", [hit]))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        (again,) = await store.append("c", [hit])
        assert isinstance(again, Duplicate)

    async def test_200_campaigns_write_at_once(self, store: EventStore) -> None:
        async def play(name: str) -> None:
            scribe = Scribe(store, name)
            await scribe.write(create())
            for number in range(5):
                await scribe.write(put("/hp", number))

        names = [f"campaign-{number:03}" for number in range(200)]
        await asyncio.gather(*map(play, names))
        found = await store.campaigns()
        assert [(each.campaign_id, each.version) for each in found] == [(n, 6) for n in names]

    async def test_two_writers_of_one_campaign_never_share_a_version(
        self, store: EventStore
    ) -> None:
        scribe = Scribe(store)
        await scribe.write(create())
        racing = scribe.decide(put("/hp", 1))
        each = [replace(racing, id=f"racer-{number}") for number in range(20)]
        outcomes = await asyncio.gather(*(store.append("c", [event]) for event in each))
        kinds = [type(outcome) for (outcome,) in outcomes]
        assert kinds.count(Appended) == 1
        assert kinds.count(Conflict) == 19

    async def test_reading_goes_from_a_version_to_a_version_up_to_a_limit(
        self, store: EventStore
    ) -> None:
        scribe = Scribe(store)
        kinds = ["hit", "heal"]
        hits = [put("/hp", n, kind=kinds[n % 2]) for n in range(9)]
        await scribe.write(create(), *hits)
        assert [e.version for e in await store.read("c", after=7)] == [8, 9, 10]
        assert [e.version for e in await store.read("c", after=2, until=4)] == [3, 4]
        assert [e.version for e in await store.read("c", after=2, limit=2)] == [3, 4]
        assert [e.version for e in await store.read("c", kind="heal", limit=2)] == [3, 5]
        assert [e.version for e in await store.read("c", kind="heal", after=5, until=8)] == [7]
        assert await store.read("c", after=10) == []
        assert await store.read("nobody") == []

    async def test_an_event_is_found_by_actor_and_id(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create())
        await scribe.write(put("/hp", 9), id="hit-1", actor=MIRA)
        found = await store.find("c", MIRA, "hit-1")
        assert found is not None
        assert found.version == 2
        assert await store.find("c", DM, "hit-1") is None
        assert await store.find("c", MIRA, "hit-2") is None
        assert await store.find("d", MIRA, "hit-1") is None

    async def test_the_hash_of_a_version_is_known_and_of_no_other(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create(), put("/hp", 1))
        assert await store.hash_at("c", 2) == scribe.hash
        assert await store.hash_at("c", 3) is None
        assert await store.hash_at("d", 1) is None

    @pytest.mark.parametrize("seed", range(3))
    async def test_every_version_loads_as_a_fold_from_the_beginning(
        self, store: EventStore, seed: int
    ) -> None:
        rng = random.Random(seed)
        scribe = Scribe(store)
        snapshots = []
        for _ in range(120):
            await scribe.append([scribe.decide(any_command(rng, scribe.state))])
            if rng.random() < 0.1:
                await scribe.snapshot()
                snapshots.append(scribe.state.version)
        state = CampaignState(campaign_id="c")
        for event in await store.read("c"):
            state = fold(state, [step_of(event)])
            loaded = await store.load("c", at=event.version)
            assert loaded is not None
            assert (loaded.state, loaded.hash) == (state, event.hash), f"seed {seed}"
        head = await store.load("c")
        assert head is not None
        assert head.state == scribe.state, f"seed {seed}"
        assert [version for version, _, _ in await store.snapshots("c")] == snapshots

    async def test_what_is_not_there_does_not_load(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create())
        for at in (-1, 0, 2):
            assert await store.load("c", at=at) is None
        assert await store.load("nobody") is None

    async def test_a_load_weighs_what_came_after_its_snapshot(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create(), put("/hp", 1))
        before = await store.load("c")
        await scribe.snapshot()
        after = await store.load("c")
        assert before is not None
        assert after is not None
        assert before.weight > 0
        assert after.weight == 0

    async def test_a_snapshot_is_kept_as_it_was_first_saved(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create())
        await scribe.snapshot()
        await store.save_snapshot(replace(scribe.state, title="other"), scribe.hash)
        assert await store.snapshots("c") == [(1, scribe.hash, scribe.state)]

    async def test_a_snapshot_of_another_history_is_passed_over(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create())
        await store.save_snapshot(replace(scribe.state, document={"hp": 0}), "f" * 64)
        loaded = await store.load("c")
        assert loaded is not None
        assert loaded.state == scribe.state

    async def test_a_table_seats_one_campaign(self, store: EventStore) -> None:
        first, second = Scribe(store, "a"), Scribe(store, "b")
        await first.write(create(), Activate("main"))
        await second.write(create())
        assert await store.seated("main") == "a"
        taken = second.decide(Activate("main"))
        with pytest.raises(StoreError):
            await store.append("b", [taken])
        assert await store.head("b") == Head(1, second.hash)
        await first.write(Deactivate())
        assert await store.seated("main") is None
        assert isinstance((await store.append("b", [taken]))[0], Appended)
        assert await store.seated("main") == "b"

    async def test_a_summary_follows_the_head(self, store: EventStore) -> None:
        scribe = Scribe(store)
        await scribe.write(create(title="Ashfall"), put("/hp", 1), Activate("main"))
        summary = await store.summary("c")
        assert summary is not None
        assert msgspec.structs.asdict(summary) == {
            "campaign_id": "c",
            "title": "Ashfall",
            "version": 3,
            "hash": scribe.hash,
            "table": "main",
            "created_at": moment(1),
            "last_at": moment(3),
        }
        assert await store.campaigns() == [summary]
        assert await store.summary("d") is None

    async def test_a_healthy_store_can_be_written(self, store: EventStore) -> None:
        await store.check_writable()
        await Scribe(store).write(create())

    async def test_closing_finishes_what_was_accepted(self, tmp_path: Path) -> None:
        store = await self.open(tmp_path)
        scribe = Scribe(store)
        events = [scribe.decide(create())]
        events += [scribe.decide(put("/hp", number)) for number in range(300)]
        waiting = [asyncio.ensure_future(store.append("c", [event])) for event in events]
        await asyncio.sleep(0)
        await store.close()
        for (outcome,) in await asyncio.gather(*waiting):
            assert isinstance(outcome, Appended)
        with pytest.raises(StoreClosedError):
            await store.append("c", [scribe.decide(put("/hp", 0))])
        with pytest.raises(StoreClosedError):
            await store.head("c")
        again = await self.open(tmp_path)
        head = await again.head("c")
        secret = again.secret
        await again.close()
        assert head is not None
        assert head.version == 301
        assert secret == store.secret
        assert len(secret) == 32
