"""What a campaign is at a version: its document, and what is the campaign's but not in it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from questlog.campaign.visibility import Rules


class CampaignState(Struct, frozen=True, kw_only=True):
    """A campaign at `version`. A value: replaced by every event, never changed.

    Attributes:
        document: the campaign's JSON object.
        size: the length of the encoded document, in bytes.
        rules: the visibility rules in force; None: the default ones.
        table: where the campaign is active, None where it is not.
        created_at, last_at: when the first and the latest event were appended; "" before any.
    """

    campaign_id: str
    version: int = 0
    document: dict[str, Any] = {}
    size: int = 2
    title: str | None = None
    rules: Rules | None = None
    table: str | None = None
    created_at: str = ""
    last_at: str = ""
