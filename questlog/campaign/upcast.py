"""Schema evolution: an event written by an older release is taken up one schema at a time on read.

Stored events are never rewritten. When the shape of a payload changes, the schema number goes up
by one and STEPS gets an entry: the kinds whose records change, each with the function that turns
the older record into the newer one. `docs/log-format.md` shows how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from questlog.campaign.errors import DamagedLogError

SCHEMA = 2

Record = dict[str, Any]
Upcaster = Callable[[Record], Record]
Steps = Mapping[int, Mapping[str, Upcaster]]


class UnknownSchemaError(DamagedLogError):
    """The event was written by a newer release than this one, which cannot go on from there."""

    code = "unknown_schema"


def _untitled(record: Record) -> Record:
    """From schema 2 on an activation says what its session is called; before, none was called."""
    data = msgspec.json.decode(record["data"], type=dict[str, Any])
    return {**record, "data": msgspec.json.encode({**data, "title": None}).decode()}


# For each schema, the kinds that the next one changes, and how. Never changed, only added to.
STEPS: Steps = MappingProxyType({1: MappingProxyType({"campaign.activated": _untitled})})
# For each of them, the kinds whose records are other ones now.
_CHANGED = MappingProxyType(
    {each: frozenset().union(*(STEPS[step] for step in range(each, SCHEMA))) for each in STEPS}
)


def changes(schema: int, kind: str) -> bool:
    """Return whether a record of this schema and kind is another one now, or unknown.

    Nearly none is: so an old log is read as fast as a new one.
    """
    if schema == SCHEMA:
        return False
    kinds = _CHANGED.get(schema)
    return kinds is None or kind in kinds


def upcast(record: Record, *, to: int = SCHEMA, steps: Steps = STEPS) -> Record:
    """Return `record` at schema `to`.

    A record is an event's members by name: `schema` and `kind`, and whichever of `patch`, `data`
    and `meta` the caller has, as JSON text.

    Raises:
        UnknownSchemaError: the record's schema is above `to`, or no step leads up from it.
        msgspec.MsgspecError: it is damaged: not of the shape that its schema and kind have.
    """
    if record["schema"] > to:
        raise UnknownSchemaError(f"schema {record['schema']} is newer than {to}")
    while record["schema"] < to:
        step = steps.get(record["schema"])
        if step is None:
            raise UnknownSchemaError(f"nothing takes schema {record['schema']} up")
        change = step.get(record["kind"])
        taken = record if change is None else change(record)
        record = {**taken, "schema": record["schema"] + 1}
    return record
