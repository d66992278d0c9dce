"""Invites: links that turn into a token for one seat, once or many times, until they run out.

What could go wrong at the table: the answer to a join is lost on bad wifi, and the one use is
spent. So a join has an id of its own, as a commit has: asked again under it, it answers again.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from typing import Any

from questlog.campaign.errors import Unauthenticated
from questlog.campaign.events import Role
from server.access.file import AccessFile
from server.access.records import Invite
from server.clock import rfc3339

SECRET_BYTES = 24
_SELECT = (
    "SELECT invite_id, campaign_id, member, role, max_uses, expires_at, lasts, revoked, created_at,"
    " uses FROM invite"
)


async def make_invite(
    access: AccessFile,
    campaign_id: str,
    member: str,
    role: Role,
    *,
    max_uses: int | None,
    expires_at: int,
    lasts: int,
    now_ms: int,
) -> tuple[str, str]:
    """Make an invite and return its id and its secret, which can be told only now.

    Args:
        max_uses: how many may join by it; None: any number.
        expires_at: Unix milliseconds.
        lasts: seconds the token of who joins is valid.
    """
    invite_id, secret = secrets.token_hex(4), secrets.token_urlsafe(SECRET_BYTES)
    row = (
        invite_id,
        _digest(secret),
        campaign_id,
        member,
        role,
        max_uses,
        expires_at,
        lasts,
        rfc3339(now_ms),
    )
    await access.run(
        lambda c: c.execute("INSERT INTO invite VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, 0, ?)", row)
    )
    return invite_id, secret


async def list_invites(access: AccessFile, campaign_id: str) -> list[Invite]:
    """Return every invite to a campaign, the oldest first."""
    rows = await access.read(
        lambda c: c.execute(
            f"{_SELECT} WHERE campaign_id = ? ORDER BY created_at", (campaign_id,)
        ).fetchall()
    )
    return [_invite_from(row) for row in rows]


async def revoke_invite(access: AccessFile, campaign_id: str, invite_id: str) -> bool:
    """Let nobody join by an invite any more; False where the campaign has none of this id."""

    def revoke(connection: sqlite3.Connection) -> bool:
        done = connection.execute(
            "UPDATE invite SET revoked = 1 WHERE campaign_id = ? AND invite_id = ?",
            (campaign_id, invite_id),
        )
        return done.rowcount > 0

    return await access.run(revoke)


async def redeem(access: AccessFile, secret: str, join_id: str, now_ms: int) -> Invite:
    """Take one use of the invite this secret opens, or the use `join_id` took before.

    Raises:
        Unauthenticated: there is no such invite, or it is revoked, expired or spent.
    """

    def use(connection: sqlite3.Connection) -> Invite:
        row = connection.execute(f"{_SELECT} WHERE digest = ?", (_digest(secret),)).fetchone()
        if row is None:
            raise Unauthenticated("There is no such invite.")
        invite = _invite_from(row)
        joining = (invite.invite_id, _digest(join_id))
        again = connection.execute(
            "SELECT 1 FROM joining WHERE invite_id = ? AND digest = ?", joining
        ).fetchone()
        if invite.revoked or now_ms >= invite.expires_at:
            raise Unauthenticated("This invite has run out: ask the DM for another.")
        if not again:
            if not invite.open_at(now_ms):
                raise Unauthenticated("This invite has been used: ask the DM for another.")
            if invite.max_uses is not None:
                row = (*joining, rfc3339(now_ms))
                connection.execute("INSERT INTO joining VALUES (?, ?, ?)", row)
            connection.execute(
                "UPDATE invite SET uses = uses + 1 WHERE invite_id = ?", (invite.invite_id,)
            )
        return invite

    return await access.run(use)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _invite_from(row: tuple[Any, ...]) -> Invite:
    invite_id, campaign_id, member, role, max_uses, expires_at, lasts, revoked, created, uses = row
    return Invite(
        invite_id=invite_id,
        campaign_id=campaign_id,
        member=member,
        role=role,
        max_uses=max_uses,
        uses=uses,
        expires_at=expires_at,
        lasts=lasts,
        revoked=bool(revoked),
        created_at=created,
    )
