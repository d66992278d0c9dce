"""The options of all commands: what their environment variables mean."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.eventstore.scribe import url_of
from tests.tools.stores import run, write
from tests.tools.transfers import exported
from tools.cli import main


def _commands(group: click.Group) -> list[click.Command]:
    context = click.Context(group)
    found: list[click.Command] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += _commands(command) if isinstance(command, click.Group) else [command]
    return found


def test_a_variable_takes_the_same_in_every_command_that_reads_it() -> None:
    takes = defaultdict(set)
    for command in _commands(main):
        for option in command.params:
            if isinstance(option, click.Option) and isinstance(option.envvar, str):
                takes[option.envvar].add((option.type.name, option.callback))
    assert len(takes) > 40
    assert {name: kinds for name, kinds in takes.items() if len(kinds) > 1} == {}


@pytest.mark.parametrize(
    ("variable", "value"), [("QUESTLOG_AS", "player:mira"), ("QUESTLOG_AT", "2026-01-02")]
)
def test_who_looks_and_when_changes_no_import_and_no_restore(
    tmp_path: Path, variable: str, value: str
) -> None:
    log, new, again = tmp_path / "log.db", tmp_path / "new.db", tmp_path / "again.db"
    asyncio.run(write(log))
    file = exported(log, tmp_path / "c.jsonl")
    environment = {"QUESTLOG_STORE": url_of(new), variable: value}
    result = CliRunner().invoke(main, ["import", str(file)], env=environment)
    assert result.stdout.startswith("c: 9 events"), result.output
    result = CliRunner().invoke(main, ["restore", str(new), str(again)], env=environment)
    assert "1 campaign, 9 events" in result.stdout, result.output
    assert run(again, "state", "c").exit_code == 0
