"""Settings of a server: each a number with a default; `serve` has an option for every one."""

from __future__ import annotations

from msgspec import Struct

from questlog.document import Limits


class Config(Struct, frozen=True, kw_only=True):
    """How a server runs.

    Attributes:
        open: ask nobody for a token; callers must be on this machine.
        allow_origin: origins of other pages that browsers may call from, like `https://app.example`.
        trusted_proxy: networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
        oidc_issuer: the OpenID provider whose tokens are taken; none where empty.
        oidc_audience: what the provider's tokens must be made for.
        oidc_claim: the provider's claim that gives seats; none where empty.
        oidc_client_id: as which client of it the pages sign people in; empty: they do not.
        max_body: the largest request body or socket message of a DM, in bytes.
        max_player_message: the largest socket message of anybody else, in bytes.
        max_document: the largest document, encoded, in bytes.
        max_depth: how deep JSON may be nested.
        max_operations: how many operations a patch may have.
        max_header: the largest request line or header field, in bytes.
        outbox: how many bytes may wait for a slow player before deltas to it stop.
        slow_timeout: seconds a player may stay slow before it is closed with 4001.
        silence_timeout: seconds without a frame from a player before it is closed with 4008.
        heartbeat: seconds at rest between two heartbeats.
        idle_timeout: seconds after which a campaign that nobody uses leaves memory.
        max_pipelined: how many unanswered commits a socket may have before it is read no further.
        max_campaigns: how many campaigns may be in memory at once.
        max_campaign_connections: how many sockets may follow one campaign.
        max_member_connections: how many sockets one member may have; the oldest goes (4009).
        max_address_connections: how many sockets may come from one address.
        player_rate: requests or socket messages a second from anybody who is no DM.
        dm_rate: requests or socket messages a second from a DM.
        failed_tokens: tokens and invites that are not valid, a minute from one address.
        auth_timeout: seconds a socket has to send a token, and a connection its first request.
        body_timeout: seconds a request's body may take.
        max_suggestions: how many suggestions of one player may wait for the DM.
        signal_rate: signals and statuses a second from anybody who is no DM.
        leave_grace: seconds after a member's last connection before the others hear they left.
        narration_idle: seconds without a chunk before a narration counts as broken off.
        poll_wait: seconds a long poll may wait for news.
        poll_gap: seconds a poller may stay away before it counts as gone.
        max_replays: how many replays may run at once.
        max_address_strangers: how many sockets of one address may not have shown a token yet.
    """

    open: bool = False
    allow_origin: tuple[str, ...] = ()
    trusted_proxy: tuple[str, ...] = ()
    oidc_issuer: str = ""
    oidc_audience: str = ""
    oidc_claim: str = ""
    oidc_client_id: str = ""
    max_body: int = 16 * 1024 * 1024
    max_player_message: int = 16 * 1024
    max_document: int = 16 * 1024 * 1024
    max_depth: int = 100
    max_operations: int = 10_000
    max_header: int = 16 * 1024
    outbox: int = 1024 * 1024
    slow_timeout: float = 120.0
    silence_timeout: float = 45.0
    heartbeat: float = 20.0
    idle_timeout: float = 300.0
    max_pipelined: int = 64
    max_campaigns: int = 10_000
    max_campaign_connections: int = 5_000
    max_member_connections: int = 16
    max_address_connections: int = 2_500
    player_rate: int = 50
    dm_rate: int = 10_000
    failed_tokens: int = 300
    auth_timeout: float = 10.0
    body_timeout: float = 60.0
    max_suggestions: int = 20
    signal_rate: int = 20
    leave_grace: float = 10.0
    narration_idle: float = 30.0
    poll_wait: float = 60.0
    poll_gap: float = 5.0
    max_replays: int = 16
    max_address_strangers: int = 100

    def document_limits(self) -> Limits:
        """Return the limits of a campaign's document."""
        return Limits(
            max_bytes=self.max_document,
            max_depth=self.max_depth,
            max_operations=self.max_operations,
        )

    def message_limits(self) -> Limits:
        """Return the limits of one request body or socket message."""
        return Limits(
            max_bytes=self.max_body,
            max_depth=self.max_depth + 4,
            max_operations=self.max_operations,
        )
