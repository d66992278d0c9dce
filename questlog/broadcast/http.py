"""The port over HTTP: the calls of `docs/protocol.md`, made by an aiohttp client."""

from __future__ import annotations

import io
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from aiohttp import ClientConnectorCertificateError as UntrustedError
from msgspec import Struct

from questlog.broadcast.port import Change, Held, Logged, Made
from questlog.campaign.errors import (
    IdReused,
    Invalid,
    LeaseLost,
    Rejection,
    StoreUnavailable,
    UnknownCampaign,
    VersionConflict,
    rejection_of,
)
from questlog.document import encode

FIRST_SERVER_ERROR = 500
NOT_MODIFIED = 304
# A server that says nothing for so long, in seconds, is asked again, with the same id.
ANSWER_WITHIN, CONNECT_WITHIN = 60.0, 10.0
# No URL, or a certificate that is not trusted: neither gets better by asking again.
UNUSABLE = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, UntrustedError)


T = TypeVar("T")


class _State(Struct, frozen=True):
    version: int
    position: str
    structured_data: dict[str, Any]


class _Events(Struct, frozen=True):
    events: list[Logged]


class HttpServer:
    """A Questlog server at a URL, `https://HOST` or with a prefix, `https://HOST/questlog`."""

    def __init__(
        self, url: str, token: str | None = None, session: aiohttp.ClientSession | None = None
    ) -> None:
        """Prepare it; nothing is connected before `open`.

        Args:
            token: a DM's, for every campaign that is played; None for an open server.
            session: an aiohttp session to use; it stays open. None: one of its own.
        """
        self._url = url.rstrip("/")
        self._token = token
        self._session = session
        self._own_session = session is None
        self._timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN, sock_connect=CONNECT_WITHIN)

    async def open(self) -> None:
        """Open the session."""
        if self._session is None:
            self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        """Close the session, where it is its own."""
        if self._own_session and self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def authenticate(self, token: str) -> None:
        """Show another token from the next call on."""
        self._token = token

    async def state(
        self, campaign_id: str, held: Held | None = None, version: int | None = None
    ) -> Held:
        """See `CampaignServer.state`."""
        headers = {}
        if held is not None and held.position is not None:
            headers["If-None-Match"] = f'"{held.position}"'
        query = "" if version is None else f"?version={version}"
        answer = await self._call("GET", f"{campaign_id}/state{query}", headers=headers)
        if answer is None:
            assert held is not None, "only what is held can be unchanged"
            return held
        found = _read(answer, _State)
        return Held(found.version, found.structured_data, found.position)

    async def create(self, campaign_id: str, document: dict[str, Any], key: str) -> Made:
        """See `CampaignServer.create`."""
        return await self._change("PUT", campaign_id, {"structured_data": document}, key)

    async def commit(self, campaign_id: str, change: Change) -> Made:
        """See `CampaignServer.commit`."""
        body = {
            "id": change.id,
            "kind": change.kind,
            "patch": change.patch,
            "expected_version": change.expected_version,
        }
        if change.meta is not None:
            body["meta"] = change.meta
        return await self._change("POST", f"{campaign_id}/events", body)

    async def activate(self, campaign_id: str, table: str, key: str) -> Made:
        """See `CampaignServer.activate`."""
        return await self._change("POST", f"{campaign_id}/activate", {"table": table}, key)

    async def deactivate(self, campaign_id: str, key: str) -> Made:
        """See `CampaignServer.deactivate`."""
        return await self._change("POST", f"{campaign_id}/deactivate", {}, key)

    async def find(self, campaign_id: str, identifier: str) -> Logged | None:
        """See `CampaignServer.find`.

        There is no call for it. But an id is looked for before a condition is looked at, so a
        commit on a condition that never holds changes nothing, and is told whether its id is there.
        """
        probe: dict[str, Any] = {"id": identifier, "expected_version": 0, "patch": []}
        try:
            await self._change("POST", f"{campaign_id}/events", probe)
        except (VersionConflict, UnknownCampaign, LeaseLost):
            return None
        except IdReused as found:
            if found.version is None:
                raise
            return (await self.events(campaign_id, found.version - 1, 1))[0]
        raise Invalid("The server took a commit on version 0 for one that can be.")

    async def events(self, campaign_id: str, after: int, limit: int) -> list[Logged]:
        """See `CampaignServer.events`."""
        answer = await self._call("GET", f"{campaign_id}/events?after={after}&limit={limit}")
        assert answer is not None, "no condition was stated"
        return _read(answer, _Events).events

    async def _change(
        self, method: str, path: str, body: dict[str, Any], key: str | None = None
    ) -> Made:
        headers = {} if key is None else {"Idempotency-Key": key}
        return _read(await self._call(method, path, body, headers), Made)

    async def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any] | None:
        """Return what a call answers; None: what the caller holds has not changed.

        Raises:
            StoreUnavailable: nobody answered, or the server failed; the outcome is unknown.
            Rejection: the server refuses, with the code it gave.
        """
        assert self._session is not None, "open() comes first"
        campaign_id, slash, rest = path.partition("/")
        url = f"{self._url}/api/campaigns/{quote(campaign_id, safe='')}{slash}{rest}"
        headers = dict(headers or {})
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        # As a stream, since aiohttp warns of large bytes.
        data = None if body is None else io.BytesIO(encode(body))
        if data is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                method,
                url,
                data=data,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                status, content = response.status, await response.read()
        except UNUSABLE as error:
            raise Invalid(f"No server to use: {self._url} ({error}).") from error
        except (aiohttp.ClientError, OSError) as error:
            raise StoreUnavailable(f"No answer from {self._url}.") from error
        return None if status == NOT_MODIFIED else _answer(status, content)


def _read(answer: dict[str, Any] | None, kind: type[T]) -> T:
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise Invalid(f"This is no Questlog server: {error}.") from error


def _answer(status: int, content: bytes) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        if status >= FIRST_SERVER_ERROR:
            raise StoreUnavailable(f"The server failed: HTTP {status}.") from error
        raise Invalid(f"This is no Questlog server: HTTP {status}.") from error
    if status < 300:
        return answer
    raise _refusal(status, answer)


def _refusal(status: int, answer: dict[str, Any]) -> Rejection:
    code, detail, version = answer.get("code"), answer.get("detail"), answer.get("version")
    if status >= FIRST_SERVER_ERROR:
        return StoreUnavailable(f"The server failed: HTTP {status}.")
    if not isinstance(code, str):
        return Invalid(f"This is no Questlog server: HTTP {status}.")
    return rejection_of(code, str(detail), version if type(version) is int else None)
