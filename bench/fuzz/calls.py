"""HTTP requests gone wrong: their targets, headers, tokens, bodies and framing."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

from msgspec import Struct, structs

from bench.fuzz.corpus import Call, Caller, Corpus, Header
from bench.fuzz.mutate import MARK, Mutator
from questlog.document import decode

METHODS = (
    "GET",
    "HEAD",
    "PUT",
    "POST",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "get",
    "BREW",
    "M-X",
)
IDS = (
    b"..",
    b"%2e%2e",
    b"%2F",
    b"a%2Fb",
    b"%00",
    b"%0d%0aX-Injected:%201",
    b"%ff",
    b"%ED%A0%80",
    b"%",
    b"%zz",
    b"{id}",
    b"%7Bid%7D",
    b"\xc3\xa9",
    b"\xff",
    b"%F0%9D%84%9E",
    b"kept%20",
    b"kept%00",
    b";kept",
    b"KEPT",
    b"%6bept",
    b"x" * 128,
    b"x" * 129,
    b"x" * 8_000,
    b"x" * 17_000,
    b"",
)
TARGETS = (
    b"*",
    b"/",
    b"//healthz",
    b"/healthz/",
    b"/healthz#x",
    b"/healthz?" + b"a=b&" * 2_000,
    b"/./healthz",
    b"/../healthz",
    b"/join/../api/campaigns",
    b"/join/..%2f..%2fapp.py",
    b"/join/%2e%2e/join.js",
    b"/%2e%2e/%2e%2e/etc/passwd",
    b"/" + b"a/" * 3_000,
    b"http://127.0.0.1/healthz",
    b"http://user:pw@evil.example:99999/api/campaigns",
    b"http://[::1",
    b"http://\xff/",
    b"https://127.0.0.1/metrics",
    b"healthz",
    b"?",
    b"/api/campaigns/kept/state/",
    b"/api//campaigns",
    b"/ws/campaign/player",
    b"/ws/campaign/dm?campaign_id=kept",
    b"/metrics",
    b"/api/campaigns\x0b",
    b"/\xe2\x80\xae",
)
QUERY_NAMES = (
    *(b"version", b"as", b"after", b"limit", b"kind", b"campaign_id"),
    *(b"table", b"since", b"mode", b"player_id", b"token", b"", b"%ff"),
)
QUERY_VALUES = (
    MARK.encode(),
    *(b"", b"0", b"1", b"-1", b"%2B1", b"1.5", b"1e3", b"9" * 18, b"9" * 19, b"9" * 5_000),
    *(b"dm", b"player", b"player:", b"player:mira", b"player:%00", b"spectator", b"kept"),
    *(b"%ED%A0%80", b"%ff", b"%00", b"\xff", b"\xc3\xa9", b"%", b"a&b", b"full", b"delta", b"main"),
    *(b"hp.changed", b"%27%20OR%201=1", b"2.0123456789abcdef", b"x" * 9_000, b"%D9%A1"),
)
HEADERS: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (
    (
        b"Content-Type",
        (b"", b"text/plain", b"a/b/c;;=", b"\xff", b"application/json; charset=utf-16"),
    ),
    (b"Content-Type", (b"application/merge-patch+json", b"APPLICATION/JSON-PATCH+JSON;q=\xff")),
    (b"Content-Type", (b"multipart/form-data; boundary=x", b"application/x-www-form-urlencoded")),
    (b"Content-Encoding", (b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip", b"x", b"\xff")),
    (
        b"Idempotency-Key",
        (b"", b"k" * 64, b"k" * 65, b"\xff\xfe", b"a\tb", b"\xe2\x80\xae", b"call-1"),
    ),
    (
        b"If-Match",
        (b"*", b'""', b'W/"1"', b"1,2,3", b"," * 2_000, b"9" * 400, b"\xff", b"\xd9\xa1"),
    ),
    (b"If-Match", (b'"1.0000000000000000"', b'"3.zzzzzzzzzzzzzzzz"', b'"', b"0", b"-1")),
    (b"If-None-Match", (b"*", b'"1"', b"\xff", b'W/"1", "2"', b'"' * 900)),
    (b"Origin", (b"null", b"http://evil.example", b"https://app.example", b"\xff", b"")),
    (
        b"Host",
        (b"", b"evil.example", b"127.0.0.1:99999", b"[::1", b"\xff", b"a b", b"u@h", b"[v1.x]"),
    ),
    (b"X-Forwarded-For", (b"127.0.0.1", b"::1%lo", b"\xff", b"," * 500, b"1.2.3.4, 5.6.7.8")),
    (b"X-Forwarded-Proto", (b"https", b"\xff", b"")),
    (b"Forwarded", (b"for=127.0.0.1;proto=https", b"for=" + b"," * 300)),
    (b"Access-Control-Request-Method", (b"PUT", b"\xff", b"")),
    (b"Accept", (b"text/html", b"*/*;q=\xff", b"," * 900)),
    (b"Accept-Encoding", (b"gzip", b"br;q=0, *;q=1", b"\xff")),
    (b"Range", (b"bytes=0-0", b"bytes=9-1", b"bytes=-1", b"bytes=x", b"bytes=" + b"9" * 30 + b"-")),
    (b"If-Modified-Since", (b"Wed, 21 Oct 2037 07:28:00 GMT", b"yesterday", b"Thu, 01 Jan 0000 0")),
    (b"If-Unmodified-Since", (b"Wed, 21 Oct 2015 07:28:00 GMT", b"\xff")),
    (b"If-Range", (b'"x"', b"Wed, 21 Oct 2015 07:28:00 GMT", b"\xff")),
    (b"Expect", (b"100-continue", b"200-ok", b"\xff", b"")),
    (b"Cookie", (b"a=b", b"\xff=\xff", b"=;=;" * 500, b'a="\\', b"token=1")),
    (b"Connection", (b"close", b"upgrade", b"keep-alive, close", b"\xff")),
    (b"Upgrade", (b"websocket", b"h2c", b"\xff", b"")),
    (b"X-Long", (b"x" * 15_000, b"x" * 16_500, b"\xff" * 9_000)),
    (b"X-\xff", (b"1",)),
    *((name, (MARK.encode(),)) for name in (b"X-Any", b"Content-Type", b"Host", b"If-Match")),
    *((name, (MARK.encode(),)) for name in (b"Idempotency-Key", b"Origin", b"Upgrade", b"Expect")),
    *((name, (MARK.encode(),)) for name in (b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Key")),
    (b"Sec-WebSocket-Key", (b"", b"short", b"\xc3\xa9" * 12, b"=" * 24, b"a" * 5_000, b"AAAA")),
    (b"Sec-WebSocket-Version", (b"", b"7", b"12", b"\xff", b"13, 8")),
    (b"Sec-WebSocket-Protocol", (b"", b"bearer.", b"bearer.\xff", b"," * 900, b"x" * 9_000)),
    (b"Sec-WebSocket-Extensions", (b"permessage-deflate; server_max_window_bits=9", b"\xff", b";")),
    (
        b"Sec-WebSocket-Extensions",
        (
            b"permessage-deflate; server_max_window_bits=99",
            b"permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            b"permessage-deflate, permessage-deflate; x=1",
            b"x-webkit-deflate-frame",
        ),
    ),
)
BAD_TOKENS = (
    MARK.encode(),
    *(b"", b" ", b"a", b"a.b", b"a.b.c", b"a.b.c.d", b"\xff.\xff.\xff", b"..", b"x" * 9_000),
    b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJkbSIsInJvbGUiOiJkbSIsImNhbXBhaWduIjoia2VwdCJ9.",
    b"eyJhbGciOiJIUzI1NiIsImtpZCI6e319.e30.AAAA",
    b"e30.W10.",
    b"W10.e30.AAAA",
)
GARBAGE = (
    b"\r\n" * 50,
    b"\x00" * 64,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 200,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /healthz\r\n\r\n",
    b"GET /healthz HTTP/0.9\r\n\r\n",
    b"GET /healthz HTTP/3.7\r\n\r\n",
    b"GET  /healthz  HTTP/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1\nHost: x\n\n",
    b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nX : 1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nX: 1\r\n folded: 2\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n: 1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nX: a\x00b\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nX: a\rb\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(500)) + b"\r\n",
    b"GET /" + b"a" * 20_000,
    b"x" * 70_000,
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x81\x85\x00\x00\x00\x00hello",
)


class Sent(Struct, frozen=True):
    """Bytes for a connection.

    Attributes:
        methods: of the requests in them, so far as they are that.
        framed: they are one request whose end any server must find, so that it must answer.
    """

    data: bytes
    methods: tuple[str, ...]
    framed: bool


class CallMutator:
    """Makes the bytes of wrong requests.

    Args:
        host: what an honest client names in `Host`.
    """

    def __init__(self, mutator: Mutator, host: bytes) -> None:
        self._mutator = mutator
        self._host = host

    def sent(self, caller: Caller, corpus: Corpus) -> Sent:
        """Return a mutated request, or several, or something that is none."""
        one_of, way = self._mutator.one_of, self._mutator.chance.random()
        call = one_of(corpus.calls)
        if way < 0.8:
            call = self._changed(call)
            return Sent(self._bytes(call, self._token(caller)), (call.method,), True)
        if way < 0.9:
            others = [self._bytes(one_of(corpus.calls), self._token(caller))]
            data = self._mutator.mangled(self._bytes(call, self._token(caller)), others)
            return Sent(data, (call.method,), False)
        if way < 0.95:
            return Sent(self._misframed(call, self._token(caller)), (call.method,), False)
        if way < 0.98:
            some = [self._changed(one_of(corpus.calls)) for _ in range(one_of((2, 3, 8)))]
            data = b"".join(self._bytes(each, self._token(caller)) for each in some)
            return Sent(data, tuple(each.method for each in some), False)
        garbage = one_of((*GARBAGE, self._mutator.chance.randbytes(300)))
        return Sent(garbage, ("GET",), False)

    def handshake(self, call: Call) -> bytes:
        """Return the bytes of a socket's handshake with something wrong in it."""
        return self._bytes(self._changed(call, body=False), None)

    def honest(self, call: Call, token: str | None = None) -> bytes:
        """Return the bytes of a request as it is."""
        return self._bytes(call, None if token is None else token.encode())

    def _token(self, caller: Caller) -> bytes | None:
        token = None if caller.token is None else caller.token.encode()
        way = self._mutator.chance.random()
        if way < 0.9:
            return token
        if way < 0.95 or token is None:
            return self._mutator.one_of(BAD_TOKENS)
        return self._mutator.mangled(token, [token]).translate(None, b"\r\n\x00")

    def _changed(self, call: Call, *, body: bool = True) -> Call:
        way = self._mutator.chance.random()
        if body and call.body and way < 0.55:
            return structs.replace(call, body=self._body(call.body))
        ways: tuple[tuple[float, Callable[[Call], Call]], ...] = (
            (0.2, self._with_id),
            (0.3, self._with_target),
            (0.5, self._with_query),
            (0.9, self._with_header),
            (0.95, self._with_method),
        )
        way = self._mutator.chance.random()
        for most, change in ways:
            if way < most:
                return change(call)
        return call

    def _body(self, body: bytes) -> bytes:
        if self._mutator.chance.random() < 0.7:
            return self._mutator.json_of(decode(body))
        return self._mutator.mangled(body, [body])

    def _with_id(self, call: Call) -> Call:
        parts = call.target.split(b"/")
        if len(parts) > 3:
            parts[3] = self._mutator.one_of(IDS)
        return structs.replace(call, target=b"/".join(parts))

    def _with_target(self, call: Call) -> Call:
        return structs.replace(call, target=self._mutator.one_of(TARGETS))

    def _with_query(self, call: Call) -> Call:
        one_of = self._mutator.one_of
        pairs = [
            one_of(QUERY_NAMES) + b"=" + one_of(QUERY_VALUES) for _ in range(one_of((1, 2, 4)))
        ]
        mark = b"&" if b"?" in call.target else b"?"
        return structs.replace(call, target=call.target + mark + b"&".join(pairs))

    def _with_header(self, call: Call) -> Call:
        """Add an odd header, put one in the place of the right one, or take or double one."""
        one_of, way = self._mutator.one_of, self._mutator.chance.random()
        if call.headers and way < 0.2:
            gone = one_of(call.headers)
            kept = tuple(header for header in call.headers if header is not gone)
            return structs.replace(call, headers=kept if way < 0.1 else (*call.headers, gone))
        name, values = one_of(HEADERS)
        headers: tuple[Header, ...] = call.headers
        if way < 0.7:
            headers = tuple(header for header in headers if header[0] != name)
        return structs.replace(call, headers=(*headers, (name, one_of(values))))

    def _with_method(self, call: Call) -> Call:
        return structs.replace(call, method=self._mutator.one_of(METHODS))

    def _bytes(self, call: Call, token: bytes | None) -> bytes:
        names = {name.lower() for name, _ in call.headers}
        lines = [b"%b %b HTTP/1.1" % (call.method.encode(), call.target)]
        if b"host" not in names:
            lines.append(b"Host: " + self._host)
        body = self._encoded(call)
        if token is not None:
            lines.append(b"Authorization: Bearer " + token)
        lines += [name + b": " + value for name, value in call.headers if name != b"Content-Length"]
        if body or call.method in ("PUT", "POST", "PATCH"):
            lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    def _encoded(self, call: Call) -> bytes:
        """Encode a body as its headers say, half of the time; now and then as far too much."""
        said = dict(call.headers).get(b"Content-Encoding")
        way = self._mutator.chance.random()
        if said is None or way < 0.5:
            return call.body
        if way < 0.55:
            return gzip.compress(b"[" + b" " * 3_000_000)
        return zlib.compress(call.body) if said == b"deflate" else gzip.compress(call.body)

    def _misframed(self, call: Call, token: bytes | None) -> bytes:
        """Lie about a body's length, or send it in chunks, some of them wrong."""
        head, _, body = self._bytes(call, token).partition(b"\r\n\r\n")
        head = b"\r\n".join(
            line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")
        )
        size = len(body)
        chunk = b"%x\r\n%b\r\n" % (size, body)
        lengths = (
            *(b"%d" % (size + 7), b"%d" % max(0, size - 7), b"-1", b"+%d" % size, b"0x10"),
            *(b"", b"9" * 30, b"%d, %d" % (size, size), b"%d\r\nContent-Length: 3" % size),
        )
        chunks = (
            chunk + b"0\r\n\r\n",
            chunk + b"0\r\nX-Trailer: 1\r\n\r\n",
            b"".join(b"1;ext=%d\r\n%c\r\n" % (n, byte) for n, byte in enumerate(body))
            + b"0\r\n\r\n",
            chunk,
            chunk[:-1],
            b"-1\r\n\r\n0\r\n\r\n",
            b"ffffffffffffffffffff\r\n" + body,
            b"zz\r\n" + body + b"\r\n0\r\n\r\n",
            b"5" + b"0" * 70_000,
            b"\r\n\r\n",
        )
        if self._mutator.chance.random() < 0.4:
            return (
                head + b"\r\nContent-Length: " + self._mutator.one_of(lengths) + b"\r\n\r\n" + body
            )
        coding = self._mutator.one_of(
            (b"chunked",) * 5 + (b"gzip, chunked", b"chunked, chunked", b"x")
        )
        both = self._mutator.one_of((b"", b"", b"\r\nContent-Length: %d" % size))
        more = b"\r\nTransfer-Encoding: " + coding + both + b"\r\n\r\n"
        return head + more + self._mutator.one_of(chunks)
