"""Fuzzing: mutated frames and requests against a running server.

Three servers after one another: with its limits raised, as it comes, and open. All that is sent is
made from valid messages and calls of strangers, players, spectators and DMs, by mutation. It must
hold throughout that

- every answer is a documented one, none is a 500, and sockets close with the contract's codes;
- nothing secret reaches anybody but its owner, and no token the log;
- the log holds no traceback and no error;
- players that behave are served: they follow by delta, and end with what the server says;
- the server's memory does not grow once it is warm, it stops when asked, and the log verifies.

The exit status is 1, and the stores and logs are kept, if anything is wrong.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench.fuzz.run import Fuzz, report
from server.process import run


def main() -> int:
    """Fuzz; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=200_000, help="how many inputs to send")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="of an earlier run")
    arguments = parser.parse_args()
    print(f"Fuzz, {arguments.count:,} inputs, seed {arguments.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="questlog-fuzz-"))
    fuzz = Fuzz(folder, arguments.count, arguments.seed)
    begun = time.monotonic()
    try:
        run(fuzz.run())
    except BaseException:
        print(report(fuzz))
        print(f"Seed {arguments.seed}; stores and logs are kept: {folder}", flush=True)
        raise
    seconds = time.monotonic() - begun
    wrong = sum(fuzz.judge.faults.values())
    print(report(fuzz))
    print(f"{arguments.count:,} inputs, seed {arguments.seed}, {seconds:.0f} s: {wrong} wrong")
    if wrong:
        print(f"The stores and logs are kept: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
