"""The feed: what viewers share, what each is told, and what a catch-up costs."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from questlog.campaign.commands import Commit, Deactivate
from questlog.campaign.position import Position, parse_position
from questlog.campaign.visibility import Rule, Rules, Viewer
from questlog.document import apply, diff, equal
from questlog.sync import feed as feeds
from questlog.sync.entries import Entry
from questlog.sync.messages import CampaignUpdated, Encoded
from tests.sync.world import AT, Campaign, opening

DM, SPECTATOR, ANYBODY = Viewer("dm"), Viewer("spectator"), Viewer("player")
MIRA, BOB = Viewer("player", "mira"), Viewer("player", "bob")
VIEWERS = (DM, SPECTATOR, ANYBODY, MIRA, BOB)


def said(message: Encoded) -> dict[str, Any]:
    """Return a message as its receiver decodes it."""
    decoded: dict[str, Any] = msgspec.json.decode(message.payload)
    return decoded


def told(message: Encoded) -> list[str]:
    """Return the scopes of the events a message names."""
    return [event["id"].split(":")[0] for event in said(message)["events"]]


def whisper(player: str, text: str) -> list[dict[str, Any]]:
    """Return a patch that gives a player a note."""
    return [{"op": "add", "path": f"/private/{player}", "value": text}]


def test_equal_views_share_one_computation_and_one_encoding() -> None:
    campaign = Campaign("c", opening())
    before = campaign.commit([{"op": "replace", "path": "/scene", "value": 2}])
    feed = campaign.feed
    assert feed.update(MIRA, before) is feed.update(BOB, before) is feed.update(ANYBODY, before)
    assert feed.update(MIRA, before, "full") is feed.update(BOB, before, "full")
    assert feed.snapshot(MIRA, "resync") is feed.snapshot(BOB, "resync")
    catch_up = feed.catch_up(MIRA, before, "delta", "lagged")
    assert catch_up is feed.catch_up(BOB, before, "delta", "lagged")
    assert feed.head.view(MIRA) is feed.head.view(BOB)
    assert feed.update(DM, before) is not feed.update(MIRA, before)
    assert feed.update(SPECTATOR, before) is not feed.update(MIRA, before)


def test_a_view_parts_when_a_player_gets_something_private_and_joins_when_it_goes() -> None:
    campaign = Campaign("c", opening())
    feed = campaign.feed
    keys = [(feed.head.key(MIRA), feed.head.key(BOB))]
    parted = campaign.commit(whisper("mira", "psst"), "mira")
    keys.append((feed.head.key(MIRA), feed.head.key(BOB)))
    assert said(feed.update(MIRA, parted))["patch"] == whisper("mira", "psst")
    assert said(feed.update(BOB, parted))["patch"] == []
    assert (told(feed.update(MIRA, parted)), told(feed.update(BOB, parted))) == (["mira"], [])
    joined = campaign.commit([{"op": "remove", "path": "/private/mira"}], "mira")
    keys.append((feed.head.key(MIRA), feed.head.key(BOB)))
    assert keys == [("player", "player"), ("player:mira", "player"), ("player", "player")]
    assert said(feed.update(MIRA, joined))["patch"] == [{"op": "remove", "path": "/private/mira"}]
    assert told(feed.update(BOB, joined, "full")) == []
    assert told(feed.update(MIRA, joined, "full")) == ["mira"]


def test_what_a_view_showed_only_within_a_batch_is_named_to_whose_view_it_was() -> None:
    campaign = Campaign("c", opening())
    gone = [{"op": "remove", "path": "/private/mira"}]
    steps = [campaign.step(Commit(patch=p), "mira") for p in (whisper("mira", "psst"), gone)]
    before = campaign.feed.advance(steps)
    assert campaign.feed.parted(before)
    assert told(campaign.feed.update(MIRA, before)) == ["mira", "mira"]
    assert told(campaign.feed.update(BOB, before)) == []
    assert told(campaign.feed.catch_up(BOB, before, "delta", "lagged")) == []
    assert told(campaign.feed.update(DM, before)) == ["mira", "mira"]


def test_events_are_listed_only_where_the_view_changed_and_all_of_them_for_a_dm() -> None:
    campaign = Campaign("c", opening())
    steps = [
        campaign.step(Commit(patch=[{"op": "add", "path": "/dm", "value": "plot"}]), "dm"),
        campaign.step(Commit(patch=[{"op": "replace", "path": "/scene", "value": 2}]), "soft"),
        campaign.step(Commit(patch=whisper("bob", "psst")), "bob"),
        campaign.step(Commit(patch=[]), "dm"),
    ]
    before = campaign.feed.advance(steps)
    named = {viewer: told(campaign.feed.update(viewer, before)) for viewer in VIEWERS}
    assert named == {
        DM: ["dm", "soft", "bob", "dm"],
        BOB: ["soft", "bob"],
        MIRA: ["soft"],
        ANYBODY: ["soft"],
        SPECTATOR: ["soft"],
    }


@pytest.mark.parametrize("seed", range(60))
def test_a_catch_up_costs_at_most_a_tenth_more_than_the_smaller_of_delta_and_snapshot(
    seed: int,
) -> None:
    rng = random.Random(seed)
    document = {**opening(), "note": "an inn " * rng.choice((1, 40, 400))}
    campaign = Campaign("c", document)
    campaign.feed.advance([campaign.play(rng) for _ in range(rng.randint(1, 120))])
    head, feed = campaign.state.version, campaign.feed
    for base_version in {rng.randint(1, head) for _ in range(8)}:
        base = campaign.recall(base_version)
        assert base is not None
        for viewer in VIEWERS:
            old, new = base.view(viewer), feed.head.view(viewer)
            net = CampaignUpdated(
                "c", head, feed.position(viewer), [], AT, base=base_version, patch=diff(old, new)
            )
            snapshot = feed.snapshot(viewer, "lagged")
            least = min(len(Encoded(net).payload), len(snapshot.payload))
            message = feed.catch_up(viewer, base, "delta", "lagged")
            assert len(message.payload) <= 1.1 * least, f"seed {seed}, from {base_version}"
            heard = said(message)
            held = heard.get("structured_data") or apply(old, heard["patch"])
            assert equal(held, campaign.view(head, viewer)), f"seed {seed}, {viewer}"


def test_a_catch_up_is_the_delta_where_little_changed_and_the_snapshot_where_much_did() -> None:
    campaign = Campaign("c", opening())
    base = campaign.feed.head
    campaign.commit([{"op": "replace", "path": "/scene", "value": 2}])
    for viewer in (DM, MIRA):
        assert "patch" in said(campaign.feed.catch_up(viewer, base, "delta", "resync"))
        whole = said(campaign.feed.catch_up(viewer, base, "full", "resync"))
        assert (whole["type"], whole["reason"]) == ("campaign_active", "resync")
    campaign.commit([{"op": "replace", "path": "", "value": {str(i): i for i in range(9)}}])
    campaign.commit([{"op": "replace", "path": "", "value": {"x": 1}}])
    for viewer in (DM, MIRA):
        assert "structured_data" in said(campaign.feed.catch_up(viewer, base, "delta", "resync"))


def test_a_catch_up_leaves_out_the_oldest_events_when_they_would_outweigh_the_change() -> None:
    campaign = Campaign("c", {"note": "an inn " * 2000})
    base = campaign.feed.head
    for number in range(9):
        campaign.commit([{"op": "add", "path": f"/{number}", "value": "a long tale " * 60}])
    named = said(campaign.feed.catch_up(MIRA, base, "delta", "lagged"))["events"]
    versions = [event["version"] for event in named]
    assert versions == list(range(11 - len(versions), 11))
    assert 0 < len(versions) < 9


def test_old_versions_leave_memory_by_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "RECENT_VERSIONS", 3)
    campaign = Campaign("c", opening())
    for number in range(5):
        campaign.commit([{"op": "replace", "path": "/scene", "value": number}])
    assert [v for v in range(1, 8) if campaign.feed.recall(v) is not None] == [4, 5, 6]


def test_old_versions_leave_memory_by_weight_but_never_the_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "RECENT_BYTES", 500)
    campaign = Campaign("c", opening())
    for _ in range(4):
        campaign.commit([{"op": "add", "path": "/tale", "value": "x" * 150}])
    assert [v for v in range(1, 7) if campaign.feed.recall(v) is not None] == [4, 5]
    before = campaign.commit([{"op": "add", "path": "/tale", "value": "x" * 900}], "soft")
    assert [v for v in range(1, 8) if campaign.feed.recall(v) is not None] == [6]
    assert told(campaign.feed.update(MIRA, before)) == ["soft"]


def test_what_is_made_for_a_resting_head_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = Campaign("c", opening())
    made = campaign.feed.snapshot(MIRA, "resync")
    monkeypatch.setattr(feeds, "RECENT_BYTES", len(made.payload) + 10)
    assert campaign.feed.snapshot(MIRA, "resync") is made
    campaign.feed.snapshot(DM, "resync")
    again = campaign.feed.snapshot(MIRA, "resync")
    assert again is not made
    assert again.payload == made.payload


def test_a_version_is_seen_by_the_rules_of_its_time() -> None:
    campaign = Campaign("c", {"map": "a cave", "open": 1})
    shut = Rules(default="visible", rules=(Rule("/map", ("dm",)),))
    before = campaign.rules(shut)
    update = said(campaign.feed.update(MIRA, before))
    assert update["patch"] == [{"op": "remove", "path": "/map"}]
    assert said(campaign.feed.update(DM, before))["patch"] == []
    first, second = campaign.recall(1), campaign.recall(2)
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert first.view(MIRA) == {"map": "a cave", "open": 1}
    assert second.view(MIRA) == {"open": 1}
    assert second.projector is campaign.feed.head.projector


def test_a_position_proves_one_version_of_one_view_of_one_log() -> None:
    campaign, other = Campaign("c", opening()), Campaign("d", opening())
    campaign.commit(whisper("mira", "psst"))
    feed, head = campaign.feed, campaign.feed.head
    held = parse_position(feed.position(MIRA))
    assert held is not None
    assert feed.proves(held, head, MIRA)
    assert not any(feed.proves(held, head, viewer) for viewer in VIEWERS if viewer != MIRA)
    other.commit(whisper("mira", "psst"))
    assert not other.feed.proves(held, other.feed.head, MIRA)
    assert feed.proves(Position(held.version), head, BOB)


def test_a_campaign_that_leaves_the_table_announces_a_version_that_changes_no_view() -> None:
    campaign = Campaign("c", opening())
    campaign.feed.advance([campaign.seat("main")])
    before = campaign.feed.advance([campaign.step(Deactivate(), "soft")])
    assert (campaign.state.table, said(campaign.feed.update(MIRA, before))["patch"]) == (None, [])
    assert told(campaign.feed.update(MIRA, before)) == []
