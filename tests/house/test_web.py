"""The web's half of the house: sizes, locks, and what the pages may weigh."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from server.pages import PAGES, built
from tests.support.server import ROOT
from tools.plainlock import plain

WEB = ROOT / "web"
MOST_LINES = 400
# What a phone on bad wifi loads before a player sees anything.
MOST_BYTES = 150_000
SOURCES = sorted(
    path
    for folder in ("sdk", "react", "pages")
    for path in (WEB / folder).rglob("*")
    if path.suffix in (".ts", ".tsx", ".css") and not {"node_modules", "dist"} & set(path.parts)
)
GENERATED = {"messages.ts"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(WEB)))
def test_no_file_is_too_long(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    most = 2 * MOST_LINES if path.name in GENERATED or path.suffix == ".css" else MOST_LINES
    assert lines <= most, f"{path} has {lines} lines"


def test_the_lock_file_names_no_host() -> None:
    text = (WEB / "package-lock.json").read_text("utf-8")
    assert "://" not in text
    assert plain(text) == text


def test_markup_is_never_made_of_text() -> None:
    for path in SOURCES:
        found = re.search(r"dangerouslySetInnerHTML|innerHTML|insertAdjacentHTML", path.read_text())
        assert found is None, path


def test_a_page_with_all_it_loads_is_light() -> None:
    # What weighs most on a phone; the others are opened at a desk.
    for name in {PAGES["/play"]}:
        page = (built() / name).read_text("utf-8")
        loaded = [built() / each for each in re.findall(r'(?:src|href)="\./([^"]+)"', page)]
        assert len(loaded) >= 3
        weight = sum(len(gzip.compress(path.read_bytes(), 9)) for path in loaded)
        assert weight < MOST_BYTES, f"{name}: {weight} bytes"


def test_the_wheel_has_the_pages_built(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*command, "--no-index", "-w", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    page = (built() / "play.html").read_text("utf-8")
    for loaded in ("play.html", *re.findall(r'(?:src|href)="\./([^"]+)"', page)):
        assert f"server/static/pages/{loaded}" in names
    assert not [name for name in names if "node_modules" in name or name.startswith("web/")]
