"""What goes over the wire, made once for everyone: WebSocket frames (RFC 6455 section 5, RFC 7692
for the deflated ones), Server-Sent Events (HTML, 9.2), and messages as they are.

A server's frames carry no mask, so the same bytes serve every connection. A deflated frame is made
from an empty window, which any peer with permessage-deflate can read whatever it has read before.
"""

from __future__ import annotations

import zlib
from enum import Enum

from msgspec import Struct

from questlog.sync.messages import Encoded

DEFLATE_FROM = 1024
LEVEL = 3
WINDOW_BITS = 15
_TEXT = 0x81
_DEFLATED = 0x40
_TAIL = b"\x00\x00\xff\xff"


class Form(Enum):
    """The form in which a peer takes messages."""

    PLAIN = "a frame"
    DEFLATED = "a deflated frame"
    EVENT = "a Server-Sent Event, in a chunk of its own"
    BARE = "the message itself"


class Frames(Struct):
    """The forms of one message; all but the plain frame are made when the first peer wants them.

    Attributes:
        place: the position a peer holds that has got this message, None where it says none.
    """

    payload: bytes
    plain: bytes
    place: str | None = None
    deflated: bytes | None = None
    event: bytes | None = None

    def for_peer(self, form: Form) -> bytes:
        """Return the bytes for a peer that takes this form."""
        if form is Form.BARE:
            return self.payload
        if form is Form.EVENT:
            if self.event is None:
                place = b"" if self.place is None else b"id: %s\n" % self.place.encode()
                self.event = _chunk(b"%sdata: %s\n\n" % (place, self.payload))
            return self.event
        if form is Form.PLAIN or len(self.payload) < DEFLATE_FROM:
            return self.plain
        if self.deflated is None:
            squeezed = _deflate(self.payload)
            smaller = len(squeezed) < len(self.payload)
            self.deflated = _frame(squeezed, _TEXT | _DEFLATED) if smaller else self.plain
        return self.deflated


def frames_of(message: Encoded) -> Frames:
    """Return the forms of `message`, made at its first use."""
    if message.wire is None:
        message.wire = Frames(message.payload, _frame(message.payload, _TEXT), message.place)
    frames: Frames = message.wire
    return frames


def close_frame(code: int) -> bytes:
    """Return a close frame (RFC 6455, 5.5.1) that gives `code` and no reason."""
    return b"\x88\x02" + code.to_bytes(2, "big")


def _chunk(data: bytes) -> bytes:
    """Return `data` as a chunk (RFC 9112, 7.1)."""
    return b"%x\r\n%s\r\n" % (len(data), data)


# A comment: said to nobody, but sent.
QUIET_EVENT = b"3\r\n:\n\n\r\n"
# Milliseconds after which a browser comes back.
RETRY_EVENT = b"d\r\nretry: 2000\n\n\r\n"


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
