"""Two decorators for an orchestrator built on the earlier design.

class Orchestrator:
    campaign_broadcaster: CampaignBroadcaster | None
    active_campaign_id: str | None

    @loads_campaign
    async def activate_campaign(self, campaign_id): ...

    @takes_turn
    async def process_chat_message(self, message): ...

What these methods return, or leave in `self.structured_data`, is broadcast after each call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Protocol

from questlog.broadcast.broadcaster import CampaignBroadcaster

Method = Callable[..., Awaitable[Any]]
STATE = "structured_data"


class Orchestrator(Protocol):
    """What the decorators need of an orchestrator.

    Attributes:
        campaign_broadcaster: where its documents go; None: nowhere.
        active_campaign_id: the campaign that chat messages are about.
    """

    campaign_broadcaster: CampaignBroadcaster | None
    active_campaign_id: str | None


def loads_campaign(method: Method) -> Method:
    """Broadcast `campaign_loaded` after each call of `activate_campaign(campaign_id, …)`.

    Not where it returns something false. Without a document it only seats the campaign.
    """

    @wraps(method)
    async def activate_campaign(
        self: Orchestrator, campaign_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        result = await method(self, campaign_id, *args, **kwargs)
        if result and self.campaign_broadcaster is not None:
            data = {"campaign_id": campaign_id, **_state(self, result)}
            await self.campaign_broadcaster.broadcast_campaign_update("campaign_loaded", data)
        return result

    return activate_campaign


def takes_turn(method: Method) -> Method:
    """Broadcast `campaign_updated` after each call of `process_chat_message(message, …)`.

    Called with `id=…`, the message's own, it returns when the turn is durable. Called again with
    the same id, in this life of the application or the next, it does not call the method: it
    returns what the method returned then, with the document of now as `structured_data`. What the
    method returns is an object then, of up to 64 KiB without its `structured_data`.
    """

    @wraps(method)
    async def process_chat_message(
        self: Orchestrator, message: Any, *args: Any, id: str | None = None, **kwargs: Any
    ) -> Any:
        broadcaster, campaign_id = self.campaign_broadcaster, self.active_campaign_id
        if broadcaster is None or campaign_id is None:
            return await method(self, message, *args, **kwargs)
        if id is None:
            result = await method(self, message, *args, **kwargs)
            if state := _state(self, result):
                data = {"campaign_id": campaign_id, **state}
                await broadcaster.broadcast_campaign_update("campaign_updated", data)
            return result
        result = {}
        async with broadcaster.turn(campaign_id, id=id) as turn:
            if not turn.done:
                result = await method(self, message, *args, **kwargs)
                if state := _state(self, result):
                    turn.structured_data = state[STATE]
                said = {name: value for name, value in result.items() if name != STATE}
                turn.meta = {"answer": said}
        if not turn.done:
            return result
        return {**turn.meta.get("answer", {}), STATE: turn.peek()}

    return process_chat_message


def _state(orchestrator: Orchestrator, result: Any) -> dict[str, Any]:
    """Return the document a call left, as a member `structured_data`; nothing where it left none.

    It may be in what the call returned, or in the orchestrator's own `structured_data`.
    """
    document = result.get(STATE) if isinstance(result, dict) else None
    if document is None:
        document = getattr(orchestrator, STATE, None)
    return {} if document is None else {STATE: document}
