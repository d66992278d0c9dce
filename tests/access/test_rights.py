"""The table of who may do what, walked: every call and message, by every kind of caller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import pytest
from aiohttp import web

from questlog.campaign.authority import MAY, Act, may
from questlog.sync.messages import ClientMessage
from server.access.records import ROLES
from server.routes import add_to
from tests.support.access import Guarded, guarded

DOCUMENT = {"hp": 7, "dm": {"plan": "CANARY-DM"}, "private": {"mira": {}, "tobin": {"a": "CANARY"}}}
SECURITY = Path(__file__).resolve().parents[2] / "docs" / "security.md"
BODIES: dict[str, Any] = {
    "PUT /api/campaigns/{id}": {"structured_data": {}},
    "PUT /api/campaigns/{id}/state": DOCUMENT,
    "PATCH /api/campaigns/{id}/state": {"hp": 6},
    "POST /api/campaigns/{id}/events": {"patch": []},
    "PUT /api/campaigns/{id}/visibility": {"rules": [{"path": "/dm", "to": ["dm"]}]},
    "POST /api/campaigns/{id}/messages": {"type": "heartbeat", "version": 1},
    "POST /api/join": {"invite": "x", "id": "x"},
}
MESSAGES: dict[str, dict[str, Any]] = {
    "resync": {"position": None},
    "heartbeat": {"version": 1},
    "commit": {"id": "x", "patch": []},
    "activate": {"id": "y", "campaign_id": "c"},
    "deactivate": {"id": "z"},
    "player_status": {"status": "ready"},
    "signal": {"name": "dice"},
    "player_suggestion": {"id": "s", "content": "I hide."},
    "decide_suggestion": {"id": "s", "decision": "dismiss"},
    "take_lease": {"id": "t"},
    "release_lease": {"id": "r", "lease": 1},
    "narration": {"id": "n", "phase": "begin"},
}
# What is answered to who may do it, but not like this.
LET_IN = {"release_lease": "lease_lost"}
REFUSED = {"yes": None, "forbidden": "forbidden"}


def table() -> list[tuple[str, dict[str, str]]]:
    """Return the rows of the table in the docs: a call or message, and what each caller gets."""
    text = SECURITY.read_text("utf-8").partition("<!-- rights: begin -->")[2]
    lines = text.partition("<!-- rights: end -->")[0].strip().splitlines()
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
    callers = rows[0][1:]
    return [(row[0].strip("`"), dict(zip(callers, row[1:], strict=True))) for row in rows[2:]]


ROWS = table()
CALLERS = list(ROWS[0][1])


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Yield a server with campaigns `c` and `other`."""
    async with guarded(tmp_path) as served:
        for name in ("c", "other"):
            token = await served.token("dm", campaign_id=name)
            async with served.calling(token=token) as dm:
                await dm.create(name, DOCUMENT)
        yield served


async def token_of(served: Guarded, caller: str) -> str | None:
    """Return what a kind of caller shows."""
    if caller == "no token":
        return None
    if caller == "seat elsewhere":
        return await served.token("dm", campaign_id="other")
    if caller == "expired token":
        return await served.token("dm", lasts=-1)
    role = next(role for role in ROLES if role == caller)
    return await served.token(role, "mira" if role == "player" else None)


def test_every_call_and_message_has_a_row() -> None:
    app = web.Application()
    add_to(app)
    calls = {
        f"{route.method} {route.resource.canonical}"
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    messages = {str(kind.__struct_config__.tag) for kind in get_args(ClientMessage)}
    listed = {name.partition("?")[0] for name, _ in ROWS}
    assert listed == calls | messages
    assert CALLERS == ["dm", "player", "spectator", "seat elsewhere", "expired token", "no token"]


@pytest.mark.parametrize("caller", CALLERS)
async def test_every_caller_gets_what_the_table_says(served: Guarded, caller: str) -> None:
    token = await token_of(served, caller)
    async with served.calling(token=token) as call:
        for name, answers in ROWS:
            if name.startswith("GET /ws/"):
                await connect(call, name, answers[caller])
            elif " " in name:
                await ask(call, name, answers[caller])
            else:
                await say(call, name, answers[caller], token)


async def ask(call: Any, name: str, expected: str) -> None:
    """Make an HTTP call, and compare: `yes` is any answer to a caller who was let in."""
    method, _, path = name.partition(" ")
    headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
    if path in ("/metrics", "/api/live"):
        headers["X-Forwarded-For"] = "192.0.2.1"
    body = {} if method == "GET" else {"json": BODIES.get(name.partition("?")[0])}
    url = call.url + path.replace("{id}", "c")
    async with call.session.request(method, url, headers=headers, **body) as answer:
        # A stream has no end.
        endless = answer.content_type == "text/event-stream"
        text = "" if endless else await answer.text()
    let_in = answer.status not in (401, 403) or (path == "/api/join" and "invite" in text)
    assert ("yes" if let_in else str(answer.status)) == expected, (name, text)
    if expected != "yes":
        assert "CANARY" not in text


async def connect(call: Any, name: str, expected: str) -> None:
    """Open a socket, and compare its first message or its close."""
    role = name.rpartition("/")[2]
    async with call.socket(role, campaign_id="c") as peer:
        if expected == "4401" and "Authorization" not in call.session.headers:
            await peer.say(type="heartbeat", version=0)
        first = await peer.next()
        if expected == "yes":
            assert first["type"] == "campaign_active"
        else:
            assert first["type"] == "error"
            assert "CANARY" not in str(first)
            assert await peer.closed() == int(expected), name


async def say(call: Any, kind: str, expected: str, token: str | None) -> None:
    """Send a message, and compare the answer; who cannot connect cannot send it."""
    role = "dm" if expected == "yes" and kind in ("commit", "activate", "deactivate") else "player"
    async with call.socket(role, campaign_id="c") as peer:
        if kind == "authenticate":
            await peer.say(type=kind, token=token or "none")
        else:
            await peer.say(type=kind, **MESSAGES[kind])
        if expected.isdigit():
            assert await peer.closed() == int(expected), kind
            return
        await peer.say(type="deactivate", id="after")
        codes = []
        while (message := await peer.next()).get("id") != "after":
            if message["type"] in ("rejected", "committed", "error"):
                codes.append(message.get("code"))
        answered = expected == "forbidden" or "id" in MESSAGES.get(kind, {})
        wanted = LET_IN.get(kind) if expected == "yes" else REFUSED[expected]
        assert codes == ([wanted] if answered else []), kind


def test_what_is_not_listed_is_allowed_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(may(role, Act.METRICS) for role in ROLES)
    monkeypatch.setattr("questlog.campaign.authority.MAY", {})
    assert not any(may(role, act) for role in ROLES for act in MAY)


@pytest.mark.parametrize("role", ["player", "spectator"])
async def test_a_role_is_never_taken_from_what_a_client_says(served: Guarded, role: Any) -> None:
    async with served.calling(role, "mira") as call:
        queries = {"player_id": "tobin", "viewer": "dm", "as": "dm", "mode": "full"}
        async with call.socket("player", campaign_id="c", **queries) as peer:
            told = await peer.next()
            assert "CANARY" not in str(told)
            await peer.say(type="commit", id="x", patch=[], role="dm")
            assert (await peer.next())["code"] == "invalid"
            await peer.say(type="commit", id="x", patch=[])
            assert (await peer.next())["code"] == "forbidden"
        async with call.socket("dm", campaign_id="c") as peer:
            assert (await peer.next())["code"] == "forbidden"
            assert await peer.closed() == 4403
        status, state = await call("GET", "/api/campaigns/c/state?role=dm&player_id=tobin")
        assert status == 200
        assert "CANARY" not in str(state)


async def test_a_stranger_learns_nothing_of_what_there_is(served: Guarded) -> None:
    async with served.calling(token=await served.token("dm", campaign_id="other")) as call:
        answers = [await call("GET", f"/api/campaigns/{name}/state") for name in ("c", "nowhere")]
        assert answers[0] == answers[1]
        _, listed = await call("GET", "/api/campaigns")
        assert [each["campaign_id"] for each in listed["campaigns"]] == ["other"]
        async with call.socket("dm", campaign_id="other") as peer:
            await peer.next()
            answer = await peer.ask(type="activate", id="x", campaign_id="c", table="main")
            assert (answer["type"], answer["code"]) == ("rejected", "forbidden")


async def test_who_follows_a_table_sees_only_campaigns_they_have_a_seat_at(served: Guarded) -> None:
    theirs = await served.token("dm", campaign_id="other")
    async with (
        served.calling("dm") as ours,
        served.calling(token=theirs) as others,
        served.calling("player", "mira") as mira,
        mira.socket("player", table="main") as peer,
    ):
        await peer.say(type="heartbeat", version=0)
        assert (await peer.next())["campaign_id"] is None
        await others("POST", "/api/campaigns/other/activate", json={"table": "main"})
        await peer.say(type="heartbeat", version=0)
        assert (await peer.next())["campaign_id"] is None, "to her the table is empty"
        async with mira.socket("player", table="main") as late:
            assert (await late.next())["code"] == "forbidden"
            assert await late.closed() == 4403
        await ours("POST", "/api/campaigns/c/activate", json={"table": "main"})
        loaded = await peer.next()
        assert (loaded["type"], loaded["campaign_id"]) == ("campaign_loaded", "c")
        assert "CANARY" not in str(loaded)
