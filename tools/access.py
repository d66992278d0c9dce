"""`questlog token`, `keys`, `invite` and `invites`: who may come in, from the command line.

They write the access file beside the store, while a server runs or not; a server sees it within a
second.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import click

from questlog.campaign.errors import Invalid
from questlog.campaign.events import Role
from questlog.campaign.ids import check_name
from server.access import invites as links
from server.access.file import AccessFile
from server.access.records import ROLES, Invite, SigningKey, member_of
from server.access.tokens import mint, mint_for_metrics
from server.clock import rfc3339
from tools.options import (
    Duration,
    campaign_argument,
    complete_campaigns,
    complete_players,
    json_option,
    option,
    store_option,
    url_option,
)
from tools.reading import answer
from tools.render import Output, fail

player_option = option(
    "--player",
    metavar="ID",
    help="Which player; for a DM or spectator, who they are in the log.",
    shell_complete=complete_players,
)


@asynccontextmanager
async def opened_access(store: str) -> AsyncIterator[AccessFile]:
    """Open the access file of a store, made where it is not there, and close it in the end."""
    access = await AccessFile.open(store)
    try:
        yield access
    finally:
        await access.close()


def now_ms() -> int:
    """Return the Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


@click.command()
@option(
    "--campaign",
    metavar="ID",
    help="The campaign it opens, be there one of this id or not.",
    shell_complete=complete_campaigns,
)
@option("--role", type=click.Choice(ROLES), help="What they are at the campaign.")
@player_option
@option("--expires", type=Duration(), default="30d", help="How long it is valid: 90s, 12h, 30d.")
@option(
    "--metrics", is_flag=True, help="A token that opens /metrics and /api/live, and no campaign."
)
@store_option
@json_option
def token(
    campaign: str | None,
    role: Role | None,
    player: str | None,
    expires: int,
    metrics: bool,
    store: str,
    as_json: bool,
) -> None:
    """Print a token for a seat at a campaign, alone on its last line.

    It is signed with the key of the store's server. Whoever has it, is let in: it is a password.
    """
    if metrics and (campaign or role or player):
        raise click.UsageError("--metrics opens no campaign.")
    if not metrics and (campaign is None or role is None):
        raise click.UsageError("A token names a --campaign and a --role.")
    answer(_token(campaign or "", role, player, expires, store, as_json), as_json=as_json)


async def _token(
    campaign: str, role: Role | None, player: str | None, expires: int, store: str, as_json: bool
) -> None:
    async with opened_access(store) as access:
        key, now = (await access.keys())[0], now_ms()
        if role is None:
            text = mint_for_metrics(key, access.audience, now_ms=now, lasts=expires)
        else:
            text = mint(
                key,
                access.audience,
                campaign_id=campaign,
                role=role,
                player_id=player,
                now_ms=now,
                lasts=expires,
            )
    if as_json:
        until = rfc3339(now + expires * 1000)
        members = {"campaign_id": campaign, "role": role, "player_id": player}
        Output().json({"token": text, **members, "expires_at": until})
    else:
        click.echo(text)


@click.command()
@option("--rotate", is_flag=True, help="Sign with a new key; the one before it still counts.")
@store_option
@json_option
def keys(rotate: bool, store: str, as_json: bool) -> None:
    """List the keys whose tokens count, the one that signs first; never the keys themselves.

    Rotate once, and what was signed before still counts; twice, and all of it is void.
    """
    answer(_keys(rotate, store, as_json), as_json=as_json)


async def _keys(rotate: bool, store: str, as_json: bool) -> None:
    async with opened_access(store) as access:
        found = await (access.rotate() if rotate else access.keys())
    output = Output()
    if as_json:
        for number, key in enumerate(found):
            output.json({"key_id": key.key_id, "created_at": key.created_at, "signs": number == 0})
        return
    output.table(("key", "made", ""), [_key_row(*numbered) for numbered in enumerate(found)])


def _key_row(number: int, key: SigningKey) -> tuple[str, str, str]:
    return key.key_id, key.created_at, "signs" if number == 0 else "still counts"


@click.command()
@campaign_argument
@option("--role", type=click.Choice(ROLES), help="What they are at the campaign.")
@player_option
@option("--uses", type=click.IntRange(min=1), default=1, help="How many may join by it.")
@option("--unlimited", is_flag=True, help="Any number may.")
@option("--expires", type=Duration(), default="7d", help="How long the link is good: 12h, 7d.")
@option("--lasts", type=Duration(), default="30d", help="How long the token of who joins is valid.")
@option("--qr/--no-qr", default=True, help="Show it as a QR code too, on a terminal.")
@url_option
@store_option
@json_option
def invite(
    campaign: str,
    role: Role | None,
    player: str | None,
    uses: int,
    unlimited: bool,
    expires: int,
    lasts: int,
    qr: bool,
    url: str,
    store: str,
    as_json: bool,
) -> None:
    """Print a link that seats whoever opens it at CAMPAIGN, as --player or with another --role.

    The secret is behind the #, where no server and no log sees it. --url is where players find the
    server.
    """
    if role is None and player is None:
        raise click.UsageError("An invite names a --player, or a --role that needs none.")
    work = _invite(
        campaign, role or "player", player, None if unlimited else uses, expires, lasts, store
    )
    invite_id, secret = answer(work, as_json=as_json)
    link = link_of(url, campaign, secret, page_of(role))
    output = Output()
    if as_json:
        output.json({"invite_id": invite_id, "link": link})
        return
    if qr and output.terminal:
        import segno

        segno.make(link, error="l").terminal(compact=True)
    click.echo(link)


def page_of(role: Role | None) -> str:
    """Return the page that somebody in a role opens."""
    return "dm" if role == "dm" else "play"


def link_of(url: str, campaign: str, secret: str, page: str = "play") -> str:
    """Return the link of an invite: the secret is behind the #, and goes to no server."""
    return f"{url.rstrip('/')}/{page}?campaign_id={quote(campaign, safe='')}#invite={secret}"


async def _invite(
    campaign: str,
    role: Role,
    player: str | None,
    max_uses: int | None,
    expires: int,
    lasts: int,
    store: str,
) -> tuple[str, str]:
    check_name(campaign, "campaign id")
    if role == "dm" and max_uses != 1:
        raise Invalid("An invite that makes somebody DM is for one use.")
    async with opened_access(store) as access:
        now = now_ms()
        return await links.make_invite(
            access,
            campaign,
            member_of(role, player),
            role,
            max_uses=max_uses,
            expires_at=now + expires * 1000,
            lasts=lasts,
            now_ms=now,
        )


@click.command()
@campaign_argument
@option("--revoke", metavar="INVITE", help="Let nobody join by this one any more.")
@store_option
@json_option
def invites(campaign: str, revoke: str | None, store: str, as_json: bool) -> None:
    """List the invites to CAMPAIGN; their links are told only once, when they are made."""
    found = answer(_invites(campaign, revoke, store), as_json=as_json)
    if found is None:
        fail("unknown_invite", f"{campaign!r} has no invite {revoke!r}.", as_json=as_json)
    output = Output()
    if as_json:
        for each in found:
            output.json(
                {
                    "invite_id": each.invite_id,
                    "member": each.member,
                    "role": each.role,
                    "uses": each.uses,
                    "max_uses": each.max_uses,
                    "state": _state(each),
                    "expires_at": rfc3339(each.expires_at),
                    "created_at": each.created_at,
                }
            )
        return
    columns = ("invite", "member", "role", "used", "state", "expires")
    output.table(columns, [_invite_row(each) for each in found])


async def _invites(campaign: str, revoke: str | None, store: str) -> list[Invite] | None:
    async with opened_access(store) as access:
        if revoke is not None and not await links.revoke_invite(access, campaign, revoke):
            return None
        return await links.list_invites(access, campaign)


def _state(each: Invite) -> str:
    if each.revoked:
        return "revoked"
    if each.open_at(now_ms()):
        return "open"
    return "expired" if now_ms() >= each.expires_at else "used"


def _invite_row(each: Invite) -> tuple[str, ...]:
    most = "any" if each.max_uses is None else str(each.max_uses)
    used = f"{each.uses} of {most}"
    return each.invite_id, each.member, each.role, used, _state(each), rfc3339(each.expires_at)
