"""The two ends joined: whatever a link does, nobody is silently wrong, and all converge."""

from __future__ import annotations

import random

import pytest

from questlog.campaign.visibility import Viewer
from questlog.document import equal
from questlog.sync import feed as feeds
from questlog.sync.messages import Mode
from tests.sync.link import Net, Peer

SEEDS = 2000
BATCH = 100
STEPS = 70
VIEWERS: tuple[tuple[Viewer, Mode], ...] = (
    (Viewer("dm"), "delta"),
    (Viewer("player", "mira"), "delta"),
    (Viewer("player", "mira"), "full"),
    (Viewer("player", "bob"), "delta"),
    (Viewer("player", "bob"), "full"),
    (Viewer("player"), "delta"),
    (Viewer("spectator"), "delta"),
)


def peers(rng: random.Random) -> list[Peer]:
    """Return four peers; most follow the table, some a campaign by its name."""
    chosen = rng.sample(VIEWERS, 4)
    return [Peer(v, mode, rng.choice((None, None, "a"))) for v, mode in chosen]


def converges(net: Net) -> None:
    """Fail where a peer does not hold the head, or a position that does not prove out."""
    for peer in net.peers:
        replica, name = peer.replica, peer.campaign_id or net.seated
        if name is None:
            assert (replica.status, replica.document) == ("waiting", None), peer.viewer
            continue
        campaign = net.campaigns[name]
        head = campaign.state.version
        held = (replica.status, replica.campaign_id, replica.version)
        assert held == ("live", name, head), f"{peer.viewer} in {peer.mode} mode holds {held}"
        assert equal(replica.document, campaign.view(head, peer.viewer)), peer.viewer
        assert replica.position == campaign.feed.position(peer.viewer)


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_over_a_lossy_link_nobody_is_silently_wrong_and_all_converge(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "RECENT_VERSIONS", 4)
    for seed in range(first, first + BATCH):
        rng = random.Random(seed)
        try:
            net = Net(rng, peers(rng))
            for _ in range(STEPS):
                net.step()
            net.heal()
            converges(net)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error
