"""From a token to a seat: who a caller is, and who looks when they look at a campaign.

Two steps, because they age differently. Who somebody *is* follows from the token alone, and holds
until it expires. What they may *see* follows from the membership table, which beats the token: a
seat taken away or given another role acts on who is connected already, within a second.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from questlog.campaign.errors import Forbidden, Invalid, Rejection, Unauthenticated
from questlog.campaign.ids import check_name
from questlog.campaign.visibility import Viewer
from server.access.file import AccessFile
from server.access.identity import Identity, OpenIdentity, OwnIdentity, UserIdentity
from server.access.provider import Provider
from server.access.records import ROLES, Member, SigningKey, member_of, viewer_at
from server.access.tokens import ALGORITHM, LEEWAY, header_of, read_own
from server.clock import Clock

REMEMBERED = 10_000
SECOND = 1000


class Authenticator:
    """Tells who callers are. Without an access file and a provider it knows nobody.

    Args:
        claim: the name of a provider's claim that gives seats, as `{"the-bell":"player:mira"}`.
    """

    def __init__(
        self,
        access: AccessFile | None,
        clock: Clock,
        provider: Provider | None = None,
        claim: str | None = None,
    ) -> None:
        self.access = access
        self._clock = clock
        self._provider = provider
        self._claim = claim
        self.generation = 0
        self._keys: tuple[SigningKey, ...] = ()
        self._version = (0, 0)
        self._identities: OrderedDict[bytes, Identity] = OrderedDict()
        self._seats: dict[tuple[str, ...], Member | None] = {}

    async def start(self) -> None:
        """Read the keys.

        Raises:
            StoreError: the access file cannot be read.
        """
        if self.access is not None:
            self._version = await self.access.version()
            self._keys = await self.access.keys()
        if self._provider is not None:
            await self._provider.start()

    @property
    def trouble(self) -> str | None:
        """Why the provider's keys could not be fetched the last time, None where they could."""
        return None if self._provider is None else self._provider.failure

    async def close(self) -> None:
        """Let go of the provider."""
        if self._provider is not None:
            await self._provider.close()

    @property
    def signing_key(self) -> SigningKey:
        """The key that signs, as far as it is known here: what it signs is taken here."""
        return self._keys[0]

    async def refresh(self) -> None:
        """Read the access file anew where another process has written it.

        `generation` grows then: whoever acts on changes compares it with the last one acted on.

        Raises:
            StoreUnavailable, StoreError: it cannot be read.
        """
        if self.access is None:
            return
        version = await self.access.version()
        if version != self._version:
            self._keys = await self.access.keys()
            self._identities.clear()
            self._seats.clear()
            self._version = version
            self.generation += 1

    async def identify(self, token: str) -> Identity:
        """Return who the holder of a token is.

        Raises:
            Unauthenticated: it is no token, or not valid now.
            StoreUnavailable: the provider has never been reached.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        identity = self._identities.get(digest)
        if identity is None:
            identity = await self._read(token)
            self._identities[digest] = identity
            if len(self._identities) > REMEMBERED:
                self._identities.popitem(last=False)
        self.check(identity)
        return identity

    def check(self, identity: Identity) -> None:
        """Refuse an identity that counts no more.

        Raises:
            Unauthenticated: the token has expired, or its key has been rotated out.
        """
        if self._clock.now_ms() >= identity.expires * SECOND:
            raise Unauthenticated("The token has expired.")
        if isinstance(identity, OwnIdentity) and identity.key_id not in {
            key.key_id for key in self._keys
        }:
            raise Unauthenticated("The token is signed with a key this server does not know.")

    async def viewer(self, identity: Identity, campaign_id: str) -> Viewer:
        """Return who looks when this caller looks at a campaign.

        Raises:
            Forbidden: they have no seat there.
        """
        (found,) = await self.viewers([(identity, campaign_id)])
        if isinstance(found, Rejection):
            raise found
        return found

    async def viewers(self, asked: Sequence[tuple[Identity, str]]) -> list[Viewer | Forbidden]:
        """Return the viewer of each (identity, campaign), or why there is none, in one reading."""
        if len(self._seats) > REMEMBERED:
            # Only here: what is read below must still be there when it is asked for.
            self._seats.clear()
        while (unknown := self._unknown(asked)) and self.access is not None:
            version = self._version
            found = await _read_seats(self.access, unknown)
            # What was read before a change must not be remembered after it.
            if version == self._version:
                self._seats.update(found)
        return [self._viewer(identity, campaign_id) for identity, campaign_id in asked]

    def _unknown(self, asked: Sequence[tuple[Identity, str]]) -> set[tuple[str, ...]]:
        keys = {_seat_key(identity, campaign_id) for identity, campaign_id in asked}
        return {key for key in keys if key is not None and key not in self._seats}

    async def campaigns(self, identity: Identity) -> list[str] | None:
        """Return the ids of the campaigns this caller may have a seat at; None: every one."""
        if isinstance(identity, OpenIdentity):
            return None
        if isinstance(identity, OwnIdentity):
            return [identity.campaign_id] if identity.viewer is not None else []
        named = set(identity.seats)
        if self.access is not None:
            seats = await self.access.seats_of(identity.issuer, identity.subject)
            named.update(seat.campaign_id for seat in seats)
        return sorted(named)

    async def _read(self, token: str) -> Identity:
        if self._provider is None or header_of(token).get("alg") == ALGORITHM:
            return await self._read_own(token)
        found = await self._provider.verify(token)
        seats = {} if self._claim is None else claimed(found.claims.get(self._claim))
        expires = found.expires + LEEWAY
        return UserIdentity(found.issuer, found.subject, expires, MappingProxyType(seats))

    async def _read_own(self, token: str) -> Identity:
        """Return the identity in a token of our own; a key not known may be a new one."""
        key_id = header_of(token).get("kid")
        if all(key.key_id != key_id for key in self._keys):
            await self.refresh()
        return read_own(token, self._keys, "" if self.access is None else self.access.audience)

    def _viewer(self, identity: Identity, campaign_id: str) -> Viewer | Forbidden:
        if isinstance(identity, OpenIdentity):
            return identity.viewer
        key = _seat_key(identity, campaign_id)
        seat = None if key is None else self._seats.get(key)
        if isinstance(identity, UserIdentity):
            viewer = identity.seats.get(campaign_id) if seat is None else seat.viewer()
        elif campaign_id != identity.campaign_id:
            viewer = None
        else:
            viewer = _own_viewer(identity, seat)
        return Forbidden("You have no seat at this campaign.") if viewer is None else viewer


def claimed(value: Any) -> dict[str, Viewer]:
    """Return the seats in a provider's claim: campaigns to `dm`, `spectator`, `player:mira`.

    What is no seat is passed over: a claim may be meant for others too.
    """
    seats: dict[str, Viewer] = {}
    if not isinstance(value, dict):
        return seats
    for campaign_id, text in value.items():
        if not isinstance(text, str):
            continue
        word, _, player_id = text.partition(":")
        role = next((role for role in ROLES if role == word), None)
        try:
            if role is not None:
                check_name(campaign_id, "campaign id")
                seats[campaign_id] = viewer_at(role, member_of(role, player_id or None))
        except Invalid:
            continue
    return seats


def _own_viewer(identity: OwnIdentity, seat: Member | None) -> Viewer | None:
    """Return who looks with a token of the server's own: its seat in the table beats it."""
    withdrawn = seat is not None and identity.issued_ms <= seat.valid_from
    if withdrawn:
        return None
    if seat is None or seat.role is None:
        # Issued since the seat was taken away: whoever did that gave it back.
        return identity.viewer
    return seat.viewer()


def _seat_key(identity: Identity, campaign_id: str) -> tuple[str, ...] | None:
    """Return what finds the seat in the table, None where nothing in it could be theirs."""
    if isinstance(identity, UserIdentity):
        return (identity.issuer, identity.subject, campaign_id)
    if isinstance(identity, OwnIdentity) and campaign_id == identity.campaign_id:
        return (campaign_id, identity.member)
    return None


async def _read_seats(
    access: AccessFile, keys: set[tuple[str, ...]]
) -> dict[tuple[str, ...], Member | None]:
    found: dict[tuple[str, ...], Member | None] = dict.fromkeys(keys)
    own = await access.find((key[0], key[1]) for key in keys if len(key) == 2)
    found.update(own.items())
    for issuer, subject in {(key[0], key[1]) for key in keys if len(key) == 3}:
        for seat in await access.seats_of(issuer, subject):
            key = (issuer, subject, seat.campaign_id)
            if key in found:
                found[key] = seat
    return found
