"""Ids and kinds, positions, and taking old events up."""

from __future__ import annotations

import pytest

from questlog.campaign.errors import Invalid
from questlog.campaign.events import CampaignActivated, decode_fact
from questlog.campaign.ids import check_event_id, check_kind, check_name, uuid7
from questlog.campaign.position import Position, parse_position, proves, seal
from questlog.campaign.upcast import SCHEMA, Record, UnknownSchemaError, changes, upcast
from questlog.campaign.upcast import STEPS as STEPS_OF_OURS

SECRET = bytes(range(32))
HASH = "a" * 64


@pytest.mark.parametrize("name", ["a", "ashfall-2", "Größe", "龍", "a.b:c@d", "x" * 128, "..."])
def test_a_name_may_be_any_word(name: str) -> None:
    assert check_name(name, "campaign id") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 129,
        ".",
        "..",
        "a b",
        "a/b",
        "a\\b",
        "a?b",
        "a#b",
        "a%b",
        "a\nb",
        "\ud800",
        "\u202e",
    ],
)
def test_a_name_that_a_url_or_a_terminal_would_misread_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="campaign id"):
        check_name(name, "campaign id")


@pytest.mark.parametrize("identifier", ["a", "step 1/2", "x" * 64, "é"])
def test_a_commits_id_may_be_any_printable_text(identifier: str) -> None:
    assert check_event_id(identifier) == identifier


@pytest.mark.parametrize("identifier", ["", "x" * 65, "a\tb", "\x7f"])
def test_a_commits_id_that_cannot_be_printed_is_refused(identifier: str) -> None:
    with pytest.raises(Invalid):
        check_event_id(identifier)


@pytest.mark.parametrize("kind", ["hit", "state.updated", "a1.b-c_d.2x", "campaigns.x", "x" * 64])
def test_a_kind_is_words_with_dots_between(kind: str) -> None:
    assert check_kind(kind) == kind


@pytest.mark.parametrize(
    "kind", ["", "Hit", "1hit", ".hit", "hit.", "a..b", "a b", "hit\n", "é", "x" * 65]
)
def test_another_kind_is_refused(kind: str) -> None:
    with pytest.raises(Invalid, match="lower-case"):
        check_kind(kind)


@pytest.mark.parametrize("prefix", ["campaign", "visibility", "suggestion", "lease", "narration"])
def test_the_servers_own_kinds_are_refused(prefix: str) -> None:
    for kind in (prefix, f"{prefix}.created"):
        with pytest.raises(Invalid, match="server's own"):
            check_kind(kind)


def test_a_uuid_is_the_one_of_the_rfc() -> None:
    randomness = bytes.fromhex("0cc318c4dc0c0c07398f")
    assert uuid7(0x017F22E279B0, randomness) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_uuids_of_later_times_sort_later() -> None:
    assert uuid7(1_000, b"\xff" * 10) < uuid7(1_001, b"\x00" * 10)


def test_a_position_is_written_and_read_back() -> None:
    sealed = seal(SECRET, 120, HASH, "player:mira")
    text = str(sealed)
    assert text.startswith("120.")
    assert len(text) == len("120.9f3ab2c4d5e6f708")
    assert parse_position(text) == sealed
    assert parse_position("120") == Position(120)
    assert str(Position(120)) == "120"


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "-1", "1.", "1.9f3a", "1.9f3ab2c4d5e6f70g", "1.9F3AB2C4D5E6F708", " 1", "1 "),
        *("٣", "1" * 19, "1.9f3ab2c4d5e6f7080", ".9f3ab2c4d5e6f708", "1.9f3ab2c4d5e6f708."),
    ],
)
def test_other_text_is_no_position(text: str) -> None:
    assert parse_position(text) is None


def test_a_position_proves_its_own_event_and_view_only() -> None:
    sealed = seal(SECRET, 120, HASH, "player:mira")
    assert proves(SECRET, sealed, HASH, "player:mira")
    assert not proves(SECRET, sealed, "b" * 64, "player:mira")
    assert not proves(SECRET, sealed, HASH, "player:tom")
    assert not proves(SECRET, sealed, HASH, "dm")
    assert not proves(bytes(32), sealed, HASH, "player:mira")


def test_a_forged_position_and_a_bare_version_prove_nothing() -> None:
    sealed = seal(SECRET, 120, HASH, "dm")
    assert sealed.proof is not None
    last = "0" if sealed.proof[-1] != "0" else "1"
    assert not proves(SECRET, Position(120, sealed.proof[:-1] + last), HASH, "dm")
    assert not proves(SECRET, Position(120), HASH, "dm")


def test_a_position_does_not_tell_the_hash() -> None:
    assert str(seal(SECRET, 1, HASH, "dm").proof) not in HASH


def add_b(record: Record) -> Record:
    """Take schema 1 to 2."""
    return {**record, "data": {**record["data"], "b": 1}}


def rename_b(record: Record) -> Record:
    """Take schema 2 to 3."""
    data = dict(record["data"])
    data["c"] = data.pop("b")
    return {**record, "kind": "renamed", "data": data}


STEPS = {1: {"made.up": add_b}, 2: {"made.up": rename_b, "left.alone": add_b}}


def test_an_old_event_is_taken_up_one_schema_at_a_time() -> None:
    old: Record = {"schema": 1, "kind": "made.up", "data": {"a": 0}}
    assert upcast(old, to=2, steps=STEPS) == {
        "schema": 2,
        "kind": "made.up",
        "data": {"a": 0, "b": 1},
    }
    taken = {"schema": 3, "kind": "renamed", "data": {"a": 0, "c": 1}}
    assert upcast(old, to=3, steps=STEPS) == taken
    assert upcast({**old, "schema": 2, "data": {"b": 1}}, to=3, steps=STEPS)["data"] == {"c": 1}
    assert upcast(taken, to=3, steps=STEPS) is taken
    assert old == {"schema": 1, "kind": "made.up", "data": {"a": 0}}
    other: Record = {"schema": 1, "kind": "other", "data": {}}
    assert upcast(other, to=3, steps=STEPS) == {**other, "schema": 3}


def test_an_event_that_nothing_takes_up_is_refused() -> None:
    with pytest.raises(UnknownSchemaError, match="newer"):
        upcast({"schema": 4, "kind": "a"}, to=3, steps=STEPS)
    with pytest.raises(UnknownSchemaError, match="schema 0"):
        upcast({"schema": 0, "kind": "a"}, to=3, steps=STEPS)
    with pytest.raises(UnknownSchemaError):
        upcast({"schema": SCHEMA + 1, "kind": "a"})


def test_a_step_leads_up_from_every_schema_but_the_present_one() -> None:
    assert set(STEPS_OF_OURS) == set(range(1, SCHEMA))


def test_only_records_that_change_are_taken_up() -> None:
    assert changes(1, "campaign.activated")
    assert not changes(1, "state.updated")
    assert not changes(SCHEMA, "campaign.activated")
    assert changes(0, "state.updated"), "an unknown schema is refused where it is taken up"
    assert changes(SCHEMA + 1, "state.updated")


def test_an_activation_of_schema_1_is_one_without_a_title() -> None:
    data = upcast({"schema": 1, "kind": "campaign.activated", "data": '{"table":"Łódź"}'})["data"]
    assert decode_fact("campaign.activated", data) == CampaignActivated("Łódź", None)
