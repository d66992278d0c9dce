"""The Python SDK: a shell of aiohttp round the replica, which keeps it connected.

client     what a program calls
carriers   the ways a connection is made: a socket, a stream, polls
narrating  text that is streamed
"""

from __future__ import annotations

from questlog.client.client import CampaignClient
from questlog.client.narrating import Narration

__all__ = ["CampaignClient", "Narration"]
