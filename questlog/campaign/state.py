"""What a campaign is at a version: its document, and what is the campaign's but not in it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from questlog.campaign.narration import Narrations
from questlog.campaign.suggestions import Suggestions
from questlog.campaign.visibility import Rules


class Lease(Struct, frozen=True):
    """Who is at the wheel.

    Attributes:
        version: of its `lease.taken` event: the number that commits name it by.
        member: whose it is; an opaque id.
        name: which of their devices or agents, in their own words.
    """

    version: int
    member: str
    name: str | None = None


class CampaignState(Struct, frozen=True, kw_only=True):
    """A campaign at `version`. A value: replaced by every event, never changed.

    Attributes:
        document: the campaign's JSON object.
        size: the length of the encoded document, in bytes.
        rules: the visibility rules in force; None: the default ones.
        table: where the campaign is active, None where it is not.
        suggestions: those that wait for the DM, and the latest decided.
        lease: who is at the wheel, None where nobody is.
        narrations: the streams that have begun and not ended.
        created_at, last_at: when the first and the latest event were appended; "" before any.
    """

    campaign_id: str
    version: int = 0
    document: dict[str, Any] = {}
    size: int = 2
    title: str | None = None
    rules: Rules | None = None
    table: str | None = None
    suggestions: Suggestions = ()
    lease: Lease | None = None
    narrations: Narrations = ()
    created_at: str = ""
    last_at: str = ""
