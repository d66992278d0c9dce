"""WebSocket frames made once for everyone (RFC 6455 section 5, RFC 7692 for the deflated ones).

A server's frames carry no mask, so the same bytes serve every connection. A deflated frame is made
from an empty window, which any peer with permessage-deflate can read whatever it has read before.
"""

from __future__ import annotations

import zlib

from msgspec import Struct

from questlog.sync.messages import Encoded

DEFLATE_FROM = 1024
LEVEL = 3
WINDOW_BITS = 15
_TEXT = 0x81
_DEFLATED = 0x40
_TAIL = b"\x00\x00\xff\xff"


class Frames(Struct):
    """The frames of one message; the deflated one is made when the first peer wants it."""

    payload: bytes
    plain: bytes
    deflated: bytes | None = None

    def for_peer(self, deflate: bool) -> bytes:
        """Return the frame for a peer that does or does not take deflated ones."""
        if not deflate or len(self.payload) < DEFLATE_FROM:
            return self.plain
        if self.deflated is None:
            squeezed = _deflate(self.payload)
            smaller = len(squeezed) < len(self.payload)
            self.deflated = _frame(squeezed, _TEXT | _DEFLATED) if smaller else self.plain
        return self.deflated


def frames_of(message: Encoded) -> Frames:
    """Return the frames of `message`, made at its first use."""
    if message.wire is None:
        message.wire = Frames(message.payload, _frame(message.payload, _TEXT))
    frames: Frames = message.wire
    return frames


def close_frame(code: int) -> bytes:
    """Return a close frame (RFC 6455, 5.5.1) that gives `code` and no reason."""
    return b"\x88\x02" + code.to_bytes(2, "big")


def _frame(payload: bytes, first: int) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def _deflate(payload: bytes) -> bytes:
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW_BITS)
    squeezed = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return squeezed.removesuffix(_TAIL)
