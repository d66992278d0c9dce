"""`python -m tools` is the `questlog` command."""

from __future__ import annotations

from tools.cli import start

if __name__ == "__main__":
    start()
