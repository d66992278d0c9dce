"""`questlog watch` prints what happened, for people and for programs."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

from questlog.campaign.events import Actor, EventHeader
from questlog.client import CampaignClient
from questlog.sync.replica import Changed
from tests.support.server import activate, command, create, serving
from tools.watch import lines_of, printable


async def test_json_is_one_object_a_change_until_the_version_asked_for(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", {"hp": 7, "dm": {"plan": "ambush"}})
        process = await command(
            "watch", "--url", url, "--campaign", "c", "--until", "3", "--json", "--player", "mira"
        )
        assert process.stdout is not None
        first = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        assert (first["type"], first["version"], first["patch"]) == ("changed", 1, None)
        async with CampaignClient(url, "c", role="dm") as dm:
            await dm.commit(patch=[{"op": "replace", "path": "/hp", "value": 3}], kind="combat.hit")
            await dm.commit(patch=[{"op": "remove", "path": "/dm"}])
        output, errors = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0, errors.decode()
        lines = [json.loads(line) for line in output.splitlines()]
        assert [line["version"] for line in lines] == [2, 3]
        assert lines[0]["patch"] == [{"op": "replace", "path": "/hp", "value": 3}]
        assert lines[0]["events"][0]["kind"] == "combat.hit"
        assert lines[1]["patch"] == lines[1]["events"] == []
        assert b"ambush" not in output


async def test_it_waits_at_an_empty_table_and_ends_quietly_on_an_interrupt(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", {"hp": 7})
        process = await command("watch", "--url", url, "--table", "upstairs")
        assert process.stdout is not None
        assert process.stderr is not None
        waiting = await asyncio.wait_for(process.stderr.readline(), 20)
        assert waiting == b"nothing is played at table upstairs: waiting\n"
        await activate(url, "c", "upstairs")
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        assert line.split() == [b"2", b"snapshot", b"of", b"c", b"(activated)"]
        process.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 130
        assert b"Traceback" not in errors


async def test_an_unknown_campaign_is_one_sentence_and_status_1(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        process = await command("watch", "--url", url, "--campaign", "nowhere")
        _, errors = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 1
        assert errors.decode() == "Error: There is no such campaign.\n"


async def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    async with serving(tmp_path / "q.db") as url:
        await create(url, "c", {"n": 0})
        process = await asyncio.create_subprocess_shell(
            f"python -m tools watch --url {url} --campaign c | head -n 1; echo ${{PIPESTATUS[0]}}",
            executable="/bin/bash",
            env=environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        first = await asyncio.wait_for(process.stdout.readline(), 20)
        assert b"snapshot of c" in first
        async with CampaignClient(url, "c", role="dm") as dm:
            while process.returncode is None:
                await dm.commit(structured_data={"n": dm.version})
        rest = await process.stdout.read()
        assert process.stderr is not None
        assert rest == b"0\n"
        assert b"Traceback" not in await process.stderr.read()


def environment() -> dict[str, str]:
    """Return the environment in which `python` is this one and finds this checkout."""
    import os
    import sys

    from tests.support.server import ROOT

    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}


def test_a_line_names_version_kind_who_and_paths_and_obeys_no_control_characters() -> None:
    header = EventHeader(5, "i", "combat.hit", Actor("dm", "dm"), "2026-03-14T18:30:00.000Z")
    patch = [{"op": "remove", "path": f"/{n}\x1b[2J"} for n in range(6)]
    (line,) = lines_of(Changed("c", 5, patch, [header], None))
    assert "combat.hit" in line
    assert "and 2 more" in line
    assert "\x1b[2J" not in line
    assert printable("a\x1b[2Jé\n") == "a\\x1b[2Jé\\n"
