"""What is mutated: callers of every kind, and the valid frames and calls of each.

Two campaigns are played on. `kept` has secrets: its DM sends nothing that could show them to
anybody, so that whoever else finds one has found a leak. On `played` a DM may send anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from questlog.document import encode
from server.pages import PAGES
from server.routes import routes

KEPT, PLAYED, ELSEWHERE = "kept", "played", "elsewhere"
APP = "https://app.example"
JSON = (b"Content-Type", b"application/json")
JSON_PATCH = (b"Content-Type", b"application/json-patch+json")
MERGE_PATCH = (b"Content-Type", b"application/merge-patch+json")

Header = tuple[bytes, bytes]


class Call(Struct, frozen=True):
    """An HTTP request without what its sender adds: Host, Content-Length and a token."""

    method: str
    target: bytes
    headers: tuple[Header, ...] = ()
    body: bytes = b""


class Caller(Struct, frozen=True):
    """Somebody who sends inputs.

    Attributes:
        token: what they show; None: nothing.
        campaign: where they aim.
        forbidden: what no byte sent to them may hold.
        free: a DM that may send whatever a DM can.
        role: the end of the socket's path.
        weight: how often they come, compared with others.
    """

    name: str
    token: str | None
    campaign: str
    forbidden: tuple[bytes, ...] = ()
    free: bool = False
    role: str = "player"
    weight: int = 1


class Corpus(Struct, frozen=True):
    """The valid inputs of a caller."""

    frames: tuple[dict[str, Any], ...]
    texts: tuple[bytes, ...]
    calls: tuple[Call, ...]
    sockets: tuple[Call, ...]


def document(canaries: Mapping[str, str], beat: int) -> dict[str, Any]:
    """Return a small campaign with something for everybody, and its secrets where they belong."""
    return {
        "narrative": "Rain on the river.",
        "turn": 1,
        "beat": beat,
        "log": [{"text": "They come in.", "by": "mira"}, {"text": "Ünter 𝄞.", "by": "tobin"}],
        "characters": {
            "mira": {"name": "Mira", "hp": {"current": 22, "max": 22}, "gold": 1.5},
            "tobin": {"name": "Tobin", "hp": {"current": 9, "max": 31}, "tags": ["wet"]},
        },
        "a/b": {"~": 0},
        "dm": {"plan": f"The bell is a trap. {canaries.get('dm', '')}"},
        "private": {
            name: {"note": canaries.get(name, "nothing")} for name in ("mira", "tobin", "witness")
        },
    }


def safe_patches() -> list[list[dict[str, Any]]]:
    """Return patches that move nothing from where it is."""
    return [
        [],
        [{"op": "replace", "path": "/turn", "value": 2}],
        [{"op": "add", "path": "/log/-", "value": {"text": "A bell.", "by": "dm"}}],
        [{"op": "add", "path": "/characters/oda", "value": {"name": "Oda", "hp": {"current": 1}}}],
        [{"op": "remove", "path": "/log/0"}],
        [
            {"op": "test", "path": "/turn", "value": 1},
            {"op": "replace", "path": "/characters/mira/hp/current", "value": 17},
            {"op": "replace", "path": "/dm/plan", "value": "Another."},
            {"op": "add", "path": "/private/mira", "value": {"note": "psst"}},
        ],
        [{"op": "replace", "path": "", "value": document({}, 0)}],
    ]


def free_patches() -> list[list[dict[str, Any]]]:
    """Return patches that may show to players what was hidden."""
    return [
        [{"op": "copy", "from": "/log", "path": "/log/-"}],
        [{"op": "copy", "from": "/characters", "path": "/characters/mira/all"}],
        [{"op": "move", "from": "/dm", "path": "/shown"}],
        [{"op": "move", "from": "/private/mira", "path": "/private/tobin"}],
        [{"op": "add", "path": "/a~1b/~0", "value": [[]]}, {"op": "remove", "path": "/a~1b"}],
    ]


def rules() -> dict[str, Any]:
    """Return visibility rules of every kind."""
    return {
        "default": "visible",
        "rules": [
            {"path": "/dm", "to": ["dm"]},
            {"path": "/private/{player}", "to": ["dm", "{player}"]},
            {"path": "/log/*", "when": {"by": "dm"}, "to": ["dm", "player:mira"]},
            {"path": "/characters/*/gold", "to": ["players"]},
            {"path": "/narrative", "to": ["all", "spectators"]},
        ],
    }


def frames_of(caller: Caller) -> tuple[dict[str, Any], ...]:
    """Return valid messages of every type; those of a DM are sent by everybody."""
    patches = safe_patches() + (free_patches() if caller.free else [])
    commits = [
        {"type": "commit", "id": f"hit-{number}", "kind": "hp.changed", "patch": patch}
        for number, patch in enumerate(patches)
    ]
    return (
        *commits,
        *({"type": "commit", "patch": patch} for patch in patches),
        {"type": "commit", "patch": patches[1], "expected_version": 2, "meta": {"by": "trap"}},
        {"type": "commit", "id": "leased", "lease": 3, "patch": []},
        {"type": "commit", "structured_data": document({}, 1), "kind": "state.put"},
        {"type": "activate", "campaign_id": caller.campaign, "table": "main", "id": "open-1"},
        {"type": "activate", "campaign_id": PLAYED},
        {"type": "deactivate", "id": "shut-1"},
        {"type": "deactivate"},
        {"type": "resync", "position": "2.42ae9047d3551da6"},
        {"type": "resync", "position": "3"},
        {"type": "resync", "position": None},
        {"type": "resync"},
        {"type": "heartbeat", "version": 2},
        {"type": "heartbeat"},
        {"type": "authenticate", "token": caller.token or "a.b.c"},
        *_talk(),
    )


def _talk() -> tuple[dict[str, Any], ...]:
    """Return valid messages of what is said beside the document."""
    chunk = {"type": "narration", "id": "n1", "phase": "chunk"}
    return (
        {"type": "heartbeat", "version": 1, "digest": True},
        {"type": "player_status", "status": "typing"},
        {"type": "player_status", "status": None},
        {"type": "signal", "name": "dice", "data": {"d20": [20, None]}},
        {"type": "signal", "name": "psst", "to": ["dm", "players", "tobin"]},
        {"type": "player_suggestion", "id": "s1", "content": "I hide.", "metadata": {"by": "me"}},
        {"type": "player_suggestion", "id": "s2", "content": "𝄞", "suggestion_type": "song"},
        {"type": "decide_suggestion", "id": "s1", "player_id": "mira", "decision": "dismissed"},
        {
            "type": "decide_suggestion",
            "id": "s2",
            "player_id": "tobin",
            "decision": "accept",
            "answer": "Well sung.",
            "patch": [{"op": "replace", "path": "/turn", "value": 3}],
        },
        {"type": "take_lease", "id": "t1", "name": "laptop"},
        {"type": "release_lease", "lease": 9, "id": "r1"},
        {"type": "narration", "id": "n1", "phase": "begin", "speaker": "The bell"},
        {**chunk, "offset": 0, "text": "It tolls. "},
        {**chunk, "offset": 10, "text": "Twice."},
        {"type": "narration", "id": "n1", "phase": "end", "offset": 16},
    )


def calls_of(caller: Caller, invite: str) -> tuple[Call, ...]:
    """Return valid calls of every route, page and kind of preflight."""
    found: list[Call] = []
    for route in routes():
        if route.path.endswith(("/stream", "/replay")):
            # These have no end, and what follows on the connection would have no answer.
            continue
        target = route.path.replace("{id}", caller.campaign).encode()
        bodies = _bodies(caller, invite).get(f"{route.method} {route.path}", [((), b"")])
        if route.path.endswith("/visibility") and not caller.free:
            bodies = [((JSON,), b""), ((JSON,), b"{}")]
        found += [Call(route.method, target, headers, body) for headers, body in bodies]
    events = f"/api/campaigns/{caller.campaign}/events".encode()
    state = f"/api/campaigns/{caller.campaign}/state".encode()
    queries = [events + b"?after=0&limit=3&kind=hp.changed", events + b"?after=1"]
    updates = f"/api/campaigns/{caller.campaign}/updates".encode()
    queries += [updates + b"?since=2&wait=0", updates + b"?wait=0&introduce=1&mode=full"]
    queries += [state + b"?version=1", state + b"?as=player:tobin", state + b"?version=2&as=dm"]
    found += [Call("GET", target) for target in queries]
    found += [Call("HEAD", state), Call("GET", state, ((b"If-None-Match", b'"1"'),))]
    found += [Call("GET", path.encode()) for path in PAGES]
    preflight = ((b"Origin", APP.encode()), (b"Access-Control-Request-Method", b"PUT"))
    found += [Call("OPTIONS", state, preflight), Call("OPTIONS", state), Call("GET", b"/nothing")]
    return tuple(found)


def _bodies(caller: Caller, invite: str) -> dict[str, list[tuple[tuple[Header, ...], bytes]]]:
    """Return headers and bodies for the calls that have a body, by method and path."""
    patches = safe_patches() + (free_patches() if caller.free else [])
    commits = [{"id": f"call-{number}", "patch": patch} for number, patch in enumerate(patches)]
    key, base = (b"Idempotency-Key", b"once-1"), (b"If-Match", b'"3"')
    campaign = "/api/campaigns/{id}"
    join = {"invite": invite, "id": "join-1"}
    created = {"structured_data": document({}, 0), "title": "Rain", "visibility": rules()}
    return {
        f"PUT {campaign}": [((JSON, key), encode(created)), ((JSON,), b'{"structured_data":{}}')],
        f"POST {campaign}/events": [
            *(((JSON,), encode(commit)) for commit in commits),
            *(((JSON,), encode({"patch": patch})) for patch in patches),
            ((JSON, base), encode({"patch": patches[1], "kind": "turn.ended", "meta": {}})),
            ((JSON, key), encode({"structured_data": document({}, 2), "expected_version": 2})),
        ],
        f"PUT {campaign}/state": [((JSON,), encode(document({}, 3))), ((JSON, base), b"{}")],
        f"PATCH {campaign}/state": [
            *(((JSON_PATCH,), encode(patch)) for patch in patches),
            ((MERGE_PATCH, key), b'{"turn":9,"characters":{"oda":null}}'),
        ],
        f"PUT {campaign}/visibility": [
            ((JSON,), encode(rules())),
            ((JSON, base), b'{"default":"hidden","rules":[]}'),
        ],
        f"POST {campaign}/messages": [((JSON,), encode(frame)) for frame in _talk()],
        f"POST {campaign}/activate": [((JSON,), b'{"table":"main"}'), ((JSON, key), b"{}")],
        f"POST {campaign}/deactivate": [((), b""), ((JSON,), b"{}")],
        f"POST {campaign}/rewind": [
            ((JSON, key), b'{"to_version":2}'),
            ((JSON, base), b'{"to_version":1,"only":"/turn","expected_version":3}'),
            ((JSON,), b'{"to_version":1,"preview":true,"id":"back-1","lease":1}'),
        ],
        f"POST {campaign}/fork": [((JSON, key), b'{"new_id":"what-if","at_version":2}')],
        "POST /api/join": [((JSON,), encode(join)), ((JSON,), encode({**join, "id": "join-2"}))],
    }


def sockets_of(caller: Caller) -> tuple[Call, ...]:
    """Return valid handshakes, by every way a token may come."""
    upgrade = (
        (b"Connection", b"Upgrade"),
        (b"Upgrade", b"websocket"),
        (b"Sec-WebSocket-Version", b"13"),
        (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    )
    deflate = (b"Sec-WebSocket-Extensions", b"permessage-deflate; client_max_window_bits")
    path, campaign = f"/ws/campaign/{caller.role}".encode(), caller.campaign.encode()
    token = "" if caller.token is None else caller.token
    follow = path + b"?campaign_id=" + campaign
    shown = ((b"Authorization", f"Bearer {token}".encode()),) if token else ()
    offered = (b"Sec-WebSocket-Protocol", f"questlog.v1, bearer.{token}".encode())
    query = b"&token=" + quote(token).encode()
    return (
        Call("GET", follow, (*upgrade, *shown)),
        Call("GET", follow + b"&mode=full", (*upgrade, *shown, deflate)),
        Call("GET", follow + b"&since=3.0123456789abcdef", (*upgrade, offered, deflate)),
        Call("GET", follow + b"&since=2&player_id=mira" + query, upgrade),
        Call("GET", path, (*upgrade, *shown)),
        Call("GET", path + b"?table=main" + query, (*upgrade, deflate)),
        Call("GET", follow, upgrade),
        Call("GET", follow, (*upgrade, deflate)),
    )


def corpus_of(caller: Caller, invite: str) -> Corpus:
    """Return everything valid that a caller might send.

    Args:
        invite: the secret of an invite.
    """
    frames = frames_of(caller)
    return Corpus(
        frames=frames,
        texts=tuple(encode(frame) for frame in frames),
        calls=calls_of(caller, invite),
        sockets=sockets_of(caller),
    )


def callers(tokens: Mapping[str, str], canaries: Mapping[str, str]) -> tuple[Caller, ...]:
    """Return everybody.

    Args:
        tokens: by the names `mira`, `tobin`, `spectator`, `dm` of `kept`; `free dm`, `guest` of
            `played`; `outsider`, a DM elsewhere.
        canaries: the secrets of `kept`, by whose they are.
    """
    secrets = MappingProxyType({name: text.encode() for name, text in canaries.items()})
    every = tuple(secrets.values())

    def all_but(name: str) -> tuple[bytes, ...]:
        return tuple(secret for whose, secret in secrets.items() if whose != name)

    return (
        Caller("stranger", None, KEPT, every),
        Caller("stranger at the DM's", None, KEPT, every, role="dm"),
        Caller("mira", tokens.get("mira"), KEPT, all_but("mira")),
        Caller("tobin", tokens.get("tobin"), KEPT, all_but("tobin")),
        Caller("spectator", tokens.get("spectator"), KEPT, every),
        Caller("mira at the DM's", tokens.get("mira"), KEPT, all_but("mira"), role="dm"),
        Caller("dm", tokens.get("dm"), KEPT, (), role="dm", weight=4),
        Caller("free dm", tokens.get("free dm"), PLAYED, every, free=True, role="dm", weight=4),
        Caller("guest", tokens.get("guest"), PLAYED, every),
        Caller("outsider", tokens.get("outsider"), KEPT, every, free=True, role="dm"),
        Caller("outsider at home", tokens.get("outsider"), ELSEWHERE, every, free=True, role="dm"),
    )
