"""The crash hunt hunts, and would say so if it found something."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from bench.crash import CAMPAIGN, Examined, examine
from questlog.client import CampaignClient
from tests.support.server import ROOT, create, serving


async def test_two_rounds_of_the_hunt_find_nothing() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.crash", "--rounds", "2", cwd=ROOT, stdout=-1, stderr=-2
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    assert output.decode().count(" ok\n") == 2, output.decode()
    assert "0 things wrong" in output.decode()


async def logged(store: Path, *identifiers: str) -> None:
    """Make a campaign of the hunt's name with commits of these ids."""
    async with serving(store) as url:
        await create(url, CAMPAIGN, {"n": 0})
        async with CampaignClient(url, CAMPAIGN, role="dm") as dm:
            for identifier in identifiers:
                await dm.commit(patch=[], id=identifier)


@pytest.mark.parametrize(
    ("identifiers", "wrong"),
    [
        (("step-1", "step-2", "step-3"), ()),
        (("step-1", "again", "step-2"), ("version 3 is again", "version 4 is step-2")),
        (("step-1", "step-3"), ("version 3 is step-3",)),
    ],
)
async def test_a_step_that_is_doubled_or_missing_is_found(
    tmp_path: Path, identifiers: tuple[str, ...], wrong: tuple[str, ...]
) -> None:
    await logged(tmp_path / "q.db", *identifiers)
    found = await examine(tmp_path / "q.db", Examined())
    assert (found.version, found.wrong) == (len(identifiers) + 1, wrong)


async def test_a_log_that_is_another_than_before_is_found(tmp_path: Path) -> None:
    await logged(tmp_path / "q.db", "step-1", "step-2")
    await logged(tmp_path / "other.db", "step-1", "step-2")
    before = await examine(tmp_path / "other.db", Examined())
    found = await examine(tmp_path / "q.db", before)
    assert found.wrong == ("version 3 is not what it was",)
    assert (await examine(tmp_path / "q.db", found)).wrong == ()
