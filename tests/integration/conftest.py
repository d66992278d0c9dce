"""What runs a whole server is not traced: the parts have tests of their own."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def parts_are_tested_elsewhere(untraced: None) -> None:
    """Have no line counted that a test here runs."""
