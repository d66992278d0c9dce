"""Schema evolution: an event written by an older release is taken up one schema at a time on read.

Stored events are never rewritten. When the shape of a payload changes, the schema number goes up
by one and STEPS gets an entry: the kinds whose records change, each with the function that turns
the older record into the newer one. `docs/log-format.md` shows how.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

SCHEMA = 2

Record = dict[str, Any]
Upcaster = Callable[[Record], Record]
Steps = Mapping[int, Mapping[str, Upcaster]]


class UnknownSchemaError(Exception):
    """The event was written by a newer release than this one."""

    code = "unknown_schema"


def _untitled(record: Record) -> Record:
    """From schema 2 on an activation says what its session is called; before, none was called."""
    return {**record, "data": json.dumps({**json.loads(record["data"]), "title": None})}


# For each schema, the kinds that the next one changes, and how. Never changed, only added to.
STEPS: Steps = MappingProxyType({1: MappingProxyType({"campaign.activated": _untitled})})


def changes(schema: int, kind: str) -> bool:
    """Return whether a record of this schema and kind is another one now, or unknown.

    Nearly none is: so an old log is read as fast as a new one.
    """
    if schema == SCHEMA:
        return False
    return schema not in STEPS or any(kind in STEPS[step] for step in range(schema, SCHEMA))


def upcast(record: Record, *, to: int = SCHEMA, steps: Steps = STEPS) -> Record:
    """Return `record` at schema `to`.

    A record is an event's members by name: `schema` and `kind`, and whichever of `patch`, `data`
    and `meta` the caller has, as JSON text.

    Raises:
        UnknownSchemaError: the record's schema is above `to`, or no step leads up from it.
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
