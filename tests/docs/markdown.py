"""What the documents show as code, and where they lead: read from their Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(Struct, frozen=True):
    """A fenced block: the document it stands in, its language, its text."""

    path: Path
    language: str
    text: str


def documents() -> list[Path]:
    """Return README.md and every document beside it and in docs/."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path, language: str) -> list[Block]:
    """Return the fenced blocks of one language, in order."""
    found = _FENCE.findall(path.read_text("utf-8"))
    return [Block(path, tag, text) for tag, text in found if tag == language]


def links(path: Path) -> Iterator[str]:
    """Yield where the links of a document lead, those to elsewhere left out."""
    for target in _LINK.findall(_FENCE.sub("", path.read_text("utf-8"))):
        if "://" not in target:
            yield target


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", _FENCE.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
