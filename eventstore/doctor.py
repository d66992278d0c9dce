"""The doctor: what is wrong with a store, what is lost by it, and what can be made whole again.

What is derived can be repaired: snapshots, what stands beside a log, triggers and indexes. Events
are never touched: what is wrong with one is for a backup.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct

from eventstore.errors import StoreError
from eventstore.port import Auditor, EventReader, Finding, Summary
from eventstore.proof.derived import Derived
from eventstore.proof.verifier import verify
from eventstore.sqlite.audit import restorable
from questlog.campaign.errors import Rejection
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.upcast import UnknownSchemaError
from questlog.campaign.visibility import check_rules

BEYOND = 1 << 62
# What stands beside a log, and is derived from all of it.
BESIDE = frozenset({"head_mismatch", "seat_mismatch", "extra_tail"})
NOTHING = "nothing: it can be made again from the log"
# For each code, what is lost by it, and whether it can be repaired where the log itself is whole.
LOSSES: Mapping[str, tuple[str, bool]] = MappingProxyType(
    {
        "snapshot_mismatch": (NOTHING, True),
        "head_mismatch": (NOTHING, True),
        "seat_mismatch": (NOTHING, True),
        "extra_tail": (NOTHING, True),
        "orphan": ("nothing of what is in the log", True),
        "schema_changed": ("what it guards against may have happened unnoticed", True),
        "hash_mismatch": ("what this event said, or that nobody changed it", False),
        "swapped": ("nothing: the events are there, and hold in each other's place", False),
        "gap": ("these events; what came after them cannot be read without a snapshot", False),
        "missing_tail": ("these events", False),
        "patch_failed": ("every version from here to the next snapshot", False),
        "time_reversed": ("when it happened; what happened is there", False),
        "unreadable": ("what was stored here", False),
        "bad_rules": ("what these rules were to hide: all of it is hidden from nobody", False),
    }
)
# Of a log that has none of these, all that is derived can be derived.
WHOLE = frozenset({"hash_mismatch", "swapped", "gap", "missing_tail", "patch_failed", "unreadable"})


class Diagnosis(Struct, frozen=True):
    """Something that is wrong.

    Attributes:
        campaign_id, code, version, detail: as of a Finding.
        lost: what is lost by it, in words.
        repairable: whether it can be made whole from what is there.
        obstacle: why it cannot, where that is not the damage itself.
    """

    campaign_id: str
    code: str
    version: int | None
    detail: str
    lost: str
    repairable: bool
    obstacle: str | None = None


class Patient(Auditor, EventReader, Protocol):
    """A store that can be read both ways."""


async def diagnose(store: Patient) -> AsyncIterator[Diagnosis]:
    """Yield everything that is wrong with a store, the verifier's findings first."""
    findings = [finding async for finding in verify(store)]
    broken = {each.campaign_id for each in findings if each.code in WHOLE}
    obstacles = await _obstacles(store, findings, broken)
    for finding in findings:
        yield _judged(finding, obstacles)
    for summary in await store.campaigns():
        if summary.campaign_id not in broken:
            wrong = await _rules_of(store, summary.campaign_id)
            if wrong is not None:
                yield _judged(wrong, obstacles)


async def _obstacles(
    store: Patient, findings: Sequence[Finding], broken: set[str]
) -> dict[tuple[str, str], str]:
    """Return why what is derived cannot be, by campaign and code: nothing else is promised."""
    concerned: dict[str, set[str]] = {}
    for finding in findings:
        # A snapshot that belongs to nothing is thrown away, and nothing is derived for it.
        orphaned = finding.code == "orphan" and await store.summary(finding.campaign_id) is None
        if finding.code in BESIDE or orphaned:
            concerned.setdefault(finding.campaign_id, set()).add(finding.code)
    why, tables = {}, {}
    for name in concerned:
        if name in broken:
            why[name] = "the log itself is damaged"
            continue
        try:
            tables[name] = await _table_of(store, name)
        except (StoreError, DamagedLogError) as error:
            why[name] = f"{error}".rstrip(".")
    seats = {each.table: each.campaign_id for each in await _seated(store, set(tables))}
    for name, table in tables.items():
        if table is not None and seats.setdefault(table, name) != name:
            why[name] = f"{seats[table]!r} is at {table!r} too: deactivate one of them"
    return {(name, code): text for name, text in why.items() for code in concerned[name]}


async def _table_of(store: Patient, campaign_id: str) -> str | None:
    """Return where a campaign is active, following its log from the beginning.

    Raises:
        StoreError, DamagedLogError: it cannot be followed to its end.
    """
    derived = Derived(campaign_id)
    while rows := await store.stored(campaign_id, derived.state.version, BEYOND):
        derived.take(rows)
    return derived.state.table


async def _seated(store: Patient, without: set[str]) -> list[Summary]:
    found = await store.campaigns()
    return [each for each in found if each.table and each.campaign_id not in without]


def _judged(finding: Finding, obstacles: Mapping[tuple[str, str], str]) -> Diagnosis:
    lost, repairable = LOSSES[finding.code]
    obstacle = obstacles.get((finding.campaign_id, finding.code))
    if finding.code == "schema_changed" and not restorable(finding):
        obstacle = "only triggers and indexes are made anew"
    return Diagnosis(
        finding.campaign_id,
        finding.code,
        finding.version,
        finding.detail,
        lost,
        repairable and obstacle is None,
        obstacle,
    )


async def _rules_of(store: Patient, campaign_id: str) -> Finding | None:
    """Return what is wrong with the rules in force in a campaign, if anything is."""
    try:
        loaded = await store.load(campaign_id)
        if loaded is not None and loaded.state.rules is not None:
            check_rules(loaded.state.rules)
    except Rejection as error:
        return Finding(campaign_id, "bad_rules", None, error.message)
    except (StoreError, DamagedLogError, UnknownSchemaError):
        # The verifier has said so.
        return None
    return None
