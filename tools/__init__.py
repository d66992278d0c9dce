"""The `questlog` command."""

from __future__ import annotations
