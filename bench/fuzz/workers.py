"""Workers: each sends inputs over connections of its own, and hands the judge what comes back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping

from msgspec import structs

from bench.fuzz.calls import CallMutator
from bench.fuzz.corpus import Call, Caller, Corpus
from bench.fuzz.frames import CLOSE, FIN, PING, PONG, FrameMutator, Frames, frame, read_frame
from bench.fuzz.judge import Judge
from bench.fuzz.mutate import Mutator
from bench.fuzz.wire import BadResponseError, GoneError, Line, responses_in

# Seconds: for an answer that must come, and for one that may not.
PATIENCE, GLANCE = 30.0, 0.15
CALLS, BURSTS = 40, 12
LARGE = 100_000
# A server that answers nobody any more would hold up the end for hours.
ENOUGH = 500
PROBE = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


class Budget:
    """How many inputs are still to be sent, and how many were.

    Attributes:
        sent: of this and every budget before it.
    """

    def __init__(self, sent: int = 0) -> None:
        self.sent = sent
        self._until = sent

    @property
    def left(self) -> bool:
        """Whether more may be sent."""
        return self.sent < self._until

    def allow(self, count: int) -> None:
        """Let so many more be sent."""
        self._until += count

    def take(self) -> bool:
        """Count one input; False where no more are to be sent."""
        if not self.left:
            return False
        self.sent += 1
        return True


class Worker:
    """Sends calls and frames as callers drawn by lot, one connection after the other."""

    def __init__(
        self,
        judge: Judge,
        budget: Budget,
        port: int,
        corpora: Mapping[Caller, Corpus],
        chance: random.Random,
        huge: int,
    ) -> None:
        self._judge = judge
        self._budget = budget
        self._port = port
        self._corpora = corpora
        self._callers = [caller for caller in corpora for _ in range(caller.weight)]
        self._chance = chance
        self._mutator = Mutator(chance, huge)
        self._calls = CallMutator(self._mutator, b"127.0.0.1:%d" % port)
        self._frames = FrameMutator(self._mutator, judge.positions)

    async def run(self) -> None:
        """Send until the budget is spent, or there are faults enough."""
        while self._budget.left and self._judge.faults.total() < ENOUGH:
            caller = self._mutator.one_of(self._callers)
            kind = self._call_on if self._chance.random() < 0.4 else self._talk
            await kind(caller, self._corpora[caller])

    async def _call_on(self, caller: Caller, corpus: Corpus) -> None:
        """Send requests over one connection while it lasts."""
        async with await Line.open(self._port) as line:
            for _ in range(CALLS):
                sent = self._calls.sent(caller, corpus)
                if not self._budget.take():
                    return
                if not sent.framed:
                    await self._unframed(caller, sent.data, sent.methods)
                elif not await self._framed(line, caller, sent.data, sent.methods[0]):
                    return

    async def _framed(self, line: Line, caller: Caller, data: bytes, method: str) -> bool:
        """Send a request that must be answered; returns whether the connection goes on."""
        line.send(data)
        try:
            async with asyncio.timeout(PATIENCE):
                response = await line.response(method)
        except TimeoutError:
            self._judge.silent(caller, PATIENCE, data)
            return False
        except BadResponseError as error:
            self._judge.fault("a response that is none", error, data)
            return False
        if response is None:
            self._judge.vanished(caller, data)
            return False
        self._judge.response(caller, response, data)
        return not response.last and response.status != 101

    async def _unframed(self, caller: Caller, data: bytes, methods: tuple[str, ...]) -> None:
        """Send what may not be a request, or be several, and an honest one after it.

        Whether there is an answer to each cannot be known, but whatever comes must be answers.
        """
        async with await Line.open(self._port) as line:
            line.send(data + PROBE)
            found = await line.everything(GLANCE)
        try:
            responses = responses_in(found, methods)
        except BadResponseError as error:
            self._judge.fault("a response that is none", error, data)
            return
        for response in responses:
            self._judge.response(caller, response, data)

    async def _talk(self, caller: Caller, corpus: Corpus) -> None:
        """Open a socket, say things, and see that each is answered or ends it."""
        call = self._mutator.one_of(corpus.sockets)
        mutated = self._chance.random() < 0.2
        if mutated and not self._budget.take():
            return
        honest = self._calls.honest(self._resuming(call))
        data = self._calls.handshake(call) if mutated else honest
        async with await Line.open(self._port) as line:
            line.send(data)
            try:
                async with asyncio.timeout(PATIENCE):
                    response = await line.response(call.method)
            except TimeoutError:
                self._judge.silent(caller, PATIENCE, data)
                return
            except BadResponseError as error:
                self._judge.fault("a response that is none", error, data)
                return
            if response is None:
                self._judge.vanished(caller, data)
                return
            self._judge.response(caller, response, data)
            if response.status != 101:
                return
            for _ in range(BURSTS):
                if not await self._burst(line, caller, corpus):
                    return
            await self._converse(line, caller, Frames(frame(b"\x03\xe8", FIN | CLOSE), closes=True))

    def _resuming(self, call: Call) -> Call:
        """Have a handshake name a true position, now and then."""
        positions = self._judge.positions
        if b"since" in call.target or not positions or self._chance.random() < 0.6:
            return call
        mark = b"&" if b"?" in call.target else b"?"
        since = self._mutator.one_of(positions).encode()
        return structs.replace(call, target=call.target + mark + b"since=" + since)

    async def _burst(self, line: Line, caller: Caller, corpus: Corpus) -> bool:
        """Send a few messages at once; returns whether the socket goes on."""
        data = b""
        for _ in range(self._mutator.one_of((1, 1, 2, 5))):
            if not self._budget.take():
                return False
            frames = self._frames.frames(corpus)
            data += frames.data
            if not frames.framed:
                return await self._converse(
                    line, caller, Frames(data, framed=False, closes=frames.closes)
                )
        return await self._converse(line, caller, Frames(data))

    async def _converse(self, line: Line, caller: Caller, frames: Frames) -> bool:
        """Send frames, then a ping, and take what comes up to its pong; False: that never came."""
        mark = self._chance.randbytes(8)
        line.send(frames.data)
        if caller.role == "dm" and self._chance.random() < 0.5:
            # A commit is answered when it is on disk, and after a fault nothing is any more.
            await asyncio.sleep(GLANCE / 4)
        line.send(frame(mark, FIN | PING))
        try:
            async with asyncio.timeout(PATIENCE if frames.framed else GLANCE):
                while True:
                    found = await read_frame(line)
                    # What is no frame may by chance be a close.
                    closing = frames.closes or not frames.framed
                    self._judge.frame(caller, found, frames.data, closing=closing)
                    if found.opcode == PONG and found.payload == mark:
                        return True
                    if found.opcode == PING:
                        line.send(frame(found.payload, FIN | PONG))
                    if found.opcode == CLOSE:
                        line.send(frame(found.payload[:2], FIN | CLOSE))
                        return False
        except TimeoutError:
            if frames.framed:
                self._judge.silent(caller, PATIENCE, frames.data)
        except GoneError:
            # A server that hears no more resets a peer still sending, and the kernel may then throw
            # away what the peer has not read.
            if not frames.closes and len(frames.data) < LARGE:
                self._judge.vanished(caller, frames.data)
        return False
