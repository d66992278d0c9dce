"""What fuzzing found wrong, each in its smallest form."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.access import guarded
from tests.support.logs import Lines, lines_logger
from tests.support.peer import Caller, put

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


async def raw(call: Caller, first: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """Send a request by hand, on a connection of its own; returns all that comes back."""
    host, _, port = call.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [first + b" HTTP/1.1", f"Host: {host}:{port}".encode(), *headers]
    writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


@pytest.mark.parametrize("path", [b"/ws/campaign/player", b"/play", b"/nowhere", b"/healthz"])
@pytest.mark.parametrize("expected", [b"CANARY", b"\xff"])
async def test_an_expectation_is_refused_in_the_same_way_everywhere(
    call: Caller, path: bytes, expected: bytes
) -> None:
    answer = await raw(call, b"GET " + path, b"Expect: " + expected, b"Connection: close")
    assert answer.startswith(b"HTTP/1.1 417")
    assert b'"code":"invalid"' in answer
    assert b"nosniff" in answer
    assert expected not in answer


async def test_an_old_client_is_not_sent_an_answer_it_does_not_know(call: Caller) -> None:
    host, _, port = call.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.0 200")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"Upgrade", b"\xff"),
        (b"Connection", b"\xff"),
        (b"Sec-WebSocket-Version", b"\xff"),
        (b"Sec-WebSocket-Key", b"\xff" * 24),
        (b"Sec-WebSocket-Key", b"\xc3\xa9" * 12),
    ],
)
async def test_a_handshake_whose_headers_are_no_text_is_a_bad_request(
    call: Caller, name: bytes, value: bytes
) -> None:
    headers = {
        b"Connection": b"Upgrade",
        b"Upgrade": b"websocket",
        b"Sec-WebSocket-Version": b"13",
        b"Sec-WebSocket-Key": KEY,
        name: value,
    }
    lines = [name + b": " + value for name, value in headers.items()]
    answer = await raw(call, b"GET /ws/campaign/player", *lines, b"Connection: close")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b'"code":"invalid"' in answer


@pytest.mark.parametrize("path", [b"/api/campaigns/c/state", b"/healthz", b"/nowhere"])
async def test_after_a_body_that_cannot_be_decoded_the_connection_ends_as_announced(
    call: Caller, caplog: pytest.LogCaptureFixture, path: bytes
) -> None:
    await call.create("c", {"a": 1})
    headers = (b"Content-Encoding: gzip", b"Content-Type: text/plain", b"Content-Length: 2")
    answer = await raw(call, b"PATCH " + path, *headers, body=b"{}")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.count(b"HTTP/1.") == 1
    assert "Traceback" not in caplog.text
    assert "ncoding" not in caplog.text


@pytest.mark.parametrize("header", ["Range: bytes=9-1", "Range: bytes=0-0", 'If-Match: "x"'])
async def test_a_page_comes_whole_whatever_is_asked_of_it(call: Caller, header: str) -> None:
    name, _, value = header.partition(": ")
    _, whole = await page_with(call, {})
    assert "<html" in whole
    assert await page_with(call, {name: value}) == (200, whole)


async def page_with(call: Caller, headers: dict[str, str]) -> tuple[int, str]:
    """Return the status and the text of the page where invites are opened."""
    async with call.session.get(f"{call.url}/play", headers=headers) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"patch": [], "CANARY": 1}, "invalid"),
        ({"patch": [], "kind": "CANARY"}, "invalid"),
        ({"patch": [put("/a/CANARY/x", 1)]}, "patch_failed"),
        ({"patch": [{"op": "CANARY", "path": ""}]}, "patch_failed"),
    ],
)
async def test_the_log_does_not_quote_what_was_wrong_with_a_body(
    tmp_path: Path, body: dict[str, Any], code: str
) -> None:
    lines = Lines()
    async with guarded(tmp_path, log=lines_logger(lines)) as served, served.calling("dm") as dm:
        await dm.create("c", {"a": {}})
        _, problem = await dm("POST", "/api/campaigns/c/events", json=body)
        async with dm.socket("dm", campaign_id="c") as peer:
            answer = await peer.ask(type="commit", id="x", **body)
    assert problem["code"] == answer["code"] == code
    (told, *_) = lines.events("refused")
    assert (told["code"], bool(told["why"])) == (code, True)
    assert "CANARY" not in lines.text()
