"""The doctor: what is wrong with a store, what is lost by it, and what can be made whole again.

What is derived can be repaired: snapshots, what stands beside a log, triggers and indexes. Events
are never touched: what is wrong with one is for a backup.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct

from eventstore.errors import StoreError
from eventstore.port import Auditor, EventReader, Finding
from eventstore.proof.verifier import verify
from questlog.campaign.errors import Rejection
from questlog.campaign.evolve import DamagedLogError
from questlog.campaign.upcast import UnknownSchemaError
from questlog.campaign.visibility import check_rules

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
    """

    campaign_id: str
    code: str
    version: int | None
    detail: str
    lost: str
    repairable: bool


class Patient(Auditor, EventReader, Protocol):
    """A store that can be read both ways."""


async def diagnose(store: Patient) -> AsyncIterator[Diagnosis]:
    """Yield everything that is wrong with a store, the verifier's findings first."""
    findings = [finding async for finding in verify(store)]
    broken = {each.campaign_id for each in findings if each.code in WHOLE}
    for finding in findings:
        yield _judged(finding, broken)
    for summary in await store.campaigns():
        if summary.campaign_id not in broken:
            wrong = await _rules_of(store, summary.campaign_id)
            if wrong is not None:
                yield _judged(wrong, broken)


def _judged(finding: Finding, broken: set[str]) -> Diagnosis:
    lost, repairable = LOSSES[finding.code]
    whole = finding.campaign_id not in broken or finding.code in ("snapshot_mismatch", "orphan")
    return Diagnosis(
        finding.campaign_id,
        finding.code,
        finding.version,
        finding.detail,
        lost,
        repairable and whole,
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
