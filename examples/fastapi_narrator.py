"""A FastAPI application whose campaigns are on a Questlog server.

questlog serve --open
python -m examples.fastapi_narrator --url http://127.0.0.1:8765 --port 8000

A client posts to /chat, and on no answer, or one of 5xx, posts the same again. Either process may
be killed at any moment: an answer says that the turn is on disk, and a message is answered once.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from examples.narrator import narrate
from questlog import CampaignBroadcaster, Rejection


class Message(BaseModel):
    """What a player says. `id` is the client's own: the same again is the same message."""

    id: str
    campaign_id: str
    player_id: str
    text: str


class Answer(BaseModel):
    """What came of it, as `version` of the campaign; `again`: it was answered before."""

    id: str
    answer: str
    version: int
    again: bool


def create_app(url: str, token: str | None = None) -> FastAPI:
    """Return the application.

    Args:
        url: the Questlog server.
        token: a DM's for every campaign; None where the server asks for none.
    """
    broadcaster = CampaignBroadcaster(url, token=token, name="narrator")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with broadcaster:
            yield

    app = FastAPI(title="Narrator", lifespan=lifespan)

    @app.post("/chat")
    async def chat(message: Message) -> Answer:
        # An application of your own knows its players; this one believes them.
        turn_id = f"{message.player_id}/{message.id}"
        async with broadcaster.turn(message.campaign_id, id=turn_id, kind="chat.answered") as turn:
            again = turn.done
            if not again:
                answer = narrate(turn.structured_data, turn_id, message.player_id, message.text)
                turn.meta = {"said": message.text, "answer": answer}
        # What the log holds: said now, or before.
        return Answer(id=message.id, answer=turn.meta["answer"], version=turn.version, again=again)

    @app.post("/campaigns/{campaign_id}/activate")
    async def activate(campaign_id: str) -> dict[str, int]:
        delivery = await broadcaster.broadcast_campaign_update(
            "campaign_loaded", {"campaign_id": campaign_id}
        )
        return {"version": (await delivery).version}

    @app.exception_handler(Rejection)
    async def refuse(_: Request, refusal: Exception) -> JSONResponse:
        assert isinstance(refusal, Rejection)
        return JSONResponse({"code": refusal.code, "detail": refusal.message}, status_code=422)

    return app


def main() -> None:
    """Serve it on this machine."""
    parser = argparse.ArgumentParser(description="A narrator whose campaigns are on Questlog.")
    parser.add_argument("--url", default=os.environ.get("QUESTLOG_URL", "http://127.0.0.1:8765"))
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    # A token on the command line could be read by everybody on the machine.
    app = create_app(options.url, os.environ.get("QUESTLOG_TOKEN"))
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
