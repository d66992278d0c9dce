"""The SDK's message types, in TypeScript, from the Structs that the server speaks by."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

import msgspec
from msgspec import inspect as shapes

from questlog.sync.messages import ClientMessage, ServerMessage

HEAD = """\
/** The messages of protocol 1. Made by `make docs` from the server's own types. */

import type { Json, JsonObject, Operation } from "./values.js";
"""
# What a field of any shape holds, by its name.
KNOWN: Mapping[str, str] = {
    "structured_data": "JsonObject",
    "patch": "Operation[]",
    "position": "string",
}


def message_types() -> str:
    """Return the text of `web/sdk/src/messages.ts`: an interface for each Struct, and the unions.

    A member that may be absent is optional; one that may be null says so.
    """
    unions = {"ServerMessage": get_args(ServerMessage), "ClientMessage": get_args(ClientMessage)}
    said = {cls for classes in unions.values() for cls in classes}
    known = {cls: _name(cls) for cls in said}
    parts = [HEAD]
    for name, classes in unions.items():
        parts += [_interface(cls, known) for cls in classes]
        parts.append(_union(name, sorted(known[cls] for cls in classes)))
    # Those named on the way come last; more may be named by those.
    while others := [cls for cls in known if cls not in said]:
        said |= set(others)
        parts += [_interface(cls, known) for cls in sorted(others, key=lambda cls: known[cls])]
    return "\n".join([*parts, *_shapes(unions["ServerMessage"])])


def _shapes(classes: Iterable[type[Any]]) -> Iterator[str]:
    """Yield a table of what is looked at in a message that came: its members' JSON types."""
    yield "/** By type and member: of which JSON types it is; a question mark: it may be absent. */"
    yield "export const SERVER_SHAPES: Record<string, Record<string, string>> = {"
    for cls in classes:
        shape = shapes.type_info(cls)
        assert isinstance(shape, shapes.StructType)
        yield f"  {shape.tag}: {{"
        for field in shape.fields:
            kinds = dict.fromkeys(_json_types(field.type))
            mark = "" if field.required else "?"
            yield f'    {field.encode_name}: "{mark}{"|".join(sorted(kinds))}",'
        yield "  },"
    yield "};\n"


def _json_types(shape: shapes.Type) -> Iterator[str]:
    match shape:
        case shapes.UnionType():
            for each in shape.types:
                yield from _json_types(each)
        case shapes.NoneType():
            yield "null"
        case shapes.StrType() | shapes.LiteralType():
            yield "string"
        case shapes.IntType():
            yield "number"
        case shapes.BoolType():
            yield "boolean"
        case shapes.ListType():
            yield "array"
        case shapes.DictType() | shapes.StructType():
            yield "object"
        case shapes.AnyType():
            yield "any"
        case _:
            raise TypeError(f"no JSON type is known for {shape}")


def _name(cls: type[Any]) -> str:
    # Every program in TypeScript has another `Error`.
    return {"Error": "ServerError"}.get(cls.__name__, cls.__name__)


def _union(name: str, members: list[str]) -> str:
    return "\n".join([f"export type {name} =", *(f"  | {each}" for each in members)]) + ";\n"


def _interface(cls: type[Any], known: dict[type[Any], str]) -> str:
    shape = shapes.type_info(cls)
    assert isinstance(shape, shapes.StructType)
    lines = [*_comment(cls), f"export interface {known[cls]} {{"]
    if shape.tag is not None:
        lines.append(f"  {shape.tag_field}: {msgspec.json.encode(shape.tag).decode()};")
    lines += [f"  {_field(field, known)}" for field in shape.fields]
    return "\n".join([*lines, "}"]) + "\n"


def _field(field: shapes.Field, known: dict[type[Any], str]) -> str:
    kinds = _kinds(field.type, known, KNOWN.get(field.encode_name))
    mark = "" if field.required else "?"
    return f"{field.encode_name}{mark}: {' | '.join(dict.fromkeys(kinds))};"


def _kinds(shape: shapes.Type, known: dict[type[Any], str], spelt: str | None) -> Iterator[str]:
    """Yield the TypeScript types that a value of this shape may be of."""
    match shape:
        case shapes.UnionType():
            # In the order of the TypeScript style: what may be missing comes last.
            for each in sorted(shape.types, key=lambda each: isinstance(each, shapes.NoneType)):
                yield from _kinds(each, known, spelt)
        case shapes.NoneType():
            yield "null"
        case _ if spelt is not None:
            yield spelt
        case shapes.StrType():
            yield "string"
        case shapes.IntType() | shapes.FloatType():
            yield "number"
        case shapes.BoolType():
            yield "boolean"
        case shapes.LiteralType():
            yield from (msgspec.json.encode(value).decode() for value in shape.values)
        case shapes.ListType():
            inside = " | ".join(_kinds(shape.item_type, known, None))
            yield f"{inside}[]" if "|" not in inside else f"({inside})[]"
        case shapes.DictType():
            inside = " | ".join(_kinds(shape.value_type, known, None))
            yield "JsonObject" if inside == "Json" else f"Record<string, {inside}>"
        case shapes.StructType():
            known.setdefault(shape.cls, _name(shape.cls))
            yield known[shape.cls]
        case shapes.AnyType():
            yield "Json"
        case _:
            raise TypeError(f"no TypeScript is known for {shape}")


def _comment(cls: type[Any]) -> list[str]:
    """Return the first sentence of the docstring, as a comment."""
    about = " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())
    if len(about) <= 90:
        return [f"/** {about} */"]
    return ["/**", *(f" * {line}" for line in textwrap.wrap(about, 96)), " */"]
