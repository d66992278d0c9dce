"""Signing in at a page with a real OpenID provider, `oidc-provider` on Node."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from server.access.records import Member
from server.config import Config
from tests.access.test_oidc_provider import home, issuer, node
from tests.support.access import guarded, mint_for
from tests.support.pages import opened
from tests.support.peer import calling
from tests.support.server import bearer

__all__ = ["home", "issuer", "node"]
AUDIENCE = "urn:questlog:RS256:whole"


@pytest.mark.timeout(300)
async def test_a_dm_signs_in_by_name_and_comes_back_to_the_campaign(
    tmp_path: Path, browser: Browser, issuer: str
) -> None:
    config = Config(oidc_issuer=issuer, oidc_audience=AUDIENCE, oidc_client_id="pages")
    async with guarded(tmp_path, config=config) as served, calling(served.url) as call:
        dm = bearer(await mint_for(served.access, "c", "dm"))
        body = {"structured_data": {"narrative": "Rain."}}
        assert (await call("PUT", "/api/campaigns/c", headers=dm, json=body))[0] == 201
        await served.access.add_member(
            Member(campaign_id="c", member="lia", role="dm", issuer=issuer, subject="lia")
        )
        context = await browser.new_context()
        watched = await opened(context, f"{served.url}/dm?campaign_id=c")
        page = watched.page
        await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        assert await watched.faults() == []
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_placeholder("Enter any login").fill("lia")
        await page.get_by_placeholder("and password").fill("anything")
        await page.get_by_role("button", name="Sign-in").click()
        await page.get_by_role("button", name="Continue").click()
        await watched.says("Live")
        await watched.shows("Rain.")
        assert page.url == f"{served.url}/dm?campaign_id=c"
        await page.get_by_label("What is told").fill("Fog.")
        await page.get_by_role("button", name="Tell").click()
        await watched.shows("Fog.")
        _, answer = await call("GET", "/api/campaigns/c/events?after=1", headers=dm)
        assert answer["events"][0]["actor"] == {"member": "lia", "role": "dm"}
        await page.reload()
        await watched.says("Live")
        # Another tab is another person, for all that is known.
        other = await opened(context, f"{served.url}/dm?campaign_id=c")
        await expect(other.page.get_by_role("button", name="Sign in")).to_be_visible()
