"""The watch: counts what was sent, and keeps what should not have been."""

from __future__ import annotations

import re
from typing import Any, Literal

from msgspec import Struct

from tools.canary.canaries import Aviary, numbers_in

# How every token begins: `{"` in base64.
TOKEN = re.compile(r"eyJ[\w-]{8}")

Code = Literal["leaked", "wrong_view", "believed", "answered", "silent", "logged"]


class Finding(Struct, frozen=True, kw_only=True):
    """Something that must not be.

    Attributes:
        code: `leaked` a canary was sent to who may not see it; `wrong_view` a view is not what the
            oracle says; `believed` a position was taken for one of this view; `answered` a call
            was not refused; `silent` a viewer was not brought to where it should be; `logged` a
            canary or a token stands in a log line or a metric.
        viewer: which one, and who that was.
        version: the version the message spoke of, where it spoke of one.
        channel: what it came by.
        canary: its text, where one was seen; `place` and `kind` say what it is.
    """

    code: Code
    channel: str
    campaign_id: str = ""
    viewer: str = ""
    version: int | None = None
    canary: str = ""
    kind: str = ""
    place: str = ""
    detail: str = ""


class Tally(Struct):
    """How much there was of everything.

    Attributes:
        suggestions, signals, narrations, presences: messages of these kinds that held a canary, and
            reached those they were for.
    """

    campaigns: int = 0
    versions: int = 0
    views: int = 0
    viewers: int = 0
    messages: int = 0
    calls: int = 0
    bytes: int = 0
    canaries: int = 0
    connections: int = 0
    reconnects: int = 0
    new_roles: int = 0
    naps: int = 0
    lagged: int = 0
    restarts: int = 0
    log_lines: int = 0
    streams: int = 0
    polls: int = 0
    suggestions: int = 0
    signals: int = 0
    narrations: int = 0
    presences: int = 0


class Watch:
    """Keeps findings, each once, and the tally."""

    def __init__(self, aviary: Aviary) -> None:
        self.aviary = aviary
        self.tally = Tally()
        self.findings: list[Finding] = []
        self._seen: set[tuple[Any, ...]] = set()

    def found(self, campaign_id: str) -> bool:
        """Return whether anything was found at this campaign."""
        return any(finding.campaign_id == campaign_id for finding in self.findings)

    def leaked(
        self, numbers: set[int], *, campaign_id: str, viewer: str, version: int | None, channel: str
    ) -> None:
        """Keep that these canaries were sent to a viewer who may not see them."""
        for number in sorted(numbers):
            self._canary("leaked", number, campaign_id, viewer, version, channel)

    def add(self, finding: Finding) -> None:
        """Keep a finding, unless there is one like it."""
        name = (finding.code, finding.campaign_id, finding.viewer, finding.channel, finding.canary)
        if name not in self._seen:
            self._seen.add(name)
            self.findings.append(finding)

    def logged(self, text: str, channel: str) -> None:
        """Look through what a server says of itself, a log line or the metrics."""
        self.tally.log_lines += 1
        for number in sorted(numbers_in(text)):
            canary = self.aviary.find(number)
            if channel == "log" and canary is not None and canary.kind == "player id":
                # Who was refused something is said, by the id of their token.
                continue
            self._canary("logged", number, "", "", None, f"{channel}: {text[:200]}")
        if TOKEN.search(text):
            self.add(Finding(code="logged", channel=channel, detail="a token"))

    def _canary(
        self,
        code: Code,
        number: int,
        campaign_id: str,
        viewer: str,
        version: int | None,
        channel: str,
    ) -> None:
        canary = self.aviary.find(number)
        self.add(
            Finding(
                code=code,
                campaign_id=campaign_id or ("" if canary is None else canary.campaign_id),
                viewer=viewer,
                version=version,
                channel=channel,
                canary=str(number) if canary is None else canary.text,
                kind="made up" if canary is None else canary.kind,
                place="" if canary is None else canary.place,
            )
        )
