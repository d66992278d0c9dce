"""An outcome that is unknown to who asked: the log knows, and asking again is safe."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any
from urllib.parse import urlsplit

from tests.support.peer import Caller, put

DOCUMENT: dict[str, Any] = {"n": 0, "wins": {}}


async def send_and_not_read(url: str, path: str, body: dict[str, Any]) -> asyncio.StreamWriter:
    """Post a body on a connection of its own; returns the connection."""
    parts = urlsplit(url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    content = json.dumps(body)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n{content}".encode()
    )
    await writer.drain()
    return writer


async def test_a_commit_whose_caller_goes_away_is_in_the_log_once(call: Caller) -> None:
    await call.create("c", DOCUMENT)
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    known = 0
    for number in range(1, 61):
        body = {"id": f"id-{number}", "patch": [put("/n", number)]}
        asking = asyncio.create_task(call("POST", "/api/campaigns/c/events", json=body))
        for _ in range(chance.randint(0, 12)):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        status, again = await call("POST", "/api/campaigns/c/events", json=body)
        assert (status, again["duplicate"]) in ((201, False), (200, True)), f"seed {seed}"
        assert again["version"] == number + 1, f"seed {seed}"
        known += again["duplicate"]
    assert known > 0, f"seed {seed}: every caller went away too soon"
    _, log = await call("GET", "/api/campaigns/c/events?after=1")
    assert [event["id"] for event in log["events"]] == [f"id-{n}" for n in range(1, 61)]
    _, state = await call("GET", "/api/campaigns/c/state")
    assert (state["version"], state["structured_data"]["n"]) == (61, 60), f"seed {seed}"


async def test_a_commit_whose_answer_is_lost_is_a_duplicate_when_it_is_retried(
    call: Caller,
) -> None:
    await call.create("c", DOCUMENT)
    for number in range(1, 21):
        body = {"id": f"id-{number}", "patch": [put("/n", number)]}
        async with call.socket(campaign_id="c") as player:
            await player.until("campaign_active")
            connection = await send_and_not_read(call.url, "/api/campaigns/c/events", body)
            assert (await player.until("campaign_updated"))["version"] == number + 1
            connection.transport.abort()
        status, again = await call("POST", "/api/campaigns/c/events", json=body)
        assert (status, again["version"], again["duplicate"]) == (200, number + 1, True)
    _, log = await call("GET", "/api/campaigns/c/events")
    assert [event["version"] for event in log["events"]] == list(range(1, 22))


async def test_of_orchestrators_that_expect_the_same_version_exactly_one_wins_it(
    call: Caller,
) -> None:
    await call.create("c", DOCUMENT)

    async def ask(name: str, version: int) -> tuple[int, Any]:
        patch = [put("/n", version), put(f"/wins/{version}", name)]
        body = {"id": f"{name}-{version}", "expected_version": version, "patch": patch}
        return await call("POST", "/api/campaigns/c/events", json=body)

    winners = {}
    for version in range(1, 41):
        names = ("left", "right", "third")
        answers = await asyncio.gather(*(ask(name, version) for name in names))
        won = [name for name, (status, _) in zip(names, answers, strict=True) if status == 201]
        lost = [answer for status, answer in answers if status != 201]
        assert len(won) == 1
        assert [(a["code"], a["version"]) for a in lost] == [("version_conflict", version + 1)] * 2
        winners[str(version)] = won[0]
    _, state = await call("GET", "/api/campaigns/c/state")
    assert (state["version"], state["structured_data"]["wins"]) == (41, winners)
