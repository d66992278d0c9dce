"""A short fuzz finds nothing, and would say so if it found something."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from typing import Any

import pytest

from bench.fuzz.corpus import KEPT, Caller, callers, corpus_of
from bench.fuzz.frames import CLOSE, TEXT, Frame, FrameMutator, deflated
from bench.fuzz.judge import Judge
from bench.fuzz.mutate import Mutator
from bench.fuzz.wire import BadResponseError, Response, responses_in
from tests.support.server import ROOT

SEED = "the same each time"
SECRET = "CANARY-0123"
MIRA = Caller("mira", "a.b.c", KEPT, (SECRET.encode(),))
NOW = "2026-11-23T21:14:00.000Z"


async def test_three_thousand_inputs_find_nothing_wrong() -> None:
    print(f"seed {SEED}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.fuzz", "--count", "3000", "--seed", SEED),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 100)
    finally:
        if process.returncode is None:
            # So that it ends its server too.
            process.send_signal(signal.SIGINT)
            await process.wait()
    text = output.decode()
    assert process.returncode == 0, text
    assert f"3,000 inputs, seed {SEED}" in text
    assert ": 0 wrong" in text
    for answer in ("http 201", "http 403 forbidden", "rejected forbidden", "close 4400"):
        assert f"  {answer}\n" in text, f"{answer} was never given:\n{text}"


def response(status: int, body: bytes, **headers: str) -> Response:
    """Return a response as a server would send it."""
    named = {"content-type": "application/problem+json", **headers}
    return Response(status, named, body, b"HTTP/1.1 %d X\r\n\r\n" % status + body)


def problem(status: int, code: str) -> Response:
    """Return a problem document."""
    return response(status, json.dumps({"status": status, "code": code}).encode())


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (problem(422, "invalid"), None),
        (problem(412, "version_conflict"), None),
        (problem(403, "forbidden"), None),
        (response(200, b"{}"), None),
        (response(404, b""), None),
        (problem(500, "store_unavailable"), "status 500"),
        (problem(503, "store_unavailable"), "status 503"),
        (problem(422, "surprise"), "status 422 with surprise"),
        (problem(403, "invalid"), "status 403 with invalid"),
        (response(400, b"Bad Request", **{"content-type": "text/plain"}), "status 400 with None"),
        (response(206, b"x"), "status 206"),
        (response(418, b""), "status 418"),
        (response(200, f'{{"plan":"{SECRET}"}}'.encode()), "a secret told to mira"),
    ],
)
def test_a_wrong_response_is_a_fault(answer: Response, fault: str | None) -> None:
    judge = Judge()
    judge.response(MIRA, answer, b"GET / HTTP/1.1\r\n\r\n")
    assert judge.answers.total() == 1
    assert [kind[: len(fault or "")] for kind in judge.faults] == ([fault] if fault else [])


def text(**message: Any) -> Frame:
    """Return a server's frame with a message in it."""
    return Frame(True, 0, TEXT, False, json.dumps({"timestamp": NOW, **message}).encode())


def close(code: int) -> Frame:
    """Return a server's close."""
    return Frame(True, 0, CLOSE, False, code.to_bytes(2, "big"))


DEACTIVATED = text(type="campaign_deactivated", campaign_id=KEPT)
TOLD = text(type="campaign_deactivated", campaign_id=SECRET)


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (DEACTIVATED, None),
        (text(type="error", code="invalid", message="No."), None),
        (close(4400), None),
        (close(4413), None),
        (close(1000), "closed with 1000"),
        (close(1011), "closed with 1011"),
        (close(4499), "closed with 4499"),
        (text(type="error", code="surprise", message="No."), "error surprise"),
        (text(type="error", code="store_unavailable", message="No."), "error store_unavailable"),
        (text(type="surprise"), "a message that is none of the protocol"),
        (Frame(True, 0, TEXT, False, b"\xff"), "a message that is none of the protocol"),
        (Frame(True, 0, 0x2, False, b"{}"), "a frame no server sends"),
        (Frame(True, 0, TEXT, True, DEACTIVATED.payload), "a frame no server sends"),
        (Frame(True, 0x20, TEXT, False, DEACTIVATED.payload), "a frame with reserved bits"),
        (Frame(True, 0x40, TEXT, False, b"\xff\xff"), "a frame that cannot be inflated"),
        (Frame(True, 0x40, TEXT, False, deflated(DEACTIVATED.payload)), None),
        (Frame(True, 0x40, TEXT, False, deflated(TOLD.payload)), "a secret told to mira"),
        (TOLD, "a secret told to mira"),
    ],
)
def test_a_wrong_frame_is_a_fault(frame: Frame, fault: str | None) -> None:
    judge = Judge()
    judge.frame(MIRA, frame, b"", closing=False)
    assert list(judge.faults) == ([fault] if fault else [])


def test_a_close_may_be_answered_in_kind() -> None:
    judge = Judge()
    judge.frame(MIRA, close(1000), b"", closing=True)
    assert not judge.faults
    judge.frame(MIRA, close(1011), b"", closing=True)
    assert list(judge.faults) == ["closed with 1011"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"level":"info","event":"refused","why":"No token."}', None),
        ('{"level":"info","event":"refused","what":"GET /a/CANARY-0123"}', None),
        ('{"level":"info","event":"refused","what":"GET /a?b=CANARY-0123"}', "a secret in the log"),
        ('{"level":"info","event":"refused","why":"CANARY-0123"}', "a secret in the log"),
        ('{"level":"error","event":"watch failed"}', "in the log: watch failed"),
        ('{"level":"info","event":"x","exception":"Traceback (most…"}', "in the log: x"),
        ("Exception ignored in: <function>", "a line in the log that is none"),
    ],
)
def test_a_wrong_line_in_the_log_is_a_fault(line: str, fault: str | None) -> None:
    judge = Judge()
    judge.log([line], [SECRET])
    assert list(judge.faults) == ([fault] if fault else [])


def test_what_is_no_response_is_found_among_those_that_are() -> None:
    good = b"HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\n{}"
    bare = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    assert [each.status for each in responses_in(good + good, ("GET", "GET"))] == [404, 404]
    assert [each.status for each in responses_in(bare + good, ("HEAD", "GET"))] == [200, 404]
    for wrong in (good + b"Traceback", b"HTTP/1.1 oops\r\n\r\n", good[:20]):
        with pytest.raises(BadResponseError):
            responses_in(wrong, ("GET",))


def test_a_seed_makes_the_same_inputs_again() -> None:
    made = []
    for seed in ("one", "one", "two"):
        mutator = Mutator(random.Random(seed))
        corpus = corpus_of(callers({}, {})[0], "secret")
        frames = FrameMutator(mutator, [])
        made.append([frames.frames(corpus).data for _ in range(200)])
    assert made[0] == made[1]
    assert made[0] != made[2]
    assert len(set(made[0])) > 150
