"""Takes from npm's lock file what names a host: `python -m tools.plainlock FILE`.

npm is told not to write where a package comes from, and writes whom to pay for it all the same. A
lock says what is installed, by name, version and hash; where from is the machine's affair.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Write the file anew."""
    path = Path(sys.argv[1])
    path.write_text(plain(path.read_text("utf-8")), "utf-8")


def plain(text: str) -> str:
    """Return the lock file's text without addresses."""
    lock = json.loads(text)
    for package in lock["packages"].values():
        package.pop("funding", None)
        if not package.get("link"):
            package.pop("resolved", None)
    return json.dumps(lock, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
