"""WebSocket frames of a client (RFC 6455, 5.2), right and wrong, and those of a server, read."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from itertools import cycle

from msgspec import Struct

from bench.fuzz.corpus import Corpus
from bench.fuzz.mutate import Mutator
from bench.fuzz.wire import Line

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1, RSV2, RSV3, MASKED = 0x80, 0x40, 0x20, 0x10, 0x80
CLOSES = (
    *(
        b"",
        b"\x03",
        b"\x03\xe8",
        b"\x03\xe8bye",
        b"\x00\x00",
        b"\x03\xec",
        b"\x03\xee",
        b"\x07\xd0",
    ),
    *(b"\x0f\xa0", b"\x11\x30", b"\xff\xff", b"\x03\xe8\xff\xfe", b"\x03\xe8" + b"x" * 123),
)
RSV_BITS = (RSV1, RSV2, RSV3, RSV2 | RSV3, RSV1 | RSV2 | RSV3)
BAD_OPCODES = (0x3, 0x7, 0xB, 0xF)


class Frame(Struct, frozen=True):
    """A frame of a server."""

    fin: bool
    rsv: int
    opcode: int
    masked: bool
    payload: bytes


class Frames(Struct, frozen=True):
    """Bytes for an open socket.

    Attributes:
        framed: they are whole frames, so that what follows them is read too, or the socket closed.
        closes: the client closes with them.
    """

    data: bytes
    framed: bool = True
    closes: bool = False


def frame(
    payload: bytes, first: int = FIN | TEXT, *, mask: bytes | None = b"\x07\x2a\x55\xf0"
) -> bytes:
    """Return a client's frame; `mask` None: without one, which a server must refuse."""
    bit = 0 if mask is None else MASKED
    size = len(payload)
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 1 << 16:
        head = bytes((first, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8, "big")
    if mask is None:
        return head + payload
    return head + mask + masked(payload, mask)


def masked(payload: bytes, mask: bytes) -> bytes:
    """Return `payload` with its mask put on, or taken off."""
    if len(payload) > 256:
        size = len(payload)
        stream = (mask * (size // 4 + 1))[:size]
        number = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
        return number.to_bytes(size, "big")
    return bytes(byte ^ other for byte, other in zip(payload, cycle(mask), strict=False))


def deflated(payload: bytes) -> bytes:
    """Return `payload` as permessage-deflate sends it (RFC 7692, 7.2.1)."""
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflated(payload: bytes) -> bytes:
    """Return what a server's deflated message holds.

    Raises:
        zlib.error: it holds nothing.
    """
    return zlib.decompressobj(wbits=-15).decompress(payload + b"\x00\x00\xff\xff")


async def read_frame(line: Line) -> Frame:
    """Return the next frame of a server.

    Raises:
        GoneError: there is none.
    """
    first, second = await line.exactly(2)
    size = second & 0x7F
    if size > 125:
        size = int.from_bytes(await line.exactly(2 if size == 126 else 8), "big")
    is_masked = bool(second & MASKED)
    payload = await line.exactly(size + 4 * is_masked)
    return Frame(bool(first & FIN), first & 0x70, first & 0x0F, is_masked, payload)


class FrameMutator:
    """Makes the bytes of wrong messages and wrong frames.

    Args:
        positions: true ones, of whomever; some are sent.
    """

    def __init__(self, mutator: Mutator, positions: Sequence[str]) -> None:
        self._mutator = mutator
        self._positions = positions

    def frames(self, corpus: Corpus) -> Frames:
        """Return a message with something wrong in it, or in its framing."""
        way = self._mutator.chance.random()
        if way < 0.8:
            return Frames(frame(self._text(corpus)))
        if way < 0.84:
            return Frames(frame(self._mutator.one_of(corpus.texts)))
        if way < 0.88 and self._positions:
            position = self._mutator.one_of(self._positions)
            return Frames(frame(b'{"type":"resync","position":"%b"}' % position.encode()))
        return self._mutator.one_of(self._ways())(self._text(corpus), corpus)

    def _text(self, corpus: Corpus) -> bytes:
        if self._mutator.chance.random() < 0.92:
            return self._mutator.json_of(self._mutator.one_of(corpus.frames))
        return self._mutator.mangled(self._mutator.one_of(corpus.texts), corpus.texts)

    def _ways(self) -> tuple[Callable[[bytes, Corpus], Frames], ...]:
        return (
            self._of_another_kind,
            self._in_fragments,
            self._in_fragments,
            self._in_wrong_fragments,
            self._control,
            self._closing,
            self._compressed,
            self._compressed,
            self._flipped,
            self._of_another_length,
            self._unmasked,
            self._garbage,
        )

    def _of_another_kind(self, text: bytes, _: Corpus) -> Frames:
        """Send a binary frame, one of no known kind, or one with bits that mean nothing."""
        one_of = self._mutator.one_of
        first = one_of((FIN | BINARY, FIN | one_of(BAD_OPCODES), FIN | TEXT | one_of(RSV_BITS)))
        return Frames(frame(text, first))

    def _parts(self, text: bytes) -> list[bytes]:
        cuts = sorted(self._mutator.chance.randrange(len(text) + 1) for _ in range(3))
        return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    def _in_fragments(self, text: bytes, _: Corpus) -> Frames:
        """Send a message in parts, with pings between: that is allowed."""
        parts = self._parts(text)
        between = frame(b"p", FIN | PING) if self._mutator.chance.random() < 0.5 else b""
        data = frame(parts[0], TEXT)
        data += b"".join(between + frame(part, CONTINUATION) for part in parts[1:-1])
        return Frames(data + frame(parts[-1], FIN | CONTINUATION))

    def _in_wrong_fragments(self, text: bytes, _: Corpus) -> Frames:
        parts = self._parts(text)
        kinds = self._mutator.one_of(
            (
                (FIN | CONTINUATION,),
                (CONTINUATION, FIN | CONTINUATION),
                (TEXT, FIN | TEXT),
                (TEXT, BINARY, FIN | CONTINUATION),
                (TEXT | RSV1, CONTINUATION | RSV1, FIN | CONTINUATION),
                (PING, FIN | PING),
                (FIN | TEXT, CLOSE),
            )
        )
        frames = [frame(part, kind) for part, kind in zip(parts, kinds, strict=False)]
        return Frames(b"".join(frames), framed=False)

    def _control(self, text: bytes, _: Corpus) -> Frames:
        """Send pings and pongs nobody asked for, some larger than they may be."""
        kind = self._mutator.one_of((PING, PONG))
        size = self._mutator.one_of((0, 1, 125, 126, 5_000))
        return Frames(frame(text[:size].ljust(size, b"."), FIN | kind))

    def _closing(self, text: bytes, _: Corpus) -> Frames:
        """Close, with any code or none, and perhaps go on all the same."""
        after = frame(text) if self._mutator.chance.random() < 0.5 else b""
        data = frame(self._mutator.one_of(CLOSES), FIN | CLOSE) + after
        return Frames(data, framed=False, closes=True)

    def _compressed(self, text: bytes, _: Corpus) -> Frames:
        """Send deflated frames, be that agreed on or not, and be they deflated or not."""
        way = self._mutator.chance.random()
        if way < 0.5:
            return Frames(frame(deflated(text), FIN | TEXT | RSV1))
        if way < 0.55:
            bomb = b'{"type":"resync","position":"' + b" " * 30_000_000 + b'"}'
            return Frames(frame(deflated(bomb), FIN | TEXT | RSV1))
        return Frames(frame(self._mutator.mangled(deflated(text), [text]), FIN | TEXT | RSV1))

    def _flipped(self, text: bytes, corpus: Corpus) -> Frames:
        return Frames(self._mutator.mangled(frame(text), [frame(corpus.texts[0])]), framed=False)

    def _of_another_length(self, text: bytes, _: Corpus) -> Frames:
        """Name a length that is not the payload's, or spell it longer than need be."""
        size, mask = len(text), b"\x01\x02\x03\x04"
        said = self._mutator.one_of(
            (size, size + 9, max(0, size - 3), 1 << 40, 1 << 63, (1 << 64) - 1)
        )
        first = self._mutator.one_of((FIN | TEXT, TEXT, FIN | CLOSE))
        head = bytes((first, MASKED | 127)) + said.to_bytes(8, "big") + mask
        return Frames(head + masked(text, mask), framed=False)

    def _unmasked(self, text: bytes, _: Corpus) -> Frames:
        return Frames(frame(text, mask=None), framed=False)

    def _garbage(self, _text: bytes, _: Corpus) -> Frames:
        return Frames(self._mutator.chance.randbytes(200), framed=False)
