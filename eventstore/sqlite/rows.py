"""Rows and values: how events, states and summaries stand in SQLite's tables."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from functools import cache
from typing import Any

import msgspec
from msgspec import Raw

from eventstore.chain import FIELDS, KIND, SCHEMA, link
from eventstore.policy import weight
from eventstore.port import Duplicate, Head, Loaded, Reused, Summary
from questlog.campaign.events import Actor, Event, NewEvent, decode_fact
from questlog.campaign.evolve import DamagedLogError, Step, fold
from questlog.campaign.state import CampaignState
from questlog.campaign.upcast import changes, upcast

COLUMNS = ", ".join((*FIELDS, "hash"))
INSERT = f"INSERT INTO event ({COLUMNS}) VALUES ({', '.join('?' * (len(FIELDS) + 1))})"
# What `step_of` takes, in its order.
STEP = "version, at, kind, data, patch, schema"
PIECE = 512
SUMMARY = "campaign_id, title, head_version, head_hash, active_table, created_at, last_at"


def row_of(campaign_id: str, event: NewEvent, previous_hash: str) -> tuple[str | int, ...]:
    """Return the row of an event about to be appended; its last column is its hash."""
    fields = (
        campaign_id,
        event.based_on + 1,
        event.id,
        event.kind,
        event.actor.member,
        event.actor.role,
        event.at,
        event.patch,
        event.data,
        event.meta,
        event.request,
        event.schema,
    )
    return (*fields, link(previous_hash, fields))


def event_of(row: tuple[Any, ...]) -> Event:
    """Return the event a row of COLUMNS holds, taken up to the present schema.

    One so damaged that it cannot be taken up is told as it is stored, as damaged ones of the
    present schema are: whoever decodes what is in it finds out.

    Raises:
        UnknownSchemaError: a newer release wrote it.
    """
    kind, schema = row[KIND], row[SCHEMA]
    if changes(schema, kind):
        stored = dict(zip((*FIELDS, "hash"), row, strict=True))
        with suppress(msgspec.MsgspecError):
            # What the row says of its schema stays, and so does its hash.
            row = tuple({**upcast(stored), "schema": schema}.values())
    return event_as_stored(row)


def event_as_stored(row: tuple[Any, ...]) -> Event:
    """Return the event a row of COLUMNS holds, in the schema it is stored in."""
    campaign_id, version, identifier, kind, member, role, at, patch, data, meta, *rest = row
    request, schema, digest = rest
    return Event(
        campaign_id=campaign_id,
        version=version,
        id=identifier,
        kind=kind,
        actor=Actor(member, role),
        at=at,
        patch=Raw(patch.encode()),
        data=Raw(data.encode()),
        meta=Raw(meta.encode()),
        request=request,
        schema=schema,
        hash=digest,
    )


def earlier(
    connection: sqlite3.Connection, campaign_id: str, event: NewEvent
) -> Duplicate | Reused | None:
    """Return what the log says of an event's id: used before, by its actor, or not (None)."""
    row = connection.execute(
        "SELECT version, hash, request FROM event"
        " WHERE campaign_id = ? AND member = ? AND role = ? AND id = ?",
        (campaign_id, event.actor.member, event.actor.role, event.id),
    ).fetchone()
    if row is None:
        return None
    return Duplicate(row[0], row[1]) if row[2] == event.request else Reused(row[0])


def read_events(
    connection: sqlite3.Connection,
    campaign_id: str,
    after: int,
    until: int | None,
    limit: int | None,
    kind: str | None,
) -> list[Event]:
    """Return events in order; see `EventReader.read`."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM event WHERE campaign_id = ? AND version > ? AND version <= ?"
        " AND (? IS NULL OR kind = ?) ORDER BY version LIMIT ?",
        (
            campaign_id,
            after,
            (1 << 62) if until is None else until,
            kind,
            kind,
            -1 if limit is None else limit,
        ),
    )
    return [event_of(row) for row in rows]


def head_of(connection: sqlite3.Connection, campaign_id: str) -> Head | None:
    """Return the head kept beside a campaign's log, None where there is no such campaign."""
    row = connection.execute(
        "SELECT head_version, head_hash FROM campaign WHERE campaign_id = ?", (campaign_id,)
    ).fetchone()
    return None if row is None else Head(*row)


def load_state(connection: sqlite3.Connection, campaign_id: str, at: int | None) -> Loaded | None:
    """Return a campaign at its head or at `at`: the nearest snapshot below and what came after.

    Raises:
        DamagedLogError: the log does not lead to that version.
        UnknownSchemaError: a newer release wrote some of it.
    """
    head = head_of(connection, campaign_id)
    if head is None or (at is not None and not 1 <= at <= head.version):
        return None
    version = head.version if at is None else at
    state = nearest_snapshot(connection, campaign_id, version)
    rows = connection.execute(
        "SELECT version, at, kind, data, patch, schema, hash FROM event"
        " WHERE campaign_id = ? AND version >= ? AND version <= ? ORDER BY version",
        (campaign_id, max(state.version, 1), version),
    ).fetchall()
    if not rows or rows[-1][0] != version:
        raise DamagedLogError(f"version {version} of {campaign_id!r} is missing from the log")
    tail = rows[1:] if rows[0][0] == state.version else rows
    steps = steps_of(campaign_id, tail)
    tail_weight = sum(weight(row[0], len(row[4])) for row in tail)
    return Loaded(fold(state, steps), rows[-1][6], tail_weight)


def steps_of(campaign_id: str, rows: list[tuple[Any, ...]]) -> list[Step]:
    """Return what rows that begin with the columns of `step_of` do to a campaign.

    Raises:
        DamagedLogError: one of them is not what an event can be; names its version.
    """
    steps = []
    for row in rows:
        try:
            steps.append(step_of(*row[:6]))
        except msgspec.MsgspecError as error:
            sentence = f"version {row[0]} of {campaign_id!r} is not what an event can be: {error}"
            raise DamagedLogError(sentence) from error
    return steps


def nearest_snapshot(
    connection: sqlite3.Connection, campaign_id: str, version: int
) -> CampaignState:
    """Return the newest usable snapshot at or below `version`, else the empty campaign.

    One whose hash is not that of its event belongs to another history and is passed over.
    """
    rows = connection.execute(
        "SELECT s.state FROM snapshot s JOIN event e USING (campaign_id, version)"
        " WHERE s.campaign_id = ? AND s.version <= ? AND s.hash = e.hash"
        " ORDER BY s.version DESC",
        (campaign_id, version),
    )
    for (text,) in rows:
        try:
            return msgspec.json.decode(text, type=CampaignState)
        except msgspec.DecodeError:
            continue
    return CampaignState(campaign_id=campaign_id)


def step_of(version: int, at: str, kind: str, data: str, patch: str, schema: int) -> Step:
    """Return what these columns of an event do to a campaign, taken up to the present schema.

    Raises:
        msgspec.MsgspecError: what is stored is not JSON, or not of its kind's shape.
        UnknownSchemaError: a newer release wrote it.
    """
    if changes(schema, kind):
        raised = upcast({"schema": schema, "kind": kind, "patch": patch, "data": data})
        kind, patch, data = raised["kind"], raised["patch"], raised["data"]
    return Step(version, at, _patches().decode(patch), decode_fact(kind, data))


@cache
def _patches() -> msgspec.json.Decoder[list[dict[str, Any]]]:
    # Making it takes longer than most patches take to decode.
    return msgspec.json.Decoder(list[dict[str, Any]])


def fold_rows(state: CampaignState, rows: sqlite3.Cursor) -> CampaignState:
    """Return what rows of STEP make of a campaign, with a piece of them in memory at a time.

    Raises:
        DamagedLogError, msgspec.MsgspecError, UnknownSchemaError: one of them cannot follow.
    """
    with closing(rows):
        while piece := rows.fetchmany(PIECE):
            state = fold(state, [step_of(*row) for row in piece])
    return state


def summaries(connection: sqlite3.Connection, campaign_id: str | None = None) -> list[Summary]:
    """Return the summary of every campaign, or of the one named."""
    rows = connection.execute(
        f"SELECT {SUMMARY} FROM campaign WHERE ? IS NULL OR campaign_id = ? ORDER BY campaign_id",
        (campaign_id, campaign_id),
    )
    return [Summary(*row) for row in rows]
