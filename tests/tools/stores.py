"""A store for the commands to read, and how tests run them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from questlog.campaign.commands import Activate, Commit
from questlog.campaign.events import Actor
from tests.eventstore.scribe import Scribe, create, open_store, put, url_of
from tools.cli import main

ROOT = Path(__file__).resolve().parents[2]
MIRA = Actor("mira", "player")


async def write(path: Path) -> None:
    """Write the campaign `c` of 9 versions, and `d` of one."""
    store = await open_store(path)
    scribe = Scribe(store)
    await scribe.write(create({"hp": 10, "log": [], "dm": {"note": "n" * 90}}, title="Ash\x1b[1m"))
    for number in range(5):
        await scribe.write(put("/hp", number, kind="hit"))
    await scribe.write(put("/log/-", {"id": 2**70}), actor=MIRA)
    await scribe.write(Activate("main"))
    patch: list[dict[str, Any]] = [
        {"op": "test", "path": "/hp", "value": 4},
        {"op": "move", "from": "/dm/note", "path": "/note"},
        {"op": "remove", "path": "/dm"},
        {"op": "copy", "from": "/log/0", "path": "/log/0"},
        {"op": "replace", "path": "/log/1", "value": {"id": 1, "x": 2}},
    ]
    await scribe.write(Commit(patch=patch, meta={"a": 1}, kind="scene.changed"))
    await Scribe(store, "d").write(create())
    await store.close()


def run(path: Path, *arguments: str) -> Result:
    """Run the command on this store, in this process."""
    return CliRunner().invoke(main, arguments, env={"QUESTLOG_STORE": url_of(path)})
