"""The programs of docs/orchestrators.md do what it says, on a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from tests.docs.markdown import ROOT, blocks
from tests.docs.test_tour import DEFAULT_URL, curl, run_python, split_commands
from tests.examples.processes import Example, post
from tests.support.access import store_url
from tests.support.peer import calling
from tests.support.server import Served, state

PAGE = ROOT / "docs" / "orchestrators.md"


async def test_the_programs_print_what_the_page_says(tmp_path: Path) -> None:
    *programs, _ = blocks(PAGE, "python")
    async with Served.start(tmp_path / "questlog.db") as served:
        said = [
            (await run_python(program.text.replace(DEFAULT_URL, served.url), tmp_path)).splitlines()
            for program in programs
        ]
        documents = [
            (await state(served.url, name))["structured_data"]
            for name in ("broadcast", "turns", "decorated")
        ]
    told = "You look. The goblin looks back."
    assert said == [["3"], [told, told], ["You look. 1", "You look. 1"]]
    assert f"prints `{told}` twice" in PAGE.read_text("utf-8").replace("\n", " ")
    assert [document["turn"] for document in documents] == [2, 1, 1]


async def test_the_application_with_the_server_in_it_serves_it(tmp_path: Path) -> None:
    program = blocks(PAGE, "python")[-1]
    names: dict[str, Any] = {"__name__": "application"}
    exec(compile(program.text, str(PAGE), "exec"), names)
    runner = web.AppRunner(names["make_app"](store_url(tmp_path / "questlog.db")))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/questlog"
        async with calling(url) as caller:
            await caller.create("c", {"turn": 1})
            assert (await caller("GET", "/api/campaigns/c/state"))[0] == 200
    finally:
        await runner.cleanup()


async def test_the_example_is_started_and_called_as_shown(tmp_path: Path) -> None:
    serve, example, call = split_commands("".join(block.text for block in blocks(PAGE, "sh")))
    assert serve == ["questlog", "serve", "--open"]
    assert example[:3] == ["python", "-m", "examples.fastapi_narrator"]
    async with (
        Served.start(tmp_path / "questlog.db") as served,
        Example.start("fastapi_narrator", "--url", served.url) as running,
        calling(running.url) as caller,
    ):
        ready = {"id": "0", "campaign_id": "before", "player_id": "odo", "text": "look"}
        await post(caller.session, f"{running.url}/chat", ready)
        shown = call[call.index("POST") + 1]
        call = [word.replace("http://127.0.0.1:8000", DEFAULT_URL) for word in call]
        assert shown == "http://127.0.0.1:8000/chat"
        status, answer = await curl(call, running.url)
        assert status == 200
        assert "strikes the goblin" in answer
        assert (await state(served.url, "evening"))["structured_data"]["turn"] == 1
