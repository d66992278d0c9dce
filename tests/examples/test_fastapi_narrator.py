"""The FastAPI example, killed in mid-chat with the server down: nothing is lost, nothing doubled.

The server is down for 3 seconds; `QUESTLOG_DOWN_SECONDS=20` makes it 20.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp

from examples.narrator import GOBLIN_HP, narrate
from tests.client.proxy import Proxy
from tests.examples.processes import TIMEOUT, Example, post
from tests.support.peer import calling
from tests.support.server import Served, state

DOWN = float(os.environ.get("QUESTLOG_DOWN_SECONDS", "3"))
WORDS = ("attack", "look", "rest", "hello there")
PLAYERS = ("mira", "odo")
MESSAGES = 24


def message(player_id: str, number: int) -> dict[str, Any]:
    """Return a player's message of this number."""
    return {
        "id": f"m-{number}",
        "campaign_id": "evening",
        "player_id": player_id,
        "text": WORDS[number % len(WORDS)],
    }


class Chat:
    """A player who says one thing after the other, each until it is answered.

    Attributes:
        answers: what was answered, in order.
    """

    def __init__(self, player_id: str, url: str) -> None:
        self.player_id = player_id
        self.answers: list[dict[str, Any]] = []
        self._url = url
        self._moved = asyncio.Condition()

    async def run(self) -> None:
        """Say everything."""
        async with aiohttp.ClientSession() as session:
            for number in range(MESSAGES):
                answer = await post(session, f"{self._url}/chat", message(self.player_id, number))
                async with self._moved:
                    self.answers.append(answer)
                    self._moved.notify_all()

    async def answered(self, count: int) -> None:
        """Wait until so many answers have come."""
        async with asyncio.timeout(TIMEOUT), self._moved:
            await self._moved.wait_for(lambda: len(self.answers) >= count)


def retold(told: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the document that comes of the same messages in the order the log has them."""
    document: dict[str, Any] = {}
    for entry in told:
        player_id, _, name = entry["id"].partition("/")
        number = int(name.removeprefix("m-"))
        narrate(document, entry["id"], player_id, message(player_id, number)["text"])
    return document


async def test_killed_in_mid_chat_with_the_server_down_it_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    async with (
        Served.start(tmp_path / "questlog.db") as served,
        Example.start("fastapi_narrator", "--url", served.url) as example,
        aiohttp.ClientSession() as session,
    ):
        chats = [Chat(player_id, example.url) for player_id in PLAYERS]
        async with asyncio.TaskGroup() as group:
            for chat in chats:
                group.create_task(chat.run())
            await chats[0].answered(4)
            # The server goes first: what is asked now is under way when the application is killed.
            await served.kill()
            await example.end(signal.SIGKILL)
            await example.restart()
            await asyncio.sleep(DOWN)
            assert len(chats[0].answers) < MESSAGES
            await served.restart()
            await chats[0].answered(10)
            # And the application alone, with the answer to a message perhaps on its way.
            await example.end(signal.SIGKILL)
            await example.restart()
            await chats[1].answered(16)
            await served.kill()
            await served.restart()
        found = await state(served.url, "evening")
        document = found["structured_data"]
        told = document["all_narratives"]
        for chat in chats:
            wanted = [f"{chat.player_id}/m-{number}" for number in range(MESSAGES)]
            mine = [entry for entry in told if entry["speaker"] == chat.player_id]
            assert [entry["id"] for entry in mine] == wanted, "each once, in order"
            answers = [answer["answer"] for answer in chat.answers]
            assert answers == [entry["text"] for entry in mine], "told is what was answered"
        assert document["turn"] == len(told) == len(PLAYERS) * MESSAGES
        assert document == retold(told)
        assert document["goblin"]["hp"] == GOBLIN_HP - 3 * len(PLAYERS) * MESSAGES // len(WORDS)
        # One event each, the first of which created the campaign: nothing happened unseen.
        assert found["version"] == len(told) + 1
        again = await post(session, f"{example.url}/chat", message("mira", 0))
        assert again == {**chats[0].answers[0], "again": True}


class Losing(Proxy):
    """A way to the server that loses the answers from the next turn's commit on.

    Attributes:
        armed: whether the next commit is the one.
    """

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.armed = False

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_server: bool
    ) -> None:
        while data := await reader.read(65536):
            if not from_server and self.armed and b'"kind":"chat.answered"' in data:
                self.deaf = True
            if not (from_server and self.deaf):
                writer.write(data)
        writer.close()


async def test_killed_between_the_commit_and_its_answer_it_tells_the_turn_once(
    tmp_path: Path,
) -> None:
    async with (
        Served.start(tmp_path / "questlog.db") as served,
        Losing.before(served.url) as way,
        Example.start("fastapi_narrator", "--url", way.url) as example,
        aiohttp.ClientSession() as session,
        calling(served.url) as caller,
    ):
        assert isinstance(way, Losing)
        chat = f"{example.url}/chat"
        await post(session, chat, message("mira", 0))
        async with caller.socket("dm", campaign_id="evening") as watching:
            await watching.until("campaign_active")
            way.armed = True
            answer = asyncio.create_task(post(session, chat, message("mira", 4)))
            assert (await watching.until("campaign_updated"))["version"] == 3
            await example.end(signal.SIGKILL)
            assert not answer.done()
            way.armed = way.deaf = False
            await example.restart()
            assert (await answer)["again"]
            assert (await answer)["version"] == 3
        document = (await state(served.url, "evening"))["structured_data"]
        assert document["turn"] == 2
        assert document["goblin"]["hp"] == GOBLIN_HP - 6


async def test_a_message_that_is_refused_says_why_and_a_campaign_can_be_seated(
    tmp_path: Path,
) -> None:
    async with (
        Served.start(tmp_path / "questlog.db") as served,
        Example.start("fastapi_narrator", "--url", served.url) as example,
        aiohttp.ClientSession() as session,
    ):
        answer = await post(session, f"{example.url}/chat", message("mira", 0))
        assert (answer["version"], answer["again"]) == (2, False)
        seated = await post(session, f"{example.url}/campaigns/evening/activate", {})
        assert seated == {"version": 3}
        bad = {**message("mira", 1), "campaign_id": "a/b"}
        async with session.post(f"{example.url}/chat", json=bad) as refused:
            assert refused.status == 422
            assert (await refused.json())["code"] == "invalid"
