"""A browser for the tests: the system's, else Playwright's own, else Debian's package.

Nobody has to prepare anything: what is missing is installed where that is possible.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 600


def find_browser() -> str | None:
    """Return the path of a Chromium, None where none can be had."""
    return _of_the_system() or _of_playwright() or _of_debian()


def _of_the_system() -> str | None:
    found = (shutil.which(name) for name in NAMES)
    return next((path for path in found if path is not None), None)


def _of_playwright() -> str | None:
    """Return the browser Playwright installs for itself, where its host can be reached."""
    from playwright.sync_api import sync_playwright

    if not _runs([sys.executable, "-m", "playwright", "install", "chromium"]):
        return None
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _of_debian() -> str | None:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return None
    if not (_runs(["apt-get", "update"]) and _runs(["apt-get", "install", "-y", "chromium"])):
        return None
    return _of_the_system()


def _runs(command: list[str]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
