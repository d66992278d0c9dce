"""Errors over HTTP: RFC 9457 problem documents with the contract's codes."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import UNSET, Struct, UnsetType

from eventstore.errors import DamagedSourceError, StoreError, StoreFullError
from questlog.campaign.errors import (
    Invalid,
    PreconditionFailed,
    Rejection,
    StoreUnavailable,
    TooLarge,
)
from questlog.campaign.evolve import DamagedLogError
from server.addresses import Addresses
from server.audit import LABEL, Audit, named
from server.limits import Throttled

STATUSES: Mapping[str, int] = {
    "bad_json": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "unknown_campaign": 404,
    "unknown_version": 404,
    "version_conflict": 409,
    "id_reused": 409,
    "lease_lost": 409,
    "campaign_exists": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "invalid": 422,
    "patch_failed": 422,
    "rate_limited": 429,
    "store_unavailable": 503,
}
# What changes nothing, so that there is no outcome to be unsure of.
READS = frozenset({"GET", "HEAD"})


class Problem(Struct, frozen=True, kw_only=True):
    """An error, as `application/problem+json`.

    Attributes:
        version: on a conflict, the version the campaign is at.
        cause: why the store refused, in its own code, where that is known and nothing was written.
    """

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    version: int | UnsetType | None = UNSET
    cause: str | UnsetType = UNSET


def problem(
    rejection: Rejection, status: int | None = None, *, cause: str | UnsetType = UNSET
) -> web.Response:
    """Return the response that says why a request was refused; `cause` is the problem's."""
    if status is None:
        precondition = isinstance(rejection, PreconditionFailed)
        status = 412 if precondition else STATUSES[rejection.code]
    body = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=rejection.code,
        detail=rejection.message,
        version=UNSET if rejection.version is None else rejection.version,
        cause=cause,
    )
    response = web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/problem+json"
    )
    # Nobody is to be told no because somebody else was.
    response.headers["Cache-Control"] = "no-store"
    if isinstance(rejection, Throttled):
        response.headers["Retry-After"] = str(rejection.retry_after)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def from_http(error: web.HTTPException) -> web.Response:
    """Return aiohttp's own refusals (no such path or method, body too large) as problems."""
    if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return problem(TooLarge("The body is over the limit."))
    sentences = {
        404: "There is nothing at this path.",
        405: "This path does not take this method.",
    }
    answer = problem(Invalid(sentences.get(error.status, error.reason)), status=error.status)
    if "Allow" in error.headers:
        answer.headers["Allow"] = error.headers["Allow"]
    return answer


def _unavailable(request: web.Request, error: StoreError | DamagedLogError) -> StoreUnavailable:
    """Return the refusal of what the store could not do, which says no more than is known."""
    if request.method in READS:
        return StoreUnavailable("The log cannot be read now.")
    if isinstance(error, StoreFullError):
        return StoreUnavailable(error.message)
    return StoreUnavailable()


def problem_middleware(log: Any, audit: Audit, addresses: Addresses) -> Any:
    """Return the middleware that turns every failure of a handler into a problem document."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Rejection as rejection:
            audit.refused(
                rejection,
                who=request.get(LABEL, "(nobody)"),
                where=addresses.of(request),
                what=named(request),
            )
            return problem(rejection)
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                raise
            refusal: Rejection = Invalid(error.reason)
            if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                refusal = TooLarge()
                refusal.limit = "max_body"
            who, where = request.get(LABEL, "(nobody)"), addresses.of(request)
            audit.refused(refusal, who=who, where=where, what=named(request))
            return from_http(error)
        except DamagedSourceError as error:
            # The store does well: what is damaged is what was to be copied.
            log.warning("not copied", path=request.path, code=error.code, error=error.message)
            return problem(StoreUnavailable(error.message), cause=error.code)
        except (StoreError, DamagedLogError) as error:
            log.error("store unavailable", path=request.path, code=error.code, error=str(error))
            return problem(_unavailable(request, error))
        except ConnectionError:
            raise
        except Exception:
            log.exception("request failed", method=request.method, path=request.path)
            failed = StoreUnavailable("The server failed; whether the request was done is unknown.")
            return problem(failed, status=500)

    return middleware
