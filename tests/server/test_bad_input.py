"""Bad input gets its documented code, changes nothing, and comes back in no answer."""

from __future__ import annotations

import asyncio
import contextlib
import io
from pathlib import Path
from typing import Any

import pytest

from server.config import Config
from tests.support.peer import Caller, calling, put
from tests.support.server import serving

DEEP = b"[" * 1000 + b"]" * 1000
BODIES = [
    (b"", 422, "invalid"),
    (b"{", 400, "bad_json"),
    (b'{"structured_data":{"a":NaN}}', 400, "bad_json"),
    (b'{"structured_data":{"a":1e999}}', 400, "bad_json"),
    (b'{"structured_data":{"a":"\\ud800"}}', 400, "bad_json"),
    (b'{"structured_data":{"a":"\xed\xa0\x80"}}', 400, "bad_json"),
    (b'\xef\xbb\xbf{"structured_data":{}}', 400, "bad_json"),
    (b'{"structured_data":{"a":' + DEEP + b"}}", 422, "invalid"),
    (b'{"structured_data":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001, 422, "invalid"),
    (b'{"structured_data":[]}', 422, "invalid"),
    (b'{"structured_data":{},"surprise":1}', 422, "invalid"),
    (b'{"structured_data":{},"visibility":{}}', 422, "invalid"),
    (b'{"structured_data":{},"title":7}', 422, "invalid"),
    (b'{"structured_data":{"a":"' + b"x" * 20_000_000 + b'"}}', 413, "too_large"),
    (b'{"structured_data":{},"visibility":{"rules":[{"path":"dm","to":["dm"]}]}}', 422, "invalid"),
    (b'{"structured_data":{},"visibility":{"rules":[{"path":"/a","to":["x"]}]}}', 422, "invalid"),
    (b'{"structured_data":{"n":' + b"9" * 5000 + b"}}", 400, "bad_json"),
]


@pytest.mark.parametrize(("body", "status", "code"), BODIES, ids=[str(b[0][:30]) for b in BODIES])
async def test_a_bad_creation_creates_nothing(
    call: Caller, body: bytes, status: int, code: str
) -> None:
    answered, problem = await call("PUT", "/api/campaigns/c", data=io.BytesIO(body))
    assert (answered, problem["code"]) == (status, code)
    assert await call("GET", "/api/campaigns") == (200, {"campaigns": []})


COMMITS: list[tuple[Any, str]] = [
    ({}, "invalid"),
    ({"patch": [], "structured_data": {}}, "invalid"),
    ({"patch": {}}, "invalid"),
    ({"patch": [1]}, "invalid"),
    ({"patch": [{}]}, "patch_failed"),
    ({"patch": [{"op": "add"}]}, "patch_failed"),
    ({"patch": [{"op": "fly", "path": "/a"}]}, "patch_failed"),
    ({"patch": [{"op": "add", "path": "a", "value": 1}]}, "patch_failed"),
    ({"patch": [{"op": "add", "path": "/no/where", "value": 1}]}, "patch_failed"),
    ({"patch": [{"op": "remove", "path": ""}]}, "patch_failed"),
    ({"patch": [put("", [1])]}, "invalid"),
    ({"patch": [put("", 1)]}, "invalid"),
    ({"structured_data": []}, "invalid"),
    ({"patch": [], "kind": "Upper Case"}, "invalid"),
    ({"patch": [], "kind": ""}, "invalid"),
    ({"patch": [], "kind": "campaign.created"}, "invalid"),
    ({"patch": [], "kind": "visibility.changed"}, "invalid"),
    ({"patch": [], "kind": "narration.begun"}, "invalid"),
    ({"patch": [], "kind": "x" * 65}, "invalid"),
    ({"patch": [], "id": ""}, "invalid"),
    ({"patch": [], "id": "x" * 65}, "invalid"),
    ({"patch": [], "id": 7}, "invalid"),
    ({"patch": [], "expected_version": "1"}, "invalid"),
    ({"patch": [], "meta": []}, "invalid"),
    ({"patch": [], "meta": {"a": "x" * 70_000}}, "too_large"),
    ({"patch": [{"op": "test", "path": "/a", "value": 1}] * 10_001}, "too_large"),
    ({"patch": [], "expected_verison": 1}, "invalid"),
]


@pytest.mark.parametrize(("body", "code"), COMMITS, ids=[str(c[0])[:40] for c in COMMITS])
async def test_a_bad_commit_commits_nothing(call: Caller, body: Any, code: str) -> None:
    await call.create("c", {"a": 1})
    async with call.socket("dm", campaign_id="c") as dm:
        await dm.until("campaign_active")
        status, problem = await call("POST", "/api/campaigns/c/events", json=body)
        assert (status >= 400, problem["code"]) == (True, code)
        identifier = body.get("id") if isinstance(body.get("id"), str) else "asked"
        answer = await dm.ask(type="commit", **{"id": identifier, **body})
        assert answer["code"] == code
    _, state = await call("GET", "/api/campaigns/c/state")
    assert (state["version"], state["structured_data"]) == (1, {"a": 1})


async def test_a_copy_bomb_is_refused_before_it_grows(call: Caller) -> None:
    await call.create("c", {"a": ["x" * 1000]})
    bomb = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 40
    answer = await call.commit("c", *bomb)
    assert answer["code"] == "too_large"


async def test_a_document_may_not_grow_over_the_limit_step_by_step(tmp_path: Path) -> None:
    config = Config(open=True, max_document=1000)
    async with serving(tmp_path / "q.db", config=config) as url, calling(url) as call:
        await call.create("c", {"a": ""})
        shrinking = [put("/b", "x" * 2000), {"op": "remove", "path": "/b"}]
        assert (await call.commit("c", *shrinking))["code"] == "too_large"
        assert (await call.commit("c", put("/b", "x" * 900)))["version"] == 2
        assert (await call.commit("c", put("/c", "x" * 900)))["code"] == "too_large"


@pytest.mark.parametrize(
    "name", ["a%2Fb", "%7Bid%7D", "a%20b", ".", "..", "a%00b", "x" * 129, "a%22b"]
)
async def test_an_id_that_cannot_be_one_is_refused(call: Caller, name: str) -> None:
    from yarl import URL

    url = URL(f"{call.url}/api/campaigns/{name}", encoded=True)
    async with call.session.put(url, json={"structured_data": {}}) as answer:
        assert answer.status in (404, 405, 422)
        assert (await answer.json())["code"] == "invalid"
    assert await call("GET", "/api/campaigns") == (200, {"campaigns": []})


async def raw(url: str, request: bytes) -> bytes:
    """Send bytes and return all that comes back."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_a_megabyte_of_headers_comes_back_nowhere(
    call: Caller, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    host = call.url.removeprefix("http://").encode()
    for request in (
        b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\nX: " + b"TOPSECRET" * 100_000,
        b"GET /" + b"TOPSECRET" * 100_000 + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n",
        b"TOPSECRET\r\n\r\n",
    ):
        answer = await raw(call.url, request)
        assert answer.startswith(b"HTTP/1.0 400")
        assert b'"code":"invalid"' in answer
        assert b"TOPSECRET" not in answer
    assert "TOPSECRET" not in caplog.text
    assert "TOPSECRET" not in "".join(capsys.readouterr())
    assert await call("GET", "/healthz") == (200, {"status": "alive"})


async def test_only_this_machine_and_pages_of_ours_are_answered(call: Caller) -> None:
    own = call.url
    for headers in ({"Host": "evil.example"}, {"Host": ""}, {"Origin": "http://evil.example"}):
        status, problem = await call("GET", "/api/campaigns", headers=headers)
        assert (status, problem["code"]) == (403, "forbidden"), headers
        async with call.session.get(
            f"{own}/ws/campaign/player",
            headers={**headers, "Connection": "Upgrade", "Upgrade": "websocket"},
        ) as answer:
            assert answer.status == 403
    for headers in ({"Origin": own}, {"Host": own.removeprefix("http://")}):
        assert (await call("GET", "/api/campaigns", headers=headers))[0] == 200


FRAMES = [
    ('{"type":"nonsense"}', "invalid", False),
    ('{"type":"resync","surprise":1}', "invalid", False),
    ('{"type":"heartbeat","version":"one"}', "invalid", False),
    ('{"type":"commit","id":"x"}', "invalid", False),
    ("{", "bad_json", True),
    ("[]", "invalid", True),
    ("{}", "invalid", True),
    ('{"type":7}', "invalid", True),
    ('{"type":"resync","position":NaN}', "bad_json", True),
    ('{"type":"x","a":' + "[" * 1000 + "]" * 1000 + "}", "invalid", True),
]


@pytest.mark.parametrize(("frame", "code", "fatal"), FRAMES, ids=[f[0][:30] for f in FRAMES])
async def test_a_bad_frame_is_told_and_only_a_hopeless_one_ends_the_socket(
    call: Caller, frame: str, code: str, fatal: bool
) -> None:
    await call.create("c", {"a": 1})
    async with call.socket("dm", campaign_id="c") as peer:
        await peer.until("campaign_active")
        await peer.socket.send_str(frame)
        answer = await peer.next()
        assert (answer["type"] in ("error", "rejected"), answer["code"]) == (True, code)
        if fatal:
            assert await peer.closed() == 4400
        else:
            await peer.say(type="heartbeat", version=1)
            assert (await peer.next())["type"] == "heartbeat"


async def test_binary_and_oversized_frames_end_the_socket(call: Caller) -> None:
    await call.create("c", {"a": 1})
    async with call.socket(campaign_id="c") as peer:
        await peer.until("campaign_active")
        await peer.socket.send_bytes(b"{}")
        assert (await peer.next())["code"] == "bad_json"
        assert await peer.closed() == 4400
    async with call.socket("dm", campaign_id="c") as peer:
        await peer.until("campaign_active")
        await peer.socket.send_str('"' + "x" * 17_000_000 + '"')
        assert (await peer.next())["code"] == "too_large"
        assert await peer.closed() == 4413


@pytest.mark.parametrize(
    ("query", "code", "close"),
    [
        ({"campaign_id": "nobody"}, "unknown_campaign", 4404),
        ({"campaign_id": "a/b"}, "invalid", 4400),
        ({"campaign_id": "c", "mode": "sideways"}, "invalid", 4400),
        ({"campaign_id": "c", "player_id": "a b"}, "invalid", 4400),
        ({"table": "a/b"}, "invalid", 4400),
    ],
)
async def test_a_socket_that_cannot_be_served_is_told_why(
    call: Caller, query: dict[str, str], code: str, close: int
) -> None:
    await call.create("c", {})
    async with call.socket(**query) as peer:
        assert (await peer.next())["code"] == code
        assert await peer.closed() == close


async def test_a_player_may_not_commit(call: Caller) -> None:
    await call.create("c", {"a": 1})
    async with call.socket(campaign_id="c", player_id="mira") as peer:
        await peer.until("campaign_active")
        for request in (
            {"type": "commit", "id": "x", "patch": [put("/a", 2)]},
            {"type": "activate", "id": "x", "campaign_id": "c"},
            {"type": "deactivate", "id": "x"},
        ):
            answer = await peer.ask(**request)
            assert (answer["type"], answer["id"], answer["code"]) == ("rejected", "x", "forbidden")
    assert (await call("GET", "/api/campaigns/c"))[1]["version"] == 1


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b'{"default":"visible"}'])
async def test_rules_that_were_lost_on_the_way_open_nothing(call: Caller, body: bytes) -> None:
    await call.create("c", {"dm": {"secret": "CANARY"}})
    status, problem = await call("PUT", "/api/campaigns/c/visibility", data=body)
    assert (status, problem["code"]) == (422, "invalid")
    _, state = await call("GET", "/api/campaigns/c/state?as=player")
    assert (state["version"], state["structured_data"]) == (1, {})


async def test_a_body_that_is_not_encoded_as_it_says_is_bad_json(call: Caller) -> None:
    await call.create("c", {"a": 1})
    headers = {"Content-Encoding": "gzip"}
    async with call.session.put(
        f"{call.url}/api/campaigns/c/state", data=b"{}", headers=headers, compress=False
    ) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "bad_json")


async def test_an_expectation_is_met_or_refused_without_an_echo(call: Caller) -> None:
    host = call.url.removeprefix("http://").encode()
    put_it = b"PUT /api/campaigns/c HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n"
    body = b'{"structured_data":{}}'
    length = f"Content-Length: {len(body)}\r\n".encode()
    answer = await raw(call.url, put_it + length + b"Expect: CANARY\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 417")
    assert b'"code":"invalid"' in answer
    assert b"CANARY" not in answer
    answer = await raw(call.url, put_it + length + b"Expect: 100-continue\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201")


async def test_a_peer_that_does_not_read_its_answers_is_not_read_either(tmp_path: Path) -> None:
    config = Config(open=True, outbox=64 * 1024, slow_timeout=1.0, player_rate=1_000_000)
    async with serving(tmp_path / "q.db", config=config) as url, calling(url) as call:
        await call.create("c", {"a": 1})
        async with call.socket(campaign_id="c") as peer:
            await peer.next()
            transport = peer.socket._writer.transport
            transport.pause_reading()
            with contextlib.suppress(ConnectionError, TimeoutError):
                # Long enough for a busy machine to fill what lies between the two.
                async with asyncio.timeout(12):
                    for _ in range(100_000):
                        await peer.say(type="nonsense", position="x" * 10_000)
            transport.resume_reading()
            assert await peer.closed() in (4001, 1006)


async def test_answers_come_in_the_order_of_their_requests(call: Caller) -> None:
    await call.create("c", {"n": 0})
    async with call.socket("dm", campaign_id="c") as dm:
        await dm.next()
        asked = []
        for number in range(30):
            await dm.say(type="commit", id=f"good-{number}", patch=[put("/n", number)])
            await dm.say(type="commit", id=f"bad-{number}", surprise=1)
            asked += [f"good-{number}", f"bad-{number}"]
        await dm.say(type="activate", campaign_id="c", id="seat")
        await dm.say(type="commit", id="last", patch=[])
        asked += ["seat", "last"]
        answered: list[str] = []
        while len(answered) < len(asked):
            message = await dm.next()
            if message["type"] in ("committed", "rejected"):
                answered.append(message["id"])
        assert answered == asked


async def test_an_id_of_any_length_is_not_repeated(call: Caller) -> None:
    await call.create("c", {"n": 0})
    async with call.socket("dm", campaign_id="c") as dm:
        await dm.next()
        await dm.say(type="commit", id="x" * 100_000, patch=[])
        answer = await dm.next()
        assert (answer["type"], answer["code"], len(str(answer)) < 300) == (
            "error",
            "invalid",
            True,
        )
