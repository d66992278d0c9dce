"""What a user may name or be told is named in the documents, and the check can fail."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import cast

import click
import msgspec
import pytest
from aiohttp import web

from eventstore.sqlite.store import SqliteStore
from server.app import make_app
from server.clock import SystemClock
from server.config import Config

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
PLACEHOLDER = re.compile(r"\{[^{}/]*\}")
# Each of these is shown by click itself, or needs no environment variable.
NO_VARIABLE = frozenset({"--help", "--version"})
# The contract's codes; those in the source are looked for besides.
CODES = (
    "bad_json",
    "invalid",
    "too_large",
    "patch_failed",
    "version_conflict",
    "id_reused",
    "lease_lost",
    "campaign_exists",
    "unknown_campaign",
    "unknown_version",
    "unauthenticated",
    "forbidden",
    "rate_limited",
    "unsupported_media_type",
    "store_unavailable",
)


def documents(root: Path) -> str:
    """Return README.md and docs/*.md as one text."""
    paths = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    return "\n".join(path.read_text("utf-8") for path in paths if path.exists())


def code_in(text: str) -> str:
    """Return only what a Markdown text shows as code, so that prose names nothing by chance."""
    return "\n".join(CODE.findall(text))


def unnamed(words: Iterable[str], text: str) -> list[str]:
    """Return those words that the text does not hold as whole words, in order, once each.

    A word may begin with dashes: `--at` is not found in `--at-most` nor in `x--at`.
    """
    return [
        word
        for word in sorted(set(words))
        if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)
    ]


def undocumented_calls(calls: Iterable[tuple[str, str]], text: str) -> list[str]:
    """Return the calls, each a method and a path, that the text does not name as `METHOD path`.

    What a placeholder in a path is called does not matter; a table's bar, blanks or backquotes may
    stand between the method and the path.
    """
    plain = PLACEHOLDER.sub("{}", text)
    return [
        f"{method} {path}"
        for method, path in sorted(set(calls))
        if not re.search(
            rf"\b{method}[\s`|]+{re.escape(PLACEHOLDER.sub('{}', path))}(?![\w/{{-])", plain
        )
    ]


def submodules(*packages: str) -> Iterator[ModuleType]:
    """Import and yield these packages and all below them but their `__main__`."""
    for name in packages:
        package = importlib.import_module(name)
        yield package
        for info in pkgutil.walk_packages(package.__path__, name + "."):
            if not info.name.endswith("__main__"):
                yield importlib.import_module(info.name)


def members(*packages: str) -> Iterator[type]:
    """Yield every class defined in these packages."""
    for module in submodules(*packages):
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__:
                yield value


def error_codes() -> set[str]:
    """Return the `code` of every exception class of ours, and those of the contract."""
    classes = members("questlog", "eventstore", "server", "tools")
    codes = [vars(cls).get("code") for cls in classes if issubclass(cls, Exception)]
    return {code for code in codes if isinstance(code, str)} | set(CODES)


def close_codes() -> set[str]:
    """Return the numbers of every WebSocket close code of ours."""
    enums = [cls for cls in members("questlog.sync") if issubclass(cls, IntEnum)]
    return {str(int(code)) for enum in enums for code in enum if 4000 <= code < 4500}


def message_types() -> set[str]:
    """Return the wire name of every tagged Struct of the modules that define messages."""
    names = ("questlog.sync.messages", "questlog.sync.talk")
    tags = [
        value.__struct_config__.tag
        for name in names
        for value in vars(importlib.import_module(name)).values()
        if isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and not value.__name__.startswith("_")
    ]
    return {tag for tag in tags if isinstance(tag, str)}


def calls_of(app: web.Application) -> set[tuple[str, str]]:
    """Return the method and path of every route but the HEAD that aiohttp adds to each GET."""
    return {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method not in ("HEAD", "*")
    }


def contexts(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """Yield the context of this command and, below it, of each of its commands."""
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None, f"{name} is listed but not there"
            settings = dict(child.context_settings)
            yield from contexts(
                child, click.Context(child, parent=context, info_name=name, **settings)
            )


def command_contexts() -> list[click.Context]:
    """Return the contexts of `questlog` and all its commands."""
    main = cast(click.Command, importlib.import_module("tools.cli").main)
    return list(contexts(main, click.Context(main, info_name="questlog", **main.context_settings)))


def variables_of(option: click.Option, context: click.Context) -> list[str]:
    """Return the environment variables from which click reads this option."""
    if option.envvar is not None:
        return [option.envvar] if isinstance(option.envvar, str) else list(option.envvar)
    if option.allow_from_autoenv and context.auto_envvar_prefix and option.name:
        return [f"{context.auto_envvar_prefix}_{option.name.upper()}"]
    return []


def options() -> list[tuple[click.Option, click.Context]]:
    """Return every option of every command that people are shown."""
    return [
        (parameter, context)
        for context in command_contexts()
        for parameter in context.command.get_params(context)
        if isinstance(parameter, click.Option) and not parameter.hidden
    ]


def none_missing(words: list[str]) -> None:
    """Fail with all of the words, one a line, where there are any."""
    assert not words, "not in README.md or docs/*.md:\n" + "\n".join(words)


@pytest.fixture(scope="module")
def text() -> str:
    return documents(ROOT)


@pytest.fixture(scope="module")
def code(text: str) -> str:
    return code_in(text)


def test_every_error_code_is_documented(code: str) -> None:
    none_missing(unnamed(error_codes(), code))


def test_every_close_code_is_documented(text: str) -> None:
    codes = close_codes()
    assert "4400" in codes
    none_missing(unnamed(codes, text))


def test_every_message_type_is_documented(code: str) -> None:
    types = message_types()
    assert {"campaign_updated", "resync", "presence", "take_lease"} <= types
    none_missing(unnamed(types, code))


async def test_every_call_is_documented(text: str, tmp_path: Path) -> None:
    store = await SqliteStore.open(f"sqlite:///{tmp_path / 'questlog.db'}")
    calls = calls_of(make_app(Config(), store, SystemClock()))
    await store.close()
    assert ("GET", "/healthz") in calls
    none_missing(undocumented_calls(calls, text))


def test_every_setting_is_documented(code: str) -> None:
    fields = msgspec.structs.fields(importlib.import_module("server.config").Config)
    names = [field.name for field in fields]
    assert names
    by_variable = {name for name in names if not unnamed([f"QUESTLOG_{name.upper()}"], code)}
    none_missing(unnamed(set(names) - by_variable, code))


def test_every_command_is_documented(code: str) -> None:
    names = [context.command_path for context in command_contexts()]
    assert "questlog verify" in names
    none_missing(unnamed(names, code))


def test_every_option_is_documented(code: str) -> None:
    names = [name for option, _ in options() for name in option.opts + option.secondary_opts]
    assert "--store" in names
    none_missing(unnamed([name for name in names if name.startswith("--")], code))


def test_every_option_has_a_documented_environment_variable(code: str) -> None:
    variables: set[str] = set()
    for option, context in options():
        if NO_VARIABLE.isdisjoint(option.opts):
            names = variables_of(option, context)
            where = f"{context.command_path} {option.opts[0]}"
            assert names, f"{where} has no environment variable"
            assert all(name.startswith("QUESTLOG_") for name in names), where
            variables.update(names)
    none_missing(unnamed(variables, code))


def test_a_word_counts_only_where_it_stands_alone() -> None:
    shown = "Give `--at-most` or `questlog log`, for a `bad_json_body`: close code 14400."
    words = ["--at", "questlog log", "bad_json", "4400", "--at-most"]
    assert unnamed(words, shown) == ["--at", "4400", "bad_json"]


def test_prose_and_unquoted_words_name_nothing() -> None:
    shown = "An open door, `serve --open`.\n\n```sh\nquestlog log C\n```\n\nThen heartbeat."
    assert unnamed(["open", "--open", "questlog log", "heartbeat"], code_in(shown)) == [
        "heartbeat",
        "open",
    ]


def test_a_call_counts_only_with_its_own_method_and_whole_path() -> None:
    shown = "| `PUT /api/campaigns/{id}/state` |\n| GET | `/api/campaigns/{id}` |\n`GET /healthz`"
    calls = [
        ("PUT", "/api/campaigns/{campaign_id}/state"),
        ("PUT", "/api/campaigns/{campaign_id}"),
        ("GET", "/api/campaigns/{campaign_id}"),
        ("GET", "/api/campaigns"),
        ("GET", "/health"),
    ]
    assert undocumented_calls(calls, shown) == [
        "GET /api/campaigns",
        "GET /health",
        "PUT /api/campaigns/{campaign_id}",
    ]


def test_routes_commands_and_variables_are_all_found() -> None:
    @click.group(context_settings={"auto_envvar_prefix": "QUESTLOG"})
    def main() -> None: ...

    @main.command("log")
    @click.option("--kind")
    @click.option("--url", envvar="QUESTLOG_URL")
    def _log(kind: str, url: str) -> None: ...

    async def answer(request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/api/campaigns/{id}", answer)
    root = click.Context(main, info_name="questlog", **main.context_settings)
    found = [
        (context.command_path, variables_of(option, context))
        for context in contexts(main, root)
        for option in context.command.params
        if isinstance(option, click.Option)
    ]
    assert calls_of(app) == {("GET", "/api/campaigns/{id}")}
    assert found == [
        ("questlog log", ["QUESTLOG_LOG_KIND"]),
        ("questlog log", ["QUESTLOG_URL"]),
    ]
