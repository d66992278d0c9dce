"""Positions: a version, and a proof that replica and log agree up to there for one view.

The proof is an HMAC (RFC 2104) over the chain hash, the view key and the projection epoch, under
the store's secret. So a position tells nothing, cannot be forged or used to test guesses at what
is hidden, and does not prove out for another campaign, another view, a log restored from an older
copy, or a view that another release projected differently.
"""

from __future__ import annotations

import hmac

from msgspec import Struct

PROJECTION_EPOCH = 1
_DIGITS = 16


class Position(Struct, frozen=True, gc=False):
    """A place in a campaign's log as one view knows it; `proof` is None for a bare version."""

    version: int
    proof: str | None = None

    def __str__(self) -> str:
        return str(self.version) if self.proof is None else f"{self.version}.{self.proof}"


def parse_position(text: str) -> Position | None:
    """Return the position written as `"120.9f3ab2c4d5e6f708"` or `"120"`, None for other text."""
    version, dot, proof = text.partition(".")
    if not (version.isascii() and version.isdigit() and len(version) <= 18):
        return None
    if not dot:
        return Position(int(version))
    if len(proof) != _DIGITS or not set(proof) <= set("0123456789abcdef"):
        return None
    return Position(int(version), proof)


def seal(secret: bytes, version: int, chain_hash: str, view_key: str) -> Position:
    """Return the position of `version`, whose event has `chain_hash` (hex), for a view."""
    message = f"{PROJECTION_EPOCH}|{chain_hash}|{view_key}".encode()
    return Position(version, hmac.digest(secret, message, "sha256").hex()[:_DIGITS])


def proves(secret: bytes, position: Position, chain_hash: str, view_key: str) -> bool:
    """Return whether `position` was sealed for this chain hash and view. A bare version is not."""
    if position.proof is None:
        return False
    sealed = seal(secret, position.version, chain_hash, view_key)
    return hmac.compare_digest(position.proof, str(sealed.proof))
