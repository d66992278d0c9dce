"""The OpenAPI 3.1 description of the HTTP calls, made from the Structs that decode the requests."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from importlib import metadata
from types import MappingProxyType
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from questlog.campaign.authority import Act
from server.problems import STATUSES, Problem

REF = "#/components/schemas/{name}"
NOTHING: Mapping[str, str] = MappingProxyType({})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# What many calls have in common.
CAMPAIGN = "/api/campaigns/{id}"
KEY: Mapping[str, str] = MappingProxyType(
    {"Idempotency-Key": "The commit's id: a retry with it is answered as a duplicate."}
)
BASE: Mapping[str, str] = MappingProxyType(
    {**KEY, "If-Match": "The version or position this change is based on (else 412)."}
)
TOKEN: Mapping[str, str] = MappingProxyType(
    {"token": "The caller's token, where no header can be sent."}
)
WHO: Mapping[str, str] = MappingProxyType(
    {
        "player_id": "Of an open server: the player who calls.",
        "role": "Of an open server: `player`, who gives no name; else a DM calls.",
    }
)
BODY = ("bad_json", "invalid", "too_large")
CHANGE = (*BODY, "unknown_campaign", "version_conflict", "id_reused")


class Route(Struct, frozen=True, kw_only=True):
    """One call of the HTTP interface.

    Attributes:
        request, response: the Structs of the bodies, or a plain type; None: no body.
        preview: the Struct of what is answered, with 200, where the caller asks what would be done.
        media: the body's media types, where it is not `application/json`.
        act: what a caller must be allowed to do; None: anybody may call, with no token.
        query, headers: names of the parameters understood, each with what it means, beyond those
            that say who calls.
        codes: the codes of the errors it may answer with, beyond `store_unavailable`.
        as_socket: whether it does what sockets do: `?token=` counts then, as no browser can send
            headers with it.
    """

    method: str
    path: str
    handler: Handler
    act: Act | None
    summary: str
    request: Any = None
    response: Any = None
    preview: Any = None
    status: int = 200
    media: tuple[str, ...] = ("application/json",)
    query: Mapping[str, str] = NOTHING
    headers: Mapping[str, str] = NOTHING
    codes: tuple[str, ...] = ()
    as_socket: bool = False


def describe(routes: Sequence[Route], prefix: str = "") -> dict[str, Any]:
    """Return the description of `routes`, served below `prefix`, as an OpenAPI 3.1 document."""
    kinds = {kind for each in routes for kind in (each.request, each.response, each.preview)}
    kinds.discard(None)
    ordered = [*sorted(kinds, key=str), Problem]
    schemas, components = msgspec.json.schema_components(ordered, ref_template=REF)
    schema_of = dict(zip(map(str, ordered), schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Questlog",
            "version": metadata.version("questlog"),
            "description": "Event-sourced campaign state: commits in, live deltas out.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        **({"servers": [{"url": prefix}]} if prefix else {}),
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schema_of: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    query = {**route.query, **(TOKEN if route.as_socket else NOTHING)}
    if route.act is not None:
        query.update(WHO)
    for place, described in (("query", query), ("header", route.headers)):
        parameters += [
            {"name": name, "in": place, "description": text, "schema": {"type": "string"}}
            for name, text in described.items()
        ]
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.handler.__module__.rpartition(".")[2] + "_" + route.handler.__name__,
        "parameters": parameters,
        "responses": _responses(route, schema_of),
    }
    if route.act is not None:
        operation["security"] = [{"token": []}]
        operation["description"] = f"For whoever may {route.act.value}."
    if route.request is not None:
        schema = schema_of[str(route.request)]
        operation["requestBody"] = {"content": {media: {"schema": schema} for media in route.media}}
    return operation


def _responses(route: Route, schema_of: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema_of[str(route.response)]}}
    responses: dict[str, Any] = {
        str(route.status): {"description": HTTPStatus(route.status).phrase, "content": content}
    }
    if route.status == HTTPStatus.CREATED:
        responses["200"] = {"description": "It was done before: a duplicate.", "content": content}
    if route.preview is not None:
        both = [schema_of[str(kind)] for kind in (route.response, route.preview)]
        responses["200"] = {
            "description": "A preview, or a duplicate: it was done before.",
            "content": {"application/json": {"schema": {"anyOf": both}}},
        }
    if "If-None-Match" in route.headers:
        responses["304"] = {"description": "What the caller holds is still right."}
    refusals: dict[int, list[str]] = {}
    admission = () if route.act is None else ("unauthenticated", "invalid")
    codes = (*route.codes, *admission, "forbidden", "rate_limited", "store_unavailable")
    for code in dict.fromkeys(codes):
        refusals.setdefault(STATUSES[code], []).append(code)
    if "If-Match" in route.headers:
        refusals[412] = ["version_conflict"]
    for status, refused in sorted(refusals.items()):
        responses[str(status)] = {
            "description": f"Refused: {', '.join(refused)}.",
            "content": {"application/problem+json": {"schema": schema_of[str(Problem)]}},
        }
    return responses
