"""The pages' files: compressed as the browser takes them, kept for good or asked for anew."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from server.pages import NOT_BUILT, accepts, built, pages
from tests.support.peer import Caller


@pytest.mark.parametrize(
    ("header", "codings"),
    [
        ("", [""]),
        ("gzip, deflate, br, zstd", ["gzip", "deflate", "br", "zstd"]),
        ("br;q=1.0, gzip;q=0.5", ["br", "gzip"]),
        ("br;q=0, gzip;q=0.000", []),
        ("BR; Q=0.1", ["br"]),
    ],
)
def test_codings_that_are_refused_are_not_taken(header: str, codings: list[str]) -> None:
    assert list(accepts(header)) == codings


async def test_a_page_and_what_it_loads_come_compressed_and_whole(call: Caller) -> None:
    async with call.session.get(f"{call.url}/play") as answer:
        page = await answer.text()
        assert answer.headers["Cache-Control"] == "no-cache"
        tag = answer.headers["ETag"]
        policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "://" not in page
    async with call.session.get(f"{call.url}/play", headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    (script,) = re.findall(r'src="\./(assets/[^"]+)"', page)
    whole = (built() / script).read_bytes()
    url = f"{call.url}/{script}"
    async with ClientSession(auto_decompress=False) as session:
        for accepted, coding in (("br, gzip", "br"), ("gzip", "gzip"), ("identity", None)):
            async with session.get(url, headers={"Accept-Encoding": accepted}) as answer:
                body = await answer.read()
                assert answer.headers.get("Content-Encoding") == coding
                assert answer.headers["Vary"] == "Accept-Encoding"
                assert "immutable" in answer.headers["Cache-Control"]
                assert answer.content_type == "text/javascript"
            if coding == "gzip":
                assert gzip.decompress(body) == whole
            elif coding is None:
                assert body == whole
            else:
                # What is small anyway has less to be made smaller.
                assert len(body) < len(whole) / (2 if len(whole) > 1_000 else 1.4)


def test_what_is_compressed_is_what_was_built() -> None:
    assets = [path for path in (built() / "assets").iterdir() if path.suffix == ".gz"]
    assert len(assets) >= 4
    for path in assets:
        # Pressed too early, it would lack what the builder puts in last.
        assert gzip.decompress(path.read_bytes()) == path.with_suffix("").read_bytes(), path


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fplay.html", "%2e%2e%2f%2e%2e%2fapp.py"])
async def test_nothing_else_is_served(call: Caller, name: str) -> None:
    async with call.session.get(f"{call.url}/assets/{name}") as answer:
        assert answer.status == 404
        assert (await answer.json())["code"] == "invalid"


async def test_where_nobody_has_built_them_a_page_says_so(tmp_path: Path) -> None:
    handlers = pages(tmp_path)
    answer = await handlers["/play"](None)  # type: ignore[arg-type]
    assert isinstance(answer, web.Response)
    assert answer.status == 404
    assert NOT_BUILT in str(answer.text)
