"""Schema evolution: an event written by an older release is taken up one schema at a time on read.

Stored events are never rewritten. When the shape of a payload changes, the schema number goes up
by one and a function joins `upcasters()` that turns the older record into the newer one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SCHEMA = 1

Record = dict[str, Any]
Upcaster = Callable[[Record], Record]


class UnknownSchemaError(Exception):
    """The event was written by a newer release than this one."""

    code = "unknown_schema"


def upcasters() -> Mapping[int, Upcaster]:
    """Return the function that takes a record of schema n to n+1, by n. Schema 1 is the first."""
    return {}


def upcast(
    record: Record,
    *,
    to: int = SCHEMA,
    steps: Mapping[int, Upcaster] | None = None,
) -> Record:
    """Return `record` (an event's members by name, `schema` among them) at schema `to`.

    Raises:
        UnknownSchemaError: the record's schema is above `to`, or no step leads up from it.
    """
    steps = upcasters() if steps is None else steps
    if record["schema"] > to:
        raise UnknownSchemaError(f"schema {record['schema']} is newer than {to}")
    while record["schema"] < to:
        step = steps.get(record["schema"])
        if step is None:
            raise UnknownSchemaError(f"nothing takes schema {record['schema']} up")
        record = {**step(record), "schema": record["schema"] + 1}
    return record
