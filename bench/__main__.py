"""`python -m bench`: every benchmark, one after the other. Name some to run only those."""

from __future__ import annotations

import importlib
import sys

ALL = (
    *("document", "commits", "opening", "fanout", "views", "catchup", "narration", "rest"),
    *("backup", "pages"),
)


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    for name in sys.argv[1:] or ALL:
        importlib.import_module(f"bench.{name}").main()
        print()


if __name__ == "__main__":
    main()
