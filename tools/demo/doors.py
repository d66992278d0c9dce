"""Who is let in to the demo: links to click, and tokens for its own player and DM."""

from __future__ import annotations

from questlog.campaign.events import Role
from server.access.file import AccessFile
from server.access.invites import make_invite
from server.access.tokens import mint
from tools.access import link_of, now_ms, page_of

MONTH = 30 * 86_400


class Doors:
    """Lets people in to the demo: links for a browser, tokens for a program.

    Attributes:
        url: the server.
        store_url: the demo's store.
    """

    def __init__(self, access: AccessFile, store_url: str, url: str) -> None:
        self.url = url
        self.store_url = store_url
        self._access = access

    async def token(self, campaign_id: str, role: Role, player_id: str | None = None) -> str:
        """Return a token for as long as a demo may run."""
        return mint(
            (await self._access.keys())[0],
            self._access.audience,
            campaign_id=campaign_id,
            role=role,
            player_id=player_id,
            now_ms=now_ms(),
            lasts=MONTH,
        )

    async def link(self, campaign_id: str, who: str) -> str:
        """Return a link that seats a player, or the DM, in a browser.

        A player's may be clicked again; the DM's is for one browser, as every DM's is.
        """
        role: Role = "dm" if who == "dm" else "player"
        now = now_ms()
        _, secret = await make_invite(
            self._access,
            campaign_id,
            who,
            role,
            max_uses=1 if role == "dm" else None,
            expires_at=now + MONTH * 1000,
            lasts=MONTH,
            now_ms=now,
        )
        return link_of(self.url, campaign_id, secret, page_of(role))
