"""One browser for all tests here, and a page of its own for each."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser.finding import find_browser


@pytest.fixture(autouse=True)
def parts_are_tested_elsewhere(untraced: None) -> None:
    """Have no line counted that a test here runs: what it is about is the pages."""


@pytest.fixture(scope="session")
def executable() -> str:
    """Return the path of a browser; skips where none can be had, saying so."""
    found = find_browser()
    if found is None:
        pytest.skip("no Chromium on the system, and none could be installed")
    return found


@pytest.fixture
async def browser(executable: str) -> AsyncIterator[Browser]:
    """Yield a headless Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            await browser.close()
