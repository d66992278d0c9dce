"""What is made from the code says what the code says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from questlog.sync import messages, talk
from tools import gendocs

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["messages.schema.json", "operating.md"])
def test_a_generated_document_is_what_make_docs_would_write(name: str) -> None:
    path = ROOT / "docs" / name
    assert path.read_text("utf-8") == gendocs.generated(ROOT)[path], "run `make docs`"


def test_the_schema_takes_what_the_protocol_allows_and_refuses_what_it_does_not() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema, a development library")
    schema = msgspec.json.decode(gendocs.messages_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    sent = jsonschema.Draft202012Validator({**schema, "anyOf": [{"$ref": "#/$defs/ClientMessage"}]})
    told = jsonschema.Draft202012Validator({**schema, "anyOf": [{"$ref": "#/$defs/ServerMessage"}]})
    for good in ({"type": "resync"}, {"type": "commit", "patch": []}, {"type": "deactivate"}):
        sent.validate(good)
    bent: list[Any] = [[], {}, {"type": "resync", "x": 1}, {"type": "commit", "patch": {}}]
    assert not any(sent.is_valid(value) for value in bent)
    error = {"type": "error", "code": "c", "message": "m", "timestamp": "t"}
    told.validate(error)
    # A server may say more than a client knows, and not less.
    told.validate({**error, "more": 1})
    assert not told.is_valid({"type": "error", "code": "c"})
    assert not told.is_valid({"type": "resync"})


def test_the_schema_names_every_message_once() -> None:
    definitions = msgspec.json.decode(gendocs.messages_schema())["$defs"]
    named = [ref["$ref"] for ref in definitions["ServerMessage"]["oneOf"]]
    named += [ref["$ref"] for ref in definitions["ClientMessage"]["oneOf"]]
    structs = [
        value.__name__
        for module in (messages, talk)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, msgspec.Struct)
        if value.__struct_config__.tag and not value.__name__.startswith("_")
    ]
    assert sorted(named) == sorted(f"#/$defs/{name}" for name in structs)


def test_a_command_is_described_with_its_arguments_options_variables_and_defaults() -> None:
    @click.group()
    def main() -> None: ...

    @main.command()
    @click.argument("campaign")
    @click.option("--at", type=int, envvar="QUESTLOG_AT", help="The version.\n  Or none.")
    @click.option("--json", "as_json", is_flag=True, envvar="QUESTLOG_JSON")
    @click.option("--rate", type=click.FloatRange(0), default=0.0, envvar="QUESTLOG_RATE")
    @click.option("--path", default="", envvar="QUESTLOG_PATH")
    @click.option("--form", type=click.Choice(["a", "b"]), required=True, envvar="QUESTLOG_FORM")
    @click.option("--secret", hidden=True)
    def state(**_: Any) -> None:
        """Print a document.

        At any version.

        \b
        one
        two
        """

    @main.command(hidden=True)
    def unseen() -> None: ...

    assert gendocs.commands_reference(main).splitlines() == [
        "### `questlog state CAMPAIGN`",
        "",
        "Print a document.",
        "",
        "At any version.",
        "",
        "```",
        "one",
        "two",
        "```",
        "",
        "| option | variable | default | means |",
        "|---|---|---|---|",
        "| `--at INTEGER` | `QUESTLOG_AT` |  | The version. Or none. |",
        "| `--json` | `QUESTLOG_JSON` |  |  |",
        "| `--rate FLOAT` | `QUESTLOG_RATE` | `0.0` |  |",
        "| `--path TEXT` | `QUESTLOG_PATH` |  |  |",
        "| `--form [a\\|b]` | `QUESTLOG_FORM` | required |  |",
    ]


def test_the_reference_replaces_only_what_stands_between_its_markers() -> None:
    text = f"before\n{gendocs.BEGIN}old\n{gendocs.END}after\n"
    assert gendocs.with_commands(text, "new") == (
        f"before\n{gendocs.BEGIN}\nnew\n{gendocs.END}after\n"
    )
    assert gendocs.with_commands(gendocs.with_commands(text, "x"), "new") == (
        gendocs.with_commands(text, "new")
    )
    with pytest.raises(ValueError, match="markers"):
        gendocs.with_commands("no markers", "new")
