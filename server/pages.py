"""The pages: files that were built beforehand, hashed and compressed, served as they are.

A page itself is asked for anew each time; what it names is named by its contents, and so is kept by
browsers for good. Whatever is not there when the application is made is not served: where nobody
has built the pages, a page says so.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from msgspec import Struct

from questlog.campaign.errors import Rejection
from server.bodies import answer
from server.config import Config
from server.problems import problem
from server.services import services_of

# An old link leads to `/join`, and who knows the server's address alone to `/`: both are the
# player's page by another name.
PAGES: Mapping[str, str] = {
    "/": "play.html",
    "/play": "play.html",
    "/join": "play.html",
    "/dm": "dm.html",
    "/replay": "replay.html",
    "/inspect": "inspect.html",
}
ASSETS = "/assets/{name}"
# The pages load their own scripts and styles and talk to this server; nothing else, but for the
# provider at which people sign in.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'{provider}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FOREVER = "public, max-age=31536000, immutable"
NOT_BUILT = "This page is not built: `make install` builds those that there are."
# Smallest first.
CODINGS: Mapping[str, str] = {"br": ".br", "gzip": ".gz"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class File(Struct, frozen=True):
    """A file as it is sent: whole, or in a content coding that a browser takes.

    Attributes:
        bodies: the bytes by coding; `identity` is always there.
        tag: its ETag.
    """

    kind: str
    bodies: Mapping[str, bytes]
    tag: str

    def answer(self, request: web.Request, cached: str) -> web.Response:
        """Return the answer to a request for it."""
        accepted = set(accepts(request.headers.get(hdrs.ACCEPT_ENCODING, "")))
        coding = next((each for each in CODINGS if each in accepted & set(self.bodies)), "identity")
        # One tag for each: a cache that holds one must not take it for another.
        tag = f'"{self.tag}-{coding}"'
        headers: dict[str, str] = {
            hdrs.CACHE_CONTROL: cached,
            hdrs.ETAG: tag,
            hdrs.VARY: hdrs.ACCEPT_ENCODING,
            "Content-Security-Policy": policy(services_of(request).config),
        }
        known = request.headers.get(hdrs.IF_NONE_MATCH, "")
        if tag in known or known.strip() == "*":
            return web.Response(status=304, headers=headers)
        if coding != "identity":
            headers[hdrs.CONTENT_ENCODING] = coding
        headers[hdrs.CONTENT_TYPE] = self.kind
        return web.Response(body=self.bodies[coding], headers=headers)


class SignIn(Struct, frozen=True):
    """Where people sign in at the pages; all null: nowhere."""

    issuer: str | None = None
    client_id: str | None = None
    audience: str | None = None


async def sign_in(request: web.Request) -> web.Response:
    """GET /api/sign-in"""
    config = services_of(request).config
    if not config.oidc_client_id:
        return answer(SignIn())
    return answer(SignIn(config.oidc_issuer, config.oidc_client_id, config.oidc_audience))


def policy(config: Config) -> str:
    """Return the Content-Security-Policy of the pages of a server so set up."""
    if not config.oidc_client_id:
        return POLICY.format(provider="")
    issuer = urlsplit(config.oidc_issuer)
    return POLICY.format(provider=f" {issuer.scheme}://{issuer.netloc}")


def built() -> Path:
    """Return the folder that the pages are built into, and shipped in."""
    return Path(str(resources.files("server").joinpath("static", "pages")))


def pages(folder: Path) -> Mapping[str, Handler]:
    """Return the handler of each page and of what they name, by path."""
    handlers = {path: _page(folder / name) for path, name in PAGES.items()}
    return {**handlers, ASSETS: _assets(folder / "assets")}


def read(path: Path) -> File:
    """Return a file with whatever was compressed of it."""
    bodies = {"identity": path.read_bytes()}
    for coding, suffix in CODINGS.items():
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            bodies[coding] = beside.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    return File(kind, bodies, hashlib.sha256(bodies["identity"]).hexdigest()[:16])


def accepts(header: str) -> Iterator[str]:
    """Yield the content codings that an Accept-Encoding names and does not refuse (RFC 9110)."""
    for each in header.split(","):
        coding, *parameters = (part.strip().lower() for part in each.split(";"))
        weights = [part.removeprefix("q=") for part in parameters if part.startswith("q=")]
        if not weights or weights[0].strip("0.") != "":
            yield coding


def _page(path: Path) -> Handler:
    file = read(path) if path.exists() else None

    async def handler(request: web.Request) -> web.StreamResponse:
        if file is None:
            return problem(Rejection(NOT_BUILT), 404)
        return file.answer(request, "no-cache")

    return handler


def _assets(folder: Path) -> Handler:
    found = folder.iterdir() if folder.exists() else ()
    files = {path.name: read(path) for path in found if path.suffix not in CODINGS.values()}

    async def handler(request: web.Request) -> web.StreamResponse:
        file = files.get(request.match_info["name"])
        if file is None:
            # A page of an older build, kept in some cache: opened anew it names what is there.
            raise web.HTTPNotFound
        return file.answer(request, FOREVER)

    return handler
