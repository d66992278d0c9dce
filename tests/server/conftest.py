"""A server and a caller for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.peer import Caller, calling
from tests.support.server import serving


@pytest.fixture
async def call(tmp_path: Path) -> AsyncIterator[Caller]:
    """Yield a caller of a fresh server."""
    async with serving(tmp_path / "questlog.db") as url, calling(url) as caller:
        yield caller
