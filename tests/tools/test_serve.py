"""`questlog serve` as a process: its ready line, its refusals, and how it leaves its store."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from server.config import Config
from tests.support.server import ROOT, Served, command, create, state
from tools.cli import COMMANDS


async def refusal(*arguments: str) -> tuple[int | None, str]:
    """Run a command that ends by itself; returns its status and what it said on stderr."""
    process = await command(*arguments)
    output, errors = await asyncio.wait_for(process.communicate(), 20)
    assert output == b""
    return process.returncode, errors.decode()


def names_in(folder: Path) -> set[str]:
    """Return what lies in a folder."""
    return {path.name for path in folder.iterdir()}


async def test_sigterm_leaves_the_store_as_one_file_with_all_that_was_accepted(
    tmp_path: Path,
) -> None:
    async with Served.start(tmp_path / "q.db") as served:
        await create(served.url, "c", {"hp": 7})
        status, more = await served.stop()
        assert (status, more) == (0, "")
        assert names_in(tmp_path) == {"q.db", "q.db.lock"}
        await served.restart()
        assert (await state(served.url, "c"))["structured_data"] == {"hp": 7}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--allow-origin", "app.example"], "is no origin"),
        (["--allow-origin", "https://app.example/"], "is no origin"),
        (["--allow-origin", "https://*.example"], "names one host"),
        (["--trusted-proxy", "the-proxy"], "does not appear to be"),
        (["--oidc-issuer", "https://id.example/"], "given together"),
        (["--oidc-claim", "seats"], "--oidc-issuer names it"),
        (["--open", "--oidc-issuer", "https://i/", "--oidc-audience", "q"], "a provider's neither"),
        (["--tls-key", __file__], "--tls-cert names it"),
        (["--tls-cert", __file__], "cannot be used"),
        (["--auth-timeout", "0"], "not in the range"),
    ],
)
async def test_settings_that_cannot_mean_what_they_say_are_refused(
    arguments: list[str], sentence: str
) -> None:
    status, said = await refusal("serve", *arguments)
    assert status == 2
    assert sentence in said


async def test_open_refuses_to_listen_beyond_this_machine() -> None:
    status, said = await refusal("serve", "--open", "--host", "0.0.0.0")
    assert status == 2
    assert "loopback" in said


async def test_a_file_that_is_not_ours_is_one_clear_line(tmp_path: Path) -> None:
    content = b"a diary, not a log" * 100
    path = tmp_path / "diary.db"
    path.write_bytes(content)
    status, said = await refusal("serve", "--open", "--port", "0", "--store", f"sqlite:///{path}")
    assert status == 1
    assert "not a Questlog store" in said
    assert len(said.splitlines()) == 1
    assert path.read_bytes() == content


async def test_a_locked_store_and_a_busy_port_are_one_clear_line_each(tmp_path: Path) -> None:
    async with Served.start(tmp_path / "q.db") as served:
        port = served.url.rpartition(":")[2]
        for name, sentence in (("q.db", "open for writing"), ("other.db", "Cannot listen on")):
            store = f"sqlite:///{tmp_path / name}"
            status, said = await refusal("serve", "--open", "--port", port, "--store", store)
            assert status == 1, said
            assert sentence in said
            assert len(said.splitlines()) == 1, said


def test_every_setting_of_the_server_has_an_option_with_its_sentence() -> None:
    from tools.serve import serve

    options = {parameter.name: parameter for parameter in serve.params}
    for field in msgspec.structs.fields(Config):
        if field.name == "open":
            continue
        setting = options[field.name]
        assert setting.default == field.default
        assert getattr(setting, "help", None), field.name


def helped(*arguments: str) -> tuple[str, set[str]]:
    """Return what `questlog ARGUMENTS --help` prints, and the modules it imported for it."""
    # Measuring coverage imports modules of its own into every process.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tools", *arguments, "--help"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


def test_help_lists_every_command_and_imports_none() -> None:
    text, imported = helped()
    assert "tools.cli" in imported
    assert not imported & {"aiohttp", "rich", "structlog", "msgspec", "tools.serve"}
    assert all(f"\n  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("name", ["serve", "play", "watch", "demo"])
def test_a_commands_help_imports_no_network_and_no_terminal(name: str) -> None:
    text, imported = helped(name)
    assert not imported & {"aiohttp", "rich", "structlog", "uvloop", "sqlite3"}
    assert "QUESTLOG_" in text
