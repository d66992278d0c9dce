"""What all tests share: how hypothesis runs."""

from __future__ import annotations

import pytest
from hypothesis import settings


def pytest_configure(config: pytest.Config) -> None:
    """Make hypothesis print how to repeat a failure, and never fail on a slow machine alone."""
    settings.register_profile("questlog", deadline=None, print_blob=True)
    settings.load_profile("questlog")


@pytest.fixture
def untraced(no_cover: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no line counted that a test runs, here or in a process of its own.

    For tests that are long because they do much of the same: traced, they would take twice as long.
    """
    # What coverage tells the processes that are started under it.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
