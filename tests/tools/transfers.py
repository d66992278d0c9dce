"""How tests move logs: out of a store, into one, and what either is left with."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from tests.tools.stores import run


def exported(log: Path, file: Path, *options: str, campaign: str = "c") -> Path:
    """Export a campaign into a file."""
    result = run(log, "export", campaign, *options)
    assert result.exit_code == 0, result.stderr
    file.write_bytes(result.stdout_bytes)
    return file


def rows(path: Path, table: str = "event", campaign: str = "c") -> list[Any]:
    """Return the rows of a table that are a campaign's."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(
            f"SELECT * FROM {table} WHERE campaign_id = ? ORDER BY 2", (campaign,)
        ).fetchall()
    finally:
        connection.close()


def refused(path: Path, *arguments: str) -> tuple[str, str]:
    """Run the command, which must refuse, and return code and sentence."""
    result = run(path, *arguments, "--json")
    assert result.exit_code == 1, result.output
    said = json.loads(result.stderr)
    return said["code"], said["detail"]


def taken(path: Path, *arguments: str) -> dict[str, Any]:
    """Import, and return what the command says of it."""
    result = run(path, "import", *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def staged(path: Path) -> list[str]:
    """Return the files an unfinished import left beside a store."""
    return [each.name for each in path.parent.glob(f"{path.name}.import-*")]
