"""`questlog forget`: a person's name and traces, taken out of the access file."""

from __future__ import annotations

import click
import msgspec

from eventstore.errors import StoreError
from questlog.campaign.ids import check_name
from server.access.file import access_path
from server.access.forgetting import Known, known_of
from server.access.forgetting import forget as forget_them
from tools.access import now_ms, opened_access
from tools.options import json_option, option, store_option
from tools.reading import answer, opened
from tools.render import Output, fail

LEFT = (
    "What is not removed: this id, where the logs name it and where old tokens are kept out; what"
    " anybody wrote of them as text in a document, narration, suggestion, note or id; copies and"
    " backups made before; and the server's own printed log."
)


@click.command()
@click.argument("member")
@option("--campaign", metavar="ID", help="At this campaign only, not everywhere.")
@option("--yes", is_flag=True, help="Do not ask.")
@store_option
@json_option
def forget(member: str, campaign: str | None, yes: bool, store: str, as_json: bool) -> None:
    """Forget who MEMBER is: their name, provider's subject, tokens, invites and attendance.

    The logs name people by such ids alone, and then speak of nobody; every hash still verifies. Who
    is connected as MEMBER is sent away within a second. It cannot be undone.
    """
    known = answer(_known(member, campaign, store), as_json=as_json)
    if not known:
        where = "anywhere" if campaign is None else f"at {campaign!r}"
        fail("unknown_member", f"Nobody called {member!r} is known {where}.", as_json=as_json)
    output = Output()
    if not as_json:
        columns = ("campaign", "seat", "name", "subject", "invites", "sessions and days", "in log")
        output.table(columns, [_row(each) for each in known])
    if not yes:
        click.confirm("Remove this for good?", abort=True, err=True)
    answer(_forget(member, known, store), as_json=as_json)
    if as_json:
        for each in known:
            output.json(msgspec.structs.asdict(each))
        return
    output.line(f"{member} is forgotten. {LEFT}")


async def _known(member: str, campaign: str | None, store: str) -> list[Known]:
    check_name(member, "member")
    if campaign is not None:
        check_name(campaign, "campaign id")
    if not access_path(store).is_file():
        # Where nobody can come in, nobody is known; the file is not made just to say so.
        return []
    acted: list[str] = []
    try:
        async with opened(store) as reader:
            acted = await reader.acting(member)
    except StoreError as error:
        # The log may be gone or too old; who is to be forgotten is forgotten all the same.
        click.echo(f"The log was not asked who is in it: {error.message}", err=True)
    async with opened_access(store) as access:
        return await known_of(access, member, campaign, acted)


async def _forget(member: str, known: list[Known], store: str) -> None:
    async with opened_access(store) as access:
        await forget_them(access, member, [each.campaign_id for each in known], now_ms())


def _row(each: Known) -> tuple[str, ...]:
    seat = "forgotten" if each.forgotten and not each.seat else _yes(each.seat)
    named = (_yes(each.name), _yes(each.subject))
    return (
        each.campaign_id,
        seat,
        *named,
        str(each.invites),
        str(each.attendance),
        _yes(each.acted),
    )


def _yes(it_is: bool) -> str:
    return "yes" if it_is else ""
