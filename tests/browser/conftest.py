"""One browser for all tests here, and a page of its own for each."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser.finding import find_browser

OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "about:blank",
)
LISTENING = re.compile(r"DevTools listening on (ws://\S+)")


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


@pytest.fixture(scope="session")
def endpoint(executable: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a headless Chromium for all tests of this process; yields where it is spoken to.

    To start one takes a second of a processor, and each test has contexts of its own in it.
    """
    profile = tmp_path_factory.mktemp("profile")
    process = subprocess.Popen(
        [executable, *OPTIONS, f"--user-data-dir={profile}"],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        said = iter(process.stderr.readline, b"")
        found = (LISTENING.search(line.decode("utf-8", "replace")) for line in said)
        where = next(each[1] for each in found if each is not None)
        # It has more to say than anybody reads.
        process.stderr.close()
        yield where
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
async def browser(endpoint: str) -> AsyncIterator[Browser]:
    """Yield the Chromium; what a test opens in it is closed behind it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(endpoint)
        try:
            yield browser
        finally:
            for context in browser.contexts:
                await context.close()
            await browser.close()
