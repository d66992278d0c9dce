"""What all tests share: how hypothesis runs."""

from __future__ import annotations

import pytest
from hypothesis import settings


def pytest_configure(config: pytest.Config) -> None:
    """Make hypothesis print how to repeat a failure, and never fail on a slow machine alone."""
    settings.register_profile("questlog", deadline=None, print_blob=True)
    settings.load_profile("questlog")
