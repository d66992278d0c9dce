"""`python -m tools` is the `questlog` command."""

from __future__ import annotations

from tools.cli import main

if __name__ == "__main__":
    main(prog_name="questlog")
