"""An aiohttp application with Questlog in it: one process, one port, one file.

python -m examples.embedded --store sqlite:///questlog.db --port 8000

Players follow at /questlog/ws/campaign/player; the application itself talks to the campaigns in
process, as the DM.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator

from aiohttp import web

from examples.narrator import narrate
from questlog import CampaignBroadcaster
from server.config import Config
from server.embedding import LocalServer, embedded

BROADCASTER = web.AppKey("broadcaster", CampaignBroadcaster)


def make_app(store_url: str) -> web.Application:
    """Return the application; its store is opened when it starts."""
    questlog = embedded(store_url, Config(open=True))
    app = web.Application()
    app.add_subapp("/questlog", questlog)
    app[BROADCASTER] = CampaignBroadcaster(LocalServer(questlog), name="embedded")
    app.cleanup_ctx.append(broadcasting)
    app.router.add_post("/chat", chat)
    return app


async def broadcasting(app: web.Application) -> AsyncIterator[None]:
    """Keep the broadcaster at work while the application runs."""
    async with app[BROADCASTER]:
        yield


async def chat(request: web.Request) -> web.Response:
    """POST /chat {"id", "campaign_id", "player_id", "text"}"""
    said = await request.json()
    turn_id = f"{said['player_id']}/{said['id']}"
    async with request.app[BROADCASTER].turn(said["campaign_id"], id=turn_id) as turn:
        if not turn.done:
            answer = narrate(turn.structured_data, turn_id, said["player_id"], said["text"])
            turn.meta = {"answer": answer}
    return web.json_response({"answer": turn.meta["answer"], "version": turn.version})


def main() -> None:
    """Serve it on this machine, until SIGTERM or ^C."""
    parser = argparse.ArgumentParser(description="An application with Questlog in it.")
    parser.add_argument("--store", default="sqlite:///questlog.db")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    # aiohttp's access log would hold the tokens that sockets may bring in their query.
    web.run_app(make_app(options.store), host="127.0.0.1", port=options.port, access_log=None)


if __name__ == "__main__":
    main()
