"""`questlog members`: who has a seat at a campaign, and as what; it beats what their tokens say."""

from __future__ import annotations

import click
import msgspec

from questlog.campaign.events import Role
from questlog.campaign.ids import check_name
from server.access.records import ROLES, Member, member_of
from tools.access import now_ms, opened_access
from tools.options import campaign_argument, complete_players, json_option, option, store_option
from tools.reading import answer
from tools.render import Output


@click.group()
def members() -> None:
    """List, add and remove the members of a campaign, and set their roles.

    A token of the server's own needs no entry here; one that is here beats it. A user of an OpenID
    provider gets in by an entry with their subject, or by a claim.
    """


@members.command("list")
@campaign_argument
@store_option
@json_option
def list_members(campaign: str, store: str, as_json: bool) -> None:
    """List everybody who was given or lost a seat at CAMPAIGN."""
    _print(answer(_members(campaign, store), as_json=as_json), as_json)


@members.command()
@campaign_argument
@click.argument("member")
@option("--role", type=click.Choice(ROLES), default="player", help="What they are there.")
@option("--name", metavar="TEXT", help="What people call them; it goes into no log.")
@option("--subject", metavar="SUB", help="Who they are to the OpenID provider: the claim sub.")
@option("--issuer", metavar="URL", envvar="QUESTLOG_OIDC_ISSUER", help="Which provider.")
@store_option
@json_option
def add(
    campaign: str,
    member: str,
    role: Role,
    name: str | None,
    subject: str | None,
    issuer: str | None,
    store: str,
    as_json: bool,
) -> None:
    """Give MEMBER a seat at CAMPAIGN: for a player, the id their private parts are named by."""
    if subject == "":
        raise click.UsageError("A --subject is what the provider calls them, and is not empty.")
    if subject is not None and issuer is None:
        raise click.UsageError("A --subject is known to a provider: --issuer names it.")
    seat = Member(
        campaign_id=campaign,
        member=member,
        role=role,
        name=name,
        issuer=None if subject is None else issuer,
        subject=subject,
    )
    _print(answer(_add(seat, store), as_json=as_json), as_json)


@members.command("role")
@campaign_argument
@click.argument("member", shell_complete=complete_players)
@click.argument("role", type=click.Choice(ROLES))
@store_option
@json_option
def set_role(campaign: str, member: str, role: Role, store: str, as_json: bool) -> None:
    """Make MEMBER of CAMPAIGN a dm, player or spectator; who is connected is shown the new view."""
    _print(answer(_set_role(campaign, member, role, store), as_json=as_json), as_json)


@members.command()
@campaign_argument
@click.argument("member", shell_complete=complete_players)
@store_option
@json_option
def remove(campaign: str, member: str, store: str, as_json: bool) -> None:
    """Take the seat of MEMBER at CAMPAIGN away: their tokens, invites and sockets, within a second.

    A token issued later seats them again.
    """
    _print(answer(_remove(campaign, member, store), as_json=as_json), as_json)


async def _members(campaign: str, store: str) -> list[Member]:
    async with opened_access(store) as access:
        return await access.members(campaign)


async def _add(seat: Member, store: str) -> list[Member]:
    check_name(seat.campaign_id, "campaign id")
    # A DM or spectator may sit at the seat that bears the name of the role.
    if seat.member != seat.role or seat.role == "player":
        member_of("player", seat.member)
    async with opened_access(store) as access:
        await access.add_member(seat)
        return await access.members(seat.campaign_id)


async def _set_role(campaign: str, member: str, role: Role, store: str) -> list[Member]:
    _check(campaign, member)
    async with opened_access(store) as access:
        await access.set_role(campaign, member, role)
        return await access.members(campaign)


async def _remove(campaign: str, member: str, store: str) -> list[Member]:
    _check(campaign, member)
    async with opened_access(store) as access:
        await access.remove_member(campaign, member, now_ms())
        return await access.members(campaign)


def _check(campaign: str, member: str) -> None:
    check_name(campaign, "campaign id")
    check_name(member, "member")


def _print(found: list[Member], as_json: bool) -> None:
    output = Output()
    if as_json:
        for each in found:
            output.json(msgspec.structs.asdict(each))
        return
    columns = ("member", "role", "name", "subject", "changed")
    output.table(columns, [_row(each) for each in found])


def _row(each: Member) -> tuple[str, ...]:
    return (
        each.member,
        each.role or "removed",
        each.name or "",
        each.subject or "",
        each.changed_at,
    )
