"""What a server may answer; all else is a fault, and is kept with what brought it about."""

from __future__ import annotations

import json
import zlib
from collections import Counter, deque
from collections.abc import Collection, Sequence

import msgspec

from bench.fuzz.corpus import Caller
from bench.fuzz.frames import CLOSE, PING, PONG, RSV1, TEXT, Frame, inflated
from bench.fuzz.wire import Response
from questlog.campaign.errors import rejections
from questlog.sync.closing import CloseCode
from questlog.sync.messages import Error, Rejected, read_server_message
from server.problems import STATUSES

SHOWN = 600
EXAMPLES = 3
NORMAL = 1000
REMEMBERED = 300
# Told of requests that reach no handler.
ROUTING = (("invalid", 400), ("invalid", 404), ("invalid", 405), ("invalid", 417))
PLAIN = frozenset({101, 200, 201, 204, 304})
PATHS = frozenset({"what", "path"})
LEVELS = frozenset({"debug", "info", "warning"})


class Judge:
    """Takes what a server says.

    Attributes:
        answers: how often it gave each answer: `http 422 invalid`, `error bad_json`, `close 4400`.
        faults: each kind of fault and how often it was found.
        examples: of each kind, what was found and what had been sent.
        positions: the last that anybody was told.
    """

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.examples: list[str] = []
        self.positions: deque[str] = deque(maxlen=REMEMBERED)
        self._codes = frozenset(rejections())
        self._pairs = frozenset({*STATUSES.items(), *ROUTING, ("version_conflict", 412)})

    def fault(self, kind: str, found: object, sent: bytes = b"") -> None:
        """Note a fault.

        Args:
            found: what the server said or did; shown, and not counted by.
            sent: what brought it about.
        """
        self.faults[kind] += 1
        if self.faults[kind] <= EXAMPLES:
            was = f"\n    sent: {sent[:SHOWN]!r}" if sent else ""
            self.examples.append(f"{kind}\n    found: {str(found)[:SHOWN]}{was}")

    def response(self, caller: Caller, response: Response, sent: bytes) -> None:
        """Judge an HTTP response."""
        self._secrets(caller, response.raw, sent)
        status = response.status
        if status < 400:
            self.answers[f"http {status}"] += 1
            if status not in PLAIN:
                self.fault(f"status {status}, which is not documented", response.raw, sent)
            return
        code = _code_of(response)
        self.answers[f"http {status} {code or '(HEAD)'}"] += 1
        if code is None and not response.body:
            # The answer to HEAD. That what has no body is one, the reader of responses knows.
            if status not in {status for _, status in self._pairs}:
                self.fault(f"status {status}, which is not documented", response.raw, sent)
        elif (code, status) not in self._pairs or status >= 500:
            self.fault(f"status {status} with {code}", response.raw, sent)

    def frame(self, caller: Caller, frame: Frame, sent: bytes, *, closing: bool) -> None:
        """Judge a frame of a server.

        Args:
            closing: the client has sent a close of its own, which may be answered in kind.
        """
        rsv, payload = frame.rsv, frame.payload
        if not frame.fin or frame.masked or frame.opcode not in (TEXT, PING, PONG, CLOSE):
            self.fault("a frame no server sends", frame, sent)
            return
        if frame.opcode == TEXT and rsv == RSV1:
            try:
                rsv, payload = 0, inflated(payload)
            except zlib.error as error:
                self.fault("a frame that cannot be inflated", error, sent)
                return
        self._secrets(caller, payload, sent)
        if rsv:
            self.fault("a frame with reserved bits", frame, sent)
        elif frame.opcode == TEXT:
            self._message(payload, sent)
        elif frame.opcode == CLOSE:
            self._close(payload, sent, closing)

    def vanished(self, caller: Caller, sent: bytes) -> None:
        """Note a connection that was ended without a word."""
        self.fault("a connection that ended without a word", caller.name, sent)

    def silent(self, caller: Caller, seconds: float, sent: bytes) -> None:
        """Note that an answer did not come."""
        self.fault("no answer", f"for {seconds:g} s to {caller.name}", sent)

    def log(self, lines: Sequence[str], secrets: Collection[str]) -> None:
        """Judge a server's log, one JSON object a line.

        Args:
            secrets: what may stand in no line; but what a path without a query holds is its
                sender's own doing.
        """
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                self.fault("a line in the log that is none", line)
                continue
            if entry.get("level") not in LEVELS or "Traceback" in line:
                self.fault(f"in the log: {entry.get('event')}", _end_of(line))
            said = {
                name: value
                for name, value in entry.items()
                if name not in PATHS or "?" in str(value)
            }
            text = json.dumps(said, ensure_ascii=False)
            for secret in secrets:
                if secret in text:
                    self.fault("a secret in the log", line)

    def _message(self, payload: bytes, sent: bytes) -> None:
        try:
            message = read_server_message(payload)
        except (msgspec.DecodeError, UnicodeError) as error:
            self.fault("a message that is none of the protocol", f"{error}: {payload!r}", sent)
            return
        kind = str(type(message).__struct_config__.tag)
        if not isinstance(message, Error | Rejected):
            self.answers[kind] += 1
            self.positions.append(getattr(message, "position", None) or "1")
            return
        self.answers[f"{kind} {message.code}"] += 1
        if message.code not in self._codes or message.code == "store_unavailable":
            self.fault(f"{kind} {message.code}", message, sent)

    def _close(self, payload: bytes, sent: bytes, closing: bool) -> None:
        code = int.from_bytes(payload[:2], "big")
        self.answers[f"close {code}"] += 1
        known = {int(code) for code in CloseCode} - {CloseCode.RESTARTING}
        if code not in known and not (closing and code == NORMAL):
            self.fault(f"closed with {code}", payload, sent)

    def _secrets(self, caller: Caller, data: bytes, sent: bytes) -> None:
        for secret in caller.forbidden:
            if secret in data:
                self.fault(f"a secret told to {caller.name}", data, sent)


def _code_of(response: Response) -> str | None:
    """Return the code of a problem document, None where the body is none."""
    if response.headers.get("content-type") != "application/problem+json":
        return None
    try:
        body = json.loads(response.body)
    except ValueError:
        return None
    return body.get("code") if isinstance(body, dict) and body.get("status") else None


def _end_of(line: str) -> str:
    """Return the part of a log line that says most: the end of a traceback is the fault."""
    return line if len(line) <= SHOWN else f"{line[:100]} … {line[-(SHOWN - 110) :]}"
