"""Writes the documents that are made from the code; `make docs` runs it.

Three are made: the schema of the sockets' messages and the SDK's types of them, from the Structs
that decode them, and the tables of commands and options in `docs/operating.md`, from the commands
themselves. A test compares them with the files, so that none can fall behind.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import msgspec

from questlog.sync.messages import ClientMessage, ServerMessage

WIDTH = 100
BEGIN = "<!-- commands: begin -->\n"
END = "<!-- commands: end -->\n"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def messages_schema() -> str:
    """Return the JSON Schema (2020-12) of every message of the sockets, as the text of a file.

    `$defs` holds one schema for each Struct, by its name; `ServerMessage` and `ClientMessage` there
    are the unions of what either end sends, and the whole is either of the two.
    """
    server, client = get_args(ServerMessage), get_args(ClientMessage)
    schemas, definitions = msgspec.json.schema_components(
        (*server, *client), ref_template="#/$defs/{name}"
    )
    unions = {
        "ServerMessage": {
            "description": "What a server sends. A client passes over other types and members.",
            "oneOf": list(schemas[: len(server)]),
        },
        "ClientMessage": {
            "description": "What a client sends. A server refuses other types and members.",
            "oneOf": list(schemas[len(server) :]),
        },
    }
    document = {
        "$schema": DIALECT,
        "title": "The messages of Questlog's sockets, protocol 1",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in unions],
        "$defs": {**unions, **dict(sorted(definitions.items()))},
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def commands_reference(root: click.Command) -> str:
    """Return a Markdown section for each command below `root`: what it does, and its options."""
    context = click.Context(root, info_name="questlog", **root.context_settings)
    return "\n".join(_section(command, below) for command, below in _commands(root, context))


def with_commands(text: str, reference: str) -> str:
    """Return `text` with `reference` in the place between its markers.

    Raises:
        ValueError: a marker is missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the markers {BEGIN.strip()} and {END.strip()} are not both there")
    return f"{before}{begin}\n{reference}\n{end}{after}"


def generated(folder: Path) -> dict[Path, str]:
    """Return each generated file of the checkout at `folder` with the text it should have."""
    # Naming the commands imports all of them, which the schema alone has no need of.
    from tools.cli import main as root
    from tools.gentypes import message_types

    operating = folder / "docs" / "operating.md"
    return {
        folder / "docs" / "messages.schema.json": messages_schema(),
        folder / "web" / "sdk" / "src" / "messages.ts": message_types(),
        operating: with_commands(operating.read_text("utf-8"), commands_reference(root)),
    }


def _commands(
    command: click.Command, context: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield each command below a group, hidden ones left out, in the order of the help."""
    if not isinstance(command, click.Group):
        yield command, context
        return
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        if child is not None and not child.hidden:
            below = click.Context(child, parent=context, info_name=name, **child.context_settings)
            yield from _commands(child, below)


def _section(command: click.Command, context: click.Context) -> str:
    words = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    rows = [
        _row(option, context)
        for option in command.get_params(context)
        if isinstance(option, click.Option) and not option.hidden and "--help" not in option.opts
    ]
    head = ["| option | variable | default | means |", "|---|---|---|---|"]
    parts = [f"### `{' '.join([context.command_path, *words])}`", *_paragraphs(command.help or "")]
    return "\n\n".join([*parts, "\n".join(head + rows)] if rows else parts) + "\n"


def _paragraphs(text: str) -> list[str]:
    """Return a command's help as paragraphs; what click is told not to wrap becomes a block."""
    found = []
    # click cuts the help it shows at a form feed.
    for paragraph in inspect.cleandoc(text.partition("\f")[0]).split("\n\n"):
        if paragraph.startswith("\b\n"):
            found.append("```\n" + paragraph.removeprefix("\b\n") + "\n```")
        else:
            found.append(textwrap.fill(" ".join(paragraph.split()), WIDTH, break_on_hyphens=False))
    return found


def _row(option: click.Option, context: click.Context) -> str:
    # A range is the type's own; that it is one says nothing without its ends.
    metavar = option.make_metavar(context).removesuffix(" RANGE")
    value = "" if option.is_flag or option.count else f" {metavar}"
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    names = names.removesuffix("`") + f"{value}`" if value else names
    variables = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
    shown = (names, ", ".join(f"`{name}`" for name in variables), _default(option))
    means = " ".join((option.help or "").split())
    return "| " + " | ".join(text.replace("|", "\\|") for text in (*shown, means)) + " |"


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    # Not `option.default`, which is a private marker of click's where none was given.
    default: Any = option.to_info_dict()["default"]
    if default is None or default is False or default == "" or callable(default):
        return ""
    return f"`{default}`"


@click.command()
def main() -> None:
    """Write every generated document anew and name those that changed."""
    for path, text in generated(Path(__file__).resolve().parents[1]).items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            click.echo(f"{path.name} is new")


if __name__ == "__main__":
    main()
