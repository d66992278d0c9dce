"""`questlog sessions` and `questlog recap`: what was played, who was there, and who missed what."""

from __future__ import annotations

from typing import Any

import click

from eventstore.errors import StoreError
from eventstore.moments import version_at
from eventstore.port import Loaded, Summary
from eventstore.sqlite.store import SqliteReader
from questlog.campaign.errors import UnknownVersion
from questlog.campaign.events import EventHeader
from questlog.campaign.sessions import Counts, Session, counts_of, sessions_of
from questlog.campaign.visibility import Viewer
from questlog.document import diff
from questlog.sync.feed import Feed
from questlog.sync.hindsight import Hindsight, Trust
from questlog.sync.recap import Recount, changed, narratives
from server.access.attended import Attended, attended_beside
from server.crowd import is_known
from server.sessions import Recap, told_of
from tools.naming import Named, read_version, read_viewer
from tools.options import campaign_argument, complete_viewers, json_option, option, store_option
from tools.reading import answer, known, loaded_at, opened
from tools.render import QUIET, Output, changes

CHUNK = 100
MINUTE = 60


@click.command()
@campaign_argument
@option("--session", type=click.IntRange(min=1), metavar="N", help="This one only, in detail.")
@store_option
@json_option
def sessions(campaign: str, session: int | None, store: str, as_json: bool) -> None:
    """List the sessions of CAMPAIGN: when it was played, for how long, and who was there.

    Who was there is read from the access file beside the store, which a server writes half a minute
    behind.
    """
    answer(_sessions(campaign, session, store, as_json), as_json=as_json)


async def _sessions(campaign: str, number: int | None, store: str, as_json: bool) -> None:
    output = Output()
    rows = await _attended(store, campaign)
    async with opened(store) as reader:
        summary = await known(reader, campaign)
        found = await _found(reader, summary)
        if number is not None:
            if number > len(found):
                raise UnknownVersion(f"{campaign!r} has had {len(found)} sessions.")
            found = [found[number - 1]]
        table = []
        for session in found:
            until = summary.version if session.to_version is None else session.to_version
            counts = counts_of(
                await reader.tallies(campaign, after=session.from_version - 1, until=until)
            )
            present = [row for row in rows if row.session == session.from_version]
            if as_json:
                output.json(told_of(session, counts, present))
            elif number is not None:
                _detail(output, session, counts, present)
            else:
                table.append(_cells(session, counts, present))
    if not as_json and number is None:
        output.table(("session", "title", "began", "length", "events", "present"), table)


async def _found(reader: SqliteReader, summary: Summary) -> list[Session]:
    turns = await reader.turns(summary.campaign_id, until=summary.version)
    return sessions_of(turns, summary.last_at)


async def _attended(store: str, campaign: str) -> list[Attended]:
    """Return who was there; where the access file is not ours to read, nobody, and say so."""
    try:
        return await attended_beside(store, campaign)
    except (StoreError, OSError) as error:
        click.echo(f"Who was there cannot be read: {error}", err=True)
        return []


def _cells(session: Session, counts: Counts, present: list[Attended]) -> tuple[str, ...]:
    return (
        str(session.number),
        session.title or "",
        session.began_at,
        _length(session),
        str(counts.events),
        ", ".join(map(_name, present)),
    )


def _detail(output: Output, session: Session, counts: Counts, present: list[Attended]) -> None:
    last = "" if session.to_version is None else str(session.to_version)
    rows = {
        "session": str(session.number),
        "title": session.title or "",
        "table": session.table,
        "versions": f"{session.from_version} to {last}".rstrip(),
        "began": session.began_at,
        "ended": session.ended_at or "it is still on",
        "length": _length(session),
        "events": str(counts.events),
        "narrations": str(counts.narrations),
    }
    for name, text in rows.items():
        output.line((f"{name:11}", "bold"), text)
    output.line("")
    output.table(("kind", "events"), [(kind, str(n)) for kind, n in counts.kinds.items()])
    output.line("")
    output.table(
        ("actor", "role", "events"),
        [(each.member, each.role, str(each.events)) for each in counts.actors],
    )
    output.line("")
    output.table(
        ("present", "role", "from", "to", "version held"),
        [(_name(row), row.role, row.first_at, row.last_at, str(row.held)) for row in present],
    )


def _name(row: Attended) -> str:
    viewer = row.viewer
    if is_known(viewer):
        return row.member
    return f"{row.people} {viewer.role} without a name"


def _length(session: Session) -> str:
    """Return how long a session lasted, `+` where it goes on."""
    minutes, _ = divmod(int(session.seconds), MINUTE)
    text = f"{minutes // MINUTE}:{minutes % MINUTE:02d}"
    return text + "+" * (session.to_version is None)


@click.command()
@campaign_argument
@option(
    "--as",
    "viewer",
    required=True,
    callback=read_viewer,
    metavar="VIEWER",
    shell_complete=complete_viewers,
    help="Whose: player:ID, player, spectator or dm.",
)
@option(
    "--since",
    callback=read_version,
    envvar="QUESTLOG_RECAP_SINCE",
    metavar="WHEN",
    help="From this version or moment; none: the last version they are known to hold.",
)
@store_option
@json_option
def recap(campaign: str, viewer: Viewer, since: Named | None, store: str, as_json: bool) -> None:
    """Print what changed in CAMPAIGN for a player while they were gone, as they may see it.

    Of who was never there it begins with the last session. What the rules hide from them by now is
    not in it, even if it was open then.
    """
    answer(_recap(campaign, viewer, since, store, as_json), as_json=as_json)


async def _recap(
    campaign: str, viewer: Viewer, since: Named | None, store: str, as_json: bool
) -> None:
    output = Output()
    rows = [] if since is not None or not is_known(viewer) else await _attended(store, campaign)
    held = max((row.held for row in rows if row.viewer == viewer), default=0)
    async with opened(store) as reader:
        summary = await known(reader, campaign)
        start, trust = await _start(reader, summary, since, held)
        base = await loaded_at(reader, campaign, start)
        head = await loaded_at(reader, campaign, summary.version)
        told, before = await _told(reader, base, head, viewer, trust)
    if as_json:
        output.json(told)
        return
    output.line(
        (f"{campaign} ", "bold"),
        f"from version {told.from_version} to {told.to_version}, since {told.since_at}",
    )
    for event in told.events:
        who = f"{event.actor.member:12} "
        output.line(
            (f"{event.version:>6}", "bold yellow"), (f"  {event.at}  ", QUIET), who, event.kind
        )
    for part in changes(before, told.patch):
        output.line(part)
    if not told.patch:
        output.line("Nothing has changed.")


async def _start(
    reader: SqliteReader, summary: Summary, since: Named | None, held: int
) -> tuple[int, Trust]:
    """Return the version a recap begins at, and why its viewer may know of that."""
    if since is None:
        if 1 <= held <= summary.version:
            return held, "acknowledged"
        found = await _found(reader, summary)
        return found[-1].from_version - 1 if found else summary.version, "none"
    if isinstance(since, int):
        return since, "none"
    campaign = summary.campaign_id
    # What a campaign began with was there already: of a fork, all that was copied.
    begins = max(1, await reader.begins(campaign) - 1)
    return await version_at(reader, campaign, since) or begins, "none"


async def _told(
    reader: SqliteReader, loaded: Loaded, latest: Loaded, viewer: Viewer, trust: Trust
) -> tuple[Recap, dict[str, Any]]:
    """Return the recap from a version to the head, and the view it begins with."""
    feed = Feed(loaded.state, loaded.hash, reader.secret, lambda: "")
    base, head = feed.head, feed.entry(latest.state, latest.hash)
    hindsight = Hindsight(base, head, viewer, trust)
    recount = Recount(feed, hindsight)
    headers: list[EventHeader] = []
    for version in range(base.version, head.version, CHUNK):
        until = min(version + CHUNK, head.version)
        headers += recount.take(
            await reader.read(base.state.campaign_id, after=version, until=until)
        )
    before, after = hindsight.before, head.view(viewer)
    patch = diff(before, after)
    told = Recap(
        campaign_id=base.state.campaign_id,
        from_version=base.version,
        to_version=head.version,
        position=str(feed.seal(head, head.key(viewer))),
        since_at=base.state.last_at,
        patch=patch,
        events=headers,
        events_after=base.version,
        narratives=narratives(before, after),
        changed=changed(patch),
    )
    return told, before
