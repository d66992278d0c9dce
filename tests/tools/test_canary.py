"""The canary: nothing leaks of recorded campaigns or of made up ones, and what leaks is found.

A failure names the seed. With that seed in QUESTLOG_TEST_SEED the same things are done again, in
nearly the same order: much of it happens at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import pytest

from questlog.campaign import authority
from questlog.campaign.discretion import Discretion
from questlog.campaign.position import Position
from questlog.campaign.suggestions import Suggestion
from questlog.campaign.visibility import Projector, Rule, Rules, Viewer
from questlog.sync.entries import Entry
from questlog.sync.feed import DM, Feed
from questlog.sync.session import Effect, Session
from server.audit import Audit
from server.company import Company
from server.connection import Connection
from server.polling import Poll, Polls
from tests.support.server import ROOT, command
from tools.canary.canaries import Aviary
from tools.canary.command import read_rules
from tools.canary.flight import Outcome, fly_random, fly_recording
from tools.demo import recording_path

RECORDINGS = ROOT.parent / "shared" / "data"
# `make canary` plays 500.
CAMPAIGNS = 60
LONGEST = 220.0

# A multiple of what the longest takes where nothing else runs and nothing is measured.
pytestmark = pytest.mark.timeout(LONGEST + 20)


@pytest.fixture
def seed() -> int:
    """Return the seed asked for, or else a new one, which is printed."""
    asked = os.environ.get("QUESTLOG_TEST_SEED")
    chosen = int(asked) if asked else random.SystemRandom().getrandbits(32)
    print(f"seed {chosen}")
    return chosen


def told(outcome: Outcome) -> str:
    """Return the first findings, one a line."""
    return "\n".join(map(str, outcome.findings[:10]))


# Traced line by line it would take minutes; what it runs, shorter tests run too.
@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize(
    ("name", "most", "own"),
    [
        ("the demo", 0, 40),
        ("fireball_one_combat.jsonl.gz", 20, 20),
        ("fireball_raw_sea_hag.jsonl.gz", 12, 15),
        ("crd3_c2e001_full_history.jsonl.xz", 10, 12),
        ("foundry_hyrule_mit.jsonl.xz", 1, 2),
    ],
)
async def test_nobody_is_sent_what_they_must_not_see_of_a_recorded_campaign(
    name: str, most: int, own: int, seed: int
) -> None:
    path = recording_path() if name == "the demo" else RECORDINGS / name
    if not path.exists():
        pytest.skip(f"{name} is not in ../shared/data")
    async with asyncio.timeout(LONGEST):
        outcome = await fly_recording(path, seed, most=most, own=own)
    assert not outcome.findings, f"seed {seed}:\n{told(outcome)}"
    tally = outcome.tally
    print(tally)
    assert tally.canaries > 100
    assert tally.versions > most
    assert tally.messages > tally.versions * tally.views
    everything = (tally.new_roles, tally.naps, tally.restarts) if name == "the demo" else ()
    # Of a few rounds, chance may leave any of these out.
    said = (tally.suggestions, tally.signals, tally.narrations, tally.presences)
    everything = (*everything, *((*said, tally.reconnects) if own > 10 else ()))
    for happened in (tally.calls, tally.log_lines, tally.streams, tally.polls, *everything):
        assert happened, f"seed {seed}: {tally}"


@pytest.mark.usefixtures("untraced")
async def test_nor_of_campaigns_made_up_at_random(seed: int) -> None:
    async with asyncio.timeout(LONGEST):
        outcome = await fly_random(CAMPAIGNS, seed)
    assert not outcome.findings, f"seed {seed}:\n{told(outcome)}"
    print(outcome.tally)
    assert outcome.tally.campaigns == CAMPAIGNS
    tally = outcome.tally
    assert tally.reconnects > CAMPAIGNS
    assert min(tally.streams, tally.polls, tally.signals, tally.presences) > CAMPAIGNS
    assert min(tally.suggestions, tally.narrations) > CAMPAIGNS / 5


# Each of these makes a server that is wrong in one way, and says what that must be found by.

Patch = pytest.MonkeyPatch


def with_rules(patch: Patch, change: Callable[[Rules], Rules]) -> None:
    """Let rules mean something else than they say."""
    compile_rules = Projector.__init__

    def compiled(self: Projector, rules: Rules | None) -> None:
        compile_rules(self, rules)
        asked, by_default = self.rules, self.by_default
        compile_rules(self, change(asked))
        self.rules, self.by_default = asked, by_default

    patch.setattr(Projector, "__init__", compiled)


def no_rule_asks_for_members(patch: Patch) -> None:
    with_rules(
        patch,
        lambda rules: Rules(
            default=rules.default, rules=tuple(rule for rule in rules.rules if rule.when is None)
        ),
    )


def the_last_rule_is_forgotten(patch: Patch) -> None:
    with_rules(patch, lambda rules: Rules(default=rules.default, rules=rules.rules[:-1]))


def mira_is_taken_for_the_dm(patch: Patch) -> None:
    with_rules(
        patch,
        lambda rules: Rules(
            default=rules.default,
            rules=tuple(Rule(r.path, (*r.to, "player:mira"), r.when) for r in rules.rules),
        ),
    )


def one_rule_too_many_hides_what_is_there_for_all(patch: Patch) -> None:
    hidden = Rule("/characters", ("dm",))
    with_rules(patch, lambda rules: Rules(default=rules.default, rules=(*rules.rules, hidden)))


def new_rules_are_passed_over(patch: Patch) -> None:
    patch.setattr(Feed, "_projector_for", lambda self, rules: self._projector)


def all_players_share_one_view(patch: Patch) -> None:
    patch.setattr(Projector, "distinct_players", lambda self, document: frozenset())


def everybody_is_told_of_every_event(patch: Patch) -> None:
    headers = Feed._headers
    patch.setattr(
        Feed, "_headers", lambda self, viewer, base, room=None: headers(self, DM, base, room)
    )


def every_position_is_believed(patch: Patch) -> None:
    patch.setattr(Feed, "proves", lambda self, position, entry, viewer: True)


def players_may_read_the_log(patch: Patch) -> None:
    table = {**authority.MAY, authority.Act.HISTORY: frozenset({"dm", "player", "spectator"})}
    patch.setattr(authority, "MAY", MappingProxyType(table))


def suggestions_are_told_to_everybody(patch: Patch) -> None:
    patch.setattr("server.suggested.concerns", lambda suggestion, connection: True)


def suggestions_are_told_to_every_player(patch: Patch) -> None:
    def to_players(suggestion: Suggestion, connection: Connection) -> bool:
        return connection.session.viewer.role in ("dm", "player")

    patch.setattr("server.suggested.concerns", to_players)


def an_author_is_told_of_everybodys_events(patch: Patch) -> None:
    patch.setattr("questlog.sync.feed.is_own", lambda header, viewer: header is not None)


def every_narration_is_heard_by_everybody(patch: Patch) -> None:
    patch.setattr(Company, "_shows", lambda self, viewer, identifier: True)


def everybody_is_known_to_everybody(patch: Patch) -> None:
    patch.setattr(Discretion, "knows", lambda self, viewer, member: True)


def signals_are_for_everybody(patch: Patch) -> None:
    patch.setattr("server.company.is_addressed", lambda viewer, names: True)


def everybody_is_told_who_has_the_lease(patch: Patch) -> None:
    patch.setattr("server.company._is_dm", lambda connection: True)


def polls_are_answered_as_the_dm(patch: Patch) -> None:
    gather = Poll.gather

    async def gathered(self: Poll, *arguments: Any) -> tuple[list[bytes], str | None]:
        messages, position = await gather(self, *arguments)
        feed = self.connection.session.feed
        if feed is not None:
            messages.append(feed.snapshot(DM, "lagged").payload)
        return messages, position

    patch.setattr(Poll, "gather", gathered)


def calls_are_answered_as_the_dm(patch: Patch) -> None:
    answer = Polls.answer

    async def answered(self: Polls, caller: Any, campaign_id: str, frame: bytes) -> list[bytes]:
        messages = await answer(self, caller, campaign_id, frame)
        seat = await self._registry.find(campaign_id)
        return [*messages, seat.live.feed.snapshot(DM, "resync").payload]

    patch.setattr(Polls, "answer", answered)


def a_position_at_the_head_is_believed_in_a_poll(patch: Patch) -> None:
    go_live = Session._go_live

    def gone_live(self: Session, entry: Entry | None, since: Position | None) -> list[Effect]:
        effects = go_live(self, entry, since)
        at_the_head = self.feed is not None and entry is self.feed.head
        return [] if self._terse and at_the_head else effects

    patch.setattr(Session, "_go_live", gone_live)


def the_log_quotes_what_was_refused(patch: Patch) -> None:
    def refused(self: Any, rejection: Any, **_: Any) -> None:
        self._log.info("refused", why=rejection.message)

    patch.setattr(Audit, "refused", refused)


@pytest.mark.parametrize(
    ("sabotage", "codes", "channel"),
    [
        (no_rule_asks_for_members, ["leaked", "wrong_view"], ""),
        (the_last_rule_is_forgotten, ["leaked", "wrong_view"], ""),
        (mira_is_taken_for_the_dm, ["leaked"], "campaign_active"),
        (one_rule_too_many_hides_what_is_there_for_all, ["wrong_view"], "socket"),
        (new_rules_are_passed_over, ["leaked", "wrong_view"], ""),
        (all_players_share_one_view, ["leaked", "wrong_view"], ""),
        (everybody_is_told_of_every_event, ["leaked"], "campaign_updated"),
        (every_position_is_believed, ["believed"], ""),
        (players_may_read_the_log, ["answered"], "GET"),
        (suggestions_are_told_to_everybody, ["leaked"], "suggestion"),
        (suggestions_are_told_to_every_player, ["leaked"], "suggestion"),
        (an_author_is_told_of_everybodys_events, ["leaked"], "campaign_updated"),
        (every_narration_is_heard_by_everybody, ["leaked"], "narration"),
        (everybody_is_known_to_everybody, ["leaked"], "p"),
        (signals_are_for_everybody, ["leaked"], "signal"),
        (everybody_is_told_who_has_the_lease, ["leaked"], "lease"),
        (polls_are_answered_as_the_dm, ["leaked"], "campaign_active by poll"),
        (calls_are_answered_as_the_dm, ["leaked"], "campaign_active by call"),
        (a_position_at_the_head_is_believed_in_a_poll, ["believed"], "GET updates"),
    ],
)
async def test_a_server_that_is_wrong_in_one_way_is_found_out(
    sabotage: Callable[[Patch], None],
    codes: list[str],
    channel: str,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sabotage(monkeypatch)
    outcome = await fly_recording(recording_path(), seed)
    found = {finding.code for finding in outcome.findings if finding.channel.startswith(channel)}
    assert found.intersection(codes), f"seed {seed}:\n{told(outcome)}"


async def test_a_log_that_quotes_a_secret_is_found_out(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    the_log_quotes_what_was_refused(monkeypatch)
    outcome = await fly_recording(recording_path(), seed, most=1, own=1)
    assert {finding.code for finding in outcome.findings} == {"logged"}, f"seed {seed}"


async def test_what_is_wrong_with_one_campaign_of_many_is_found_too(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mira_is_taken_for_the_dm(monkeypatch)
    outcome = await fly_random(50, seed)
    found = [finding for finding in outcome.findings if finding.code == "leaked"]
    assert found, f"seed {seed}:\n{told(outcome)}"
    for finding in found:
        assert "mira" in finding.viewer + finding.channel, f"seed {seed}: {finding}"
        assert finding.canary, f"seed {seed}: {finding}"


async def run_command(*arguments: str) -> tuple[int, list[str], str]:
    """Return the exit status, the lines and the errors of `questlog canary`."""
    process = await command("canary", *arguments)
    output, errors = await asyncio.wait_for(process.communicate(), LONGEST)
    return process.returncode or 0, output.decode().splitlines(), errors.decode()


async def test_the_command_says_how_much_it_looked_at() -> None:
    status, lines, errors = await run_command("--random", "4", "--json")
    assert status == 0, errors
    seed, summary = map(json.loads, lines)
    assert summary["findings"] == 0
    assert summary["versions"] > 4
    again = await run_command("--random", "4", "--seed", str(seed["seed"]), "--json")
    assert json.loads(again[1][-1])["canaries"] == summary["canaries"], f"seed {seed}"


async def test_the_command_plays_small_campaigns_for_a_person(seed: int) -> None:
    status, lines, errors = await run_command("--random", "3", "--seed", str(seed))
    assert status == 0, f"{lines} {errors}"
    assert lines[0] == f"seed {seed}"
    assert lines[1].startswith("Nothing leaked: campaigns 3, ")


async def test_rules_of_ones_own_are_in_force_all_the_time(tmp_path: Path, seed: int) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(
        '{"default": "hidden", "rules": [{"path": "/characters/*", "to": ["players"],'
        ' "when": {"role": "ferryman\'s son"}}, {"path": "/turn", "to": ["all"]}]}'
    )
    arguments = ("--rules", str(rules), "--steps", "5", "--seed", str(seed))
    status, lines, errors = await run_command(*arguments)
    assert status == 0, f"{lines} {errors}"


@pytest.mark.parametrize("text", ["", "{}", '{"rules": [{"path": "dm", "to": ["dm"]}]}'])
def test_what_holds_no_rules_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.json"
    path.write_text(text)
    with pytest.raises(click.UsageError, match="no visibility rules"):
        read_rules(path)


async def test_campaigns_made_up_at_random_take_no_file() -> None:
    status, _, errors = await run_command(str(recording_path()), "--random", "1")
    assert (status, "--random" in errors) == (2, True)


async def test_rules_that_ask_for_a_text_still_apply_where_canaries_are(seed: int) -> None:
    """A text that rules ask for is left alone: with a canary behind it, it would be another."""
    when = {"role": "ferryman's son"}
    rules = Rules(default="visible", rules=(Rule("/characters/*", ("player:mira",), when),))
    outcome = await fly_recording(recording_path(), seed, most=2, own=4, rules=rules)
    assert not outcome.findings, f"seed {seed}:\n{told(outcome)}"


def test_canaries_are_all_different_and_good_as_ids() -> None:
    aviary = Aviary(random.Random(1))
    texts = [aviary.hatch("value", f"/{number}", "c") for number in range(1000)]
    assert len(set(texts)) == len(aviary) == 1000
    assert aviary.find(7) is not None
    assert aviary.find(1000) is None
    assert aviary.strangers({1, 2}, "c") == set()
    assert aviary.strangers({1, 1000}, "d") == {1, 1000}
    assert Viewer("player", texts[0]).member == texts[0]
