"""Both ends of the protocol in memory, over a link that drops, delays, repeats and reorders."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from questlog.campaign.visibility import Viewer
from questlog.document import equal
from questlog.sync.entries import Entry
from questlog.sync.feed import Feed
from questlog.sync.messages import Mode
from questlog.sync.replica import Replica, SendText
from questlog.sync.session import Effect, Phase, Recall, Send, Session
from tests.sync.world import AT, LIMITS, Campaign, Step, allowed, opening, tokens


class Peer:
    """A player's replica, the session that serves it, and what is on the way between them."""

    def __init__(self, viewer: Viewer, mode: Mode, campaign_id: str | None) -> None:
        self.viewer = viewer
        self.mode = mode
        self.campaign_id = campaign_id
        self.replica = Replica()
        self.session = Session(viewer, mode, LIMITS)
        self.session.closed()
        self.down: list[bytes] = []
        self.up: list[str] = []
        self.recalls: list[tuple[Feed, int]] = []

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self.session.phase is not Phase.CLOSED


class Net:
    """Two campaigns, a table, and peers who follow the table or a campaign by name."""

    def __init__(self, rng: random.Random, peers: Sequence[Peer]) -> None:
        self.rng = rng
        self.campaigns = {name: Campaign(name, opening()) for name in ("a", "b")}
        self.seated: str | None = None
        self.peers = peers
        self.seat("a")
        for peer in peers:
            self.connect(peer)

    def step(self) -> None:
        """Do one thing at random."""
        rng = self.rng
        peer = rng.choice(self.peers)
        happening = rng.random()
        if happening < 0.30:
            self.commit(rng.choice(("a", "a", "a", "b")), rng.choice((1, 1, 1, 2, 3)))
        elif happening < 0.70:
            self.deliver(peer)
        elif happening < 0.76:
            self.harm(peer)
        elif happening < 0.81:
            self.disconnect(peer)
            self.connect(peer)
        elif happening < 0.86:
            peer.session.overflowed()
        elif happening < 0.91:
            self.perform(peer, peer.session.drained())
        elif happening < 0.95:
            self.answer_recall(peer)
        elif happening < 0.97:
            self.seat(rng.choice(("a", "b", None)))
        elif happening < 0.985:
            self.perform(peer, peer.session.heartbeat(AT))
        else:
            peer.up.append(peer.replica.heartbeat().text)

    def connect(self, peer: Peer) -> None:
        """Open a connection, resuming from what the replica holds."""
        peer.session = Session(peer.viewer, peer.mode, LIMITS)
        name = peer.campaign_id or self.seated
        if name is not None:
            feed = self.campaigns[name].feed
            self.perform(peer, peer.session.follow(feed, peer.replica.position, "connected"))

    def disconnect(self, peer: Peer) -> None:
        """Cut the connection: what was on the way is lost."""
        peer.session.closed()
        peer.replica.disconnected()
        peer.down.clear()
        peer.up.clear()
        peer.recalls.clear()

    def commit(self, name: str, count: int) -> None:
        """Append changes as one batch and broadcast them as a room would."""
        campaign = self.campaigns[name]
        self.publish(campaign, [campaign.play(self.rng) for _ in range(count)])

    def publish(self, campaign: Campaign, steps: list[Step]) -> None:
        """Move a campaign's feed on and tell everyone live."""
        before = campaign.feed.advance(steps)
        for peer in self.peers:
            session = peer.session
            if session.feed is campaign.feed and session.phase is Phase.LIVE:
                message = campaign.feed.update(peer.viewer, before, peer.mode)
                self.perform(peer, [Send(message)])

    def seat(self, name: str | None) -> None:
        """Seat a campaign at the table, or none; whoever sits there leaves first."""
        if name == self.seated:
            return
        at_table = [peer for peer in self.peers if peer.campaign_id is None and peer.connected]
        if self.seated is not None:
            campaign = self.campaigns[self.seated]
            self.publish(campaign, [campaign.seat(None)])
            for peer in at_table:
                self.perform(peer, peer.session.leave(AT))
        self.seated = name
        if name is not None:
            campaign = self.campaigns[name]
            self.publish(campaign, [campaign.seat("main")])
            for peer in at_table:
                self.perform(peer, peer.session.follow(campaign.feed, None, "activated"))

    def deliver(self, peer: Peer) -> None:
        """Let any one frame arrive, from either direction; mostly the oldest."""
        at = 0 if self.rng.random() < 0.6 else -1
        if peer.down and (not peer.up or self.rng.random() < 0.7):
            self.to_replica(peer, peer.down.pop(at))
        elif peer.up:
            self.perform(peer, peer.session.receive(peer.up.pop(at), AT))

    def harm(self, peer: Peer) -> None:
        """Lose a frame or let it be repeated later."""
        if peer.down and self.rng.random() < 0.7:
            at = self.rng.randrange(len(peer.down))
            if self.rng.random() < 0.6:
                del peer.down[at]
            else:
                peer.down.append(peer.down[at])
        elif peer.up:
            at = self.rng.randrange(len(peer.up))
            if self.rng.random() < 0.6:
                del peer.up[at]
            else:
                peer.up.append(peer.up[at])

    def answer_recall(self, peer: Peer) -> None:
        """Answer a question to the log, in any order, as the hub does: for the feed it was for."""
        if peer.recalls:
            feed, version = peer.recalls.pop(self.rng.randrange(len(peer.recalls)))
            if peer.session.feed is feed:
                entry = self.read(feed, version)
                self.perform(peer, peer.session.recalled(version, entry))

    def read(self, feed: Feed, version: int) -> Entry | None:
        """Read a version from the log, which fails now and then."""
        if self.rng.random() < 0.1:
            return None
        return self.campaigns[feed.campaign_id].recall(version)

    def perform(self, peer: Peer, effects: Sequence[Effect]) -> None:
        """Carry out what a session wants, looking into every frame on its way out."""
        for effect in effects:
            match effect:
                case Send(message=message):
                    self.inspect(peer, message.payload)
                    peer.down.append(message.payload)
                case Recall(version=version):
                    assert peer.session.feed is not None
                    peer.recalls.append((peer.session.feed, version))

    def inspect(self, peer: Peer, payload: bytes) -> None:
        """Fail where a frame holds what its viewer may not see at the version it leads to."""
        found = tokens(payload)
        if not found or peer.viewer.role == "dm":
            return
        leaked = {token for token in found if not allowed(token, peer.viewer)}
        assert not leaked, f"{peer.viewer} was sent {leaked}: {payload!r}"
        message = msgspec.json.decode(payload)
        version, campaign = message["version"], self.campaigns[message["campaign_id"]]
        content = msgspec.json.encode(message.get("patch", message.get("structured_data")))
        hidden = tokens(content) - tokens(campaign.view(version, peer.viewer))
        assert not hidden, f"{peer.viewer} was sent {hidden}, hidden at version {version}"

    def to_replica(self, peer: Peer, frame: bytes) -> None:
        """Let a frame arrive, and hold the replica to its promise."""
        for effect in peer.replica.receive(frame):
            if isinstance(effect, SendText):
                peer.up.append(effect.text)
        self.check(peer)

    def check(self, peer: Peer) -> None:
        """Fail where a replica that says it is live differs from the log at its version."""
        replica = peer.replica
        if replica.status != "live":
            return
        assert replica.campaign_id is not None
        expected = self.campaigns[replica.campaign_id].view(replica.version, peer.viewer)
        assert equal(replica.document, expected), (
            f"{peer.viewer} in {peer.mode} mode is silently wrong at version {replica.version}: "
            f"{replica.document} instead of {expected}"
        )

    def heal(self) -> None:
        """Let everything arrive that is on the way, then one heartbeat, then what it leads to."""
        for peer in self.peers:
            if not peer.connected:
                self.connect(peer)
            self.settle(peer)
            self.perform(peer, peer.session.heartbeat(AT))
            self.settle(peer)

    def settle(self, peer: Peer) -> None:
        """Deliver, answer and drain until nothing is left to do."""
        for _ in range(1000):
            self.perform(peer, peer.session.drained())
            if peer.down:
                self.to_replica(peer, peer.down.pop(0))
            elif peer.up:
                self.perform(peer, peer.session.receive(peer.up.pop(0), AT))
            elif peer.recalls:
                self.answer_recall(peer)
            else:
                return
        raise AssertionError(f"{peer.viewer} never comes to rest")
