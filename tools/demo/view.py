"""The players' live view of a campaign, in a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from questlog.client import CampaignClient

BAR = 20
FRAME_TIME = 0.1
LOW, HURT = 1 / 3, 2 / 3


async def show(client: CampaignClient) -> None:
    """Show what `client` sees, until cancelled: a live picture, or plain lines where no tty is."""
    console = Console()
    if console.is_terminal:
        await _show_live(client, console)
    else:
        await _print_lines(client)


async def _show_live(client: CampaignClient, console: Console) -> None:
    moved = asyncio.Event()

    async def follow() -> None:
        async for _ in client:
            moved.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(follow())
        with Live(console=console, auto_refresh=False) as live:
            while True:
                live.update(picture(client.document, client.version, client.status), refresh=True)
                await moved.wait()
                moved.clear()
                # At full speed there are more changes than anybody can see.
                await asyncio.sleep(FRAME_TIME)


async def _print_lines(client: CampaignClient) -> None:
    told: dict[str, Any] = {}
    async for _ in client:
        document = client.document or {}
        for line in lines_of(told, document):
            click.echo(f"{client.version:>5}  {line}")
        told = document


def lines_of(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what a player would be told of a change: the narrative, the turn, hit points."""
    lines = []
    if now.get("narrative") and now["narrative"] != before.get("narrative"):
        lines.append(clean(now["narrative"]).replace("\n", " "))
    if now.get("combat_status") and now["combat_status"] != before.get("combat_status"):
        lines.append(clean(now["combat_status"]))
    were = {name: (current, most) for name, current, most, _ in party(before)}
    for name, current, most, _ in party(now):
        if name in were and were[name] != (current, most):
            lines.append(f"{name}: {current} of {most} hit points")
    return lines


def picture(document: Mapping[str, Any] | None, version: int, status: str) -> RenderableType:
    """Return the whole view: story, party, initiative, and where the replica stands."""
    if document is None:
        return Panel(Text("Nothing is played at this table yet."), subtitle=status)
    parts: list[RenderableType] = [Markdown(clean(document.get("narrative", ""))), Text()]
    if heroes := party(document):
        parts.append(_party_table(heroes))
    if line := _initiative(document):
        parts.append(line)
    for name, style in (("environmental_conditions", "blue"), ("immediate_threats", "red")):
        values = document.get(name)
        if isinstance(values, list) and values:
            parts.append(Text("  ".join(f"• {clean(value)}" for value in values), style=style))
    title = clean(document.get("title") or "the campaign")
    footer = f"version {version} · {status} · turn {clean(document.get('turn', '-'))}"
    return Panel(Group(*parts), title=title, subtitle=footer, padding=(1, 2))


def party(document: Mapping[str, Any]) -> list[tuple[str, int, int, str]]:
    """Return name, hit points, most hit points and conditions of each character with hit points."""
    characters = document.get("characters")
    found = list(characters.values()) if isinstance(characters, dict) else characters
    heroes = []
    for hero in found if isinstance(found, list) else []:
        points = hero.get("hp") if isinstance(hero, dict) else None
        if not isinstance(points, dict):
            continue
        current, most = points.get("current"), points.get("max")
        if type(current) is int and type(most) is int:
            conditions = hero.get("conditions")
            words = ", ".join(map(clean, conditions)) if isinstance(conditions, list) else ""
            heroes.append((clean(hero.get("name", "?")), current, most, words))
    return heroes


def bar(current: int, most: int) -> Text:
    """Return hit points as a bar of 20 cells: green, yellow from two thirds, red from one."""
    share = min(max(current / most, 0.0), 1.0) if most > 0 else 0.0
    style = "red" if share <= LOW else "yellow" if share <= HURT else "green"
    full = round(share * BAR)
    return Text("█" * full, style=style).append("░" * (BAR - full), style="dim")


def _party_table(heroes: list[tuple[str, int, int, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, current, most, conditions in heroes:
        points = Text(f"{current}/{most}", style="bold")
        table.add_row(Text(name), bar(current, most), points, Text(conditions, style="magenta"))
    return table


def _initiative(document: Mapping[str, Any]) -> Text | None:
    """Return the order of the fight with whose turn it is, None where there is none."""
    order = document.get("initiative")
    if not isinstance(order, list) or not order:
        return None
    info = document.get("turn_info")
    current = info.get("current") if isinstance(info, dict) else None
    line = Text("\n" + clean(document.get("combat_status") or "Initiative") + "  ")
    for entry in order:
        members = entry if isinstance(entry, dict) else {"name": entry}
        name = clean(members.get("name", members.get("id", "?")))
        turn = current is not None and current in (members.get("id"), members.get("name"))
        line.append(f" {name} ", style="reverse bold" if turn else "dim")
    return line


def clean(value: Any) -> str:
    """Return text from a document without what a terminal would obey."""
    return "".join(c for c in str(value) if c.isprintable() or c == "\n")
