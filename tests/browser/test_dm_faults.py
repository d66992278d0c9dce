"""What goes wrong at a DM's console: two DMs at once, odd documents, a connection that is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import Browser, expect

from tests.browser.test_dm import DOCUMENT, console, served, state
from tests.client.proxy import Proxy
from tests.support.access import Guarded, guarded
from tests.support.pages import PATIENT, Watched, opened, seat
from tests.support.peer import calling, put
from tests.support.server import Served

__all__ = ["served"]
WIDE = {"width": 1360, "height": 900}


async def commit(served: Guarded, *patch: dict[str, Any]) -> None:
    """Commit as another DM."""
    async with served.calling("dm") as dm:
        await dm.commit("c", *patch)


async def edited(watched: Watched, pointer: str, text: str, meanwhile: Any) -> None:
    """Write in a field of the document, while something else happens."""
    await (
        watched.page.get_by_label(f"change {pointer}")
        .or_(watched.page.get_by_label(f"Edit {pointer}", exact=True))
        .click()
    )
    field = watched.page.get_by_label(f"The value of {pointer}")
    await field.fill(text)
    await meanwhile
    await field.press("Enter")


async def test_two_blows_struck_at_once_are_two_blows(served: Guarded, browser: Browser) -> None:
    watched = await console(served, browser)
    card = watched.page.get_by_role("group", name="Mira")
    await card.get_by_role("button", name="Damage").evaluate("e => { e.click(); e.click() }")
    await expect(card).to_contain_text("12 / 22")
    for points in ("2.5", "0", ""):
        await card.get_by_label("Points for Mira").fill(points)
        await card.get_by_role("button", name="Heal").click()
        await watched.shows("How many points?")
    await expect(card).to_contain_text("12 / 22")


async def test_what_another_wrote_is_never_written_over(served: Guarded, browser: Browser) -> None:
    watched = await console(served, browser)
    await commit(served, put("/lst", ["a", "b", "c"]))
    page = watched.page
    await page.get_by_role("button", name="Document").click()
    await edited(watched, "/narrative", "MINE", commit(served, put("/narrative", "THEIRS")))
    await watched.shows("It has changed meanwhile")
    await page.get_by_role("button", name="Leave").click()
    await page.get_by_role("button", name="▸ lst").click()
    shift = commit(served, {"op": "add", "path": "/lst/0", "value": "new"})
    await edited(watched, "/lst/1", '"B2"', shift)
    await watched.shows("It has changed meanwhile")
    now = await state(served)
    assert (now["narrative"], now["lst"]) == ("THEIRS", ["new", "a", "b", "c"])
    await page.get_by_role("button", name="Leave").click()
    # What is being written outlives another view, and its place.
    await page.get_by_label("change /narrative").click()
    await page.get_by_label("The value of /narrative").fill("A long tale")
    await page.get_by_role("button", name="Visibility").click()
    await page.get_by_role("button", name="Document").click()
    await expect(page.get_by_label("The value of /narrative")).to_have_value("A long tale")
    await commit(served, {"op": "remove", "path": "/narrative"})
    gone = page.get_by_label("What was written at /narrative")
    await expect(gone).to_have_value("A long tale")
    await page.get_by_role("button", name="Leave").click()
    # What was meant as JSON and is none does not become a text.
    await page.get_by_label("Edit /characters", exact=True).click()
    field = page.get_by_label("The value of /characters")
    await field.fill('{"mira": {"name": "Mira",}}')
    await watched.shows("This is not JSON yet")
    await field.press("Enter")
    await field.press("Escape")
    await expect(page.get_by_label("Edit /characters", exact=True)).to_be_focused()
    assert (await state(served))["characters"] == DOCUMENT["characters"]


async def test_what_a_browser_would_round_is_not_committed(
    served: Guarded, browser: Browser
) -> None:
    large = 9_223_372_036_854_775_807
    await commit(served, put("/meta", {"id": large, "note": "x"}))
    watched = await console(served, browser)
    page = watched.page
    await page.get_by_role("button", name="Document").click()
    await page.get_by_label("Edit /meta", exact=True).click()
    await watched.shows("a number that a browser would round")
    await page.get_by_role("button", name="Leave").click()
    await page.get_by_label("Add to the document").click()
    await page.get_by_label("The member's name").fill("narrative")
    await page.get_by_label("Its value").fill(str(large))
    await page.get_by_role("button", name="Add", exact=True).click()
    await watched.shows("There is /narrative already")
    await page.get_by_label("The member's name").fill("z")
    await page.get_by_role("button", name="Add", exact=True).click()
    await watched.shows("a browser cannot hold exactly")
    await page.get_by_label("Its value").fill("[1e400]")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_role("button", name="Add", exact=True)).to_be_visible()
    now = await state(served)
    assert now["meta"] == {"id": large, "note": "x"}
    assert "z" not in now


async def test_whoever_is_hidden_in_a_list_stays_hidden_when_it_moves(
    tmp_path: Path, browser: Browser
) -> None:
    async with guarded(tmp_path) as served, served.calling("dm") as dm:
        listed = [{"id": "mira", "name": "Mira"}, {"id": "spy", "name": "The spy"}]
        await dm.create("c", {"characters": listed, "initiative": ["spy", "mira"]})
        watched = await console(served, browser)
        mira = await opened(await browser.new_context(), await seat(served, "mira"))
        await mira.shows("The spy")
        spy = watched.page.get_by_role("group", name="The spy")
        await spy.get_by_role("button", name="Hide").click()
        # That the name is still told elsewhere is said.
        await expect(spy).to_contain_text("Hidden from the players, and still named in Initiative")
        oda = {"id": "oda", "name": "Oda"}
        await dm.commit("c", {"op": "add", "path": "/characters/0", "value": oda})
        await mira.shows("Oda")
        await expect(mira.page.locator(".party")).to_contain_text("Mira")
        await expect(mira.page.get_by_text("The spy")).to_have_count(0)
        await expect(spy).to_contain_text("Hidden from the players")
        # It was one step, and is taken back as such.
        await watched.page.get_by_role("button", name="Undo").click()
        await mira.shows("The spy")


async def test_a_rule_of_ones_own_outlives_hiding_and_revealing(
    served: Guarded, browser: Browser
) -> None:
    rules = [{"path": "/characters/tobin", "to": ["player:tobin"]}]
    async with served.calling("dm") as dm:
        await dm("PUT", "/api/campaigns/c/visibility", json={"rules": rules})
        watched = await console(served, browser)
        tobin = watched.page.get_by_role("group", name="Tobin")
        await expect(tobin).to_contain_text("Not seen by all players")
        await tobin.get_by_role("button", name="Hide").click()
        await tobin.get_by_role("button", name="Reveal").click()
        await expect(tobin.get_by_role("button", name="Hide")).to_be_visible()
        _, now = await dm("GET", "/api/campaigns/c/visibility")
        assert now["rules"] == rules
        # Rules that were changed by another meanwhile are not put over.
        await watched.page.get_by_role("button", name="Visibility").click()
        text = watched.page.get_by_label("The rules, as JSON")
        await text.fill('{"default":"visible","rules":[]}')
        await watched.shows("any player sees what is usually kept from them: dm, private")
        await text.fill('{"Default":"hidden","rules":[]}')
        await watched.shows("no Default")
        await text.fill('{"default":"visible","rules":[{"path":"/dm","to":["dm"]}]}')
        await watched.shows("any player sees what is usually kept from them: private")
        other = [*rules, {"path": "/narrative", "to": ["dm"]}]
        await dm("PUT", "/api/campaigns/c/visibility", json={"rules": other})
        await watched.page.get_by_role("button", name="Put in force").click()
        await watched.shows("The rules have changed meanwhile")
        _, now = await dm("GET", "/api/campaigns/c/visibility")
        assert now["rules"] == other


async def test_without_a_connection_what_is_done_waits_and_is_said_to(
    served: Guarded, browser: Browser
) -> None:
    async with Proxy.before(served.url) as proxy:
        watched = await console(served, browser, url=proxy.url)
        proxy.down = True
        proxy.cut()
        await watched.says("Reconnecting")
        card = watched.page.get_by_role("group", name="Mira")
        await card.get_by_role("button", name="Damage").click()
        await card.get_by_role("button", name="Damage").click()
        await watched.shows("2 things wait for the connection.")
        proxy.down = False
        await expect(card).to_contain_text("12 / 22", timeout=PATIENT)


async def test_what_was_not_done_is_said_whatever_is_done_after_it(
    served: Guarded, browser: Browser
) -> None:
    async with Proxy.before(served.url) as proxy:
        watched = await console(served, browser, url=proxy.url)
        page = watched.page
        proxy.down = True
        proxy.cut()
        await watched.says("Reconnecting")
        for who in ("Tobin", "Mira"):
            await page.get_by_role("group", name=who).get_by_role("button", name="Damage").click()
        await page.get_by_role("group", name="Mira").get_by_role("button", name="Hide").click()
        # The one is made for what is there by then; the other cannot be.
        await commit(served, put("/characters/tobin/hp/current", 30))
        await commit(served, put("/characters/mira/hp", "many"))
        proxy.down = False
        tobin = page.get_by_role("group", name="Tobin")
        await expect(tobin).to_contain_text("25 / 34", timeout=PATIENT)
        await watched.shows("Hidden from the players")
        await watched.shows("Mira has no hit points that can be counted.")


async def test_what_was_meant_for_one_campaign_is_not_done_in_another(
    tmp_path: Path, browser: Browser
) -> None:
    async with Served.start(tmp_path / "q.db") as server, calling(server.url) as dm:
        for name in ("a", "b"):
            await dm.create(name, DOCUMENT)
        await dm("POST", "/api/campaigns/a/activate", json={})
        async with Proxy.before(server.url) as proxy:
            watched = await opened(await browser.new_context(), f"{proxy.url}/dm")
            await watched.says("Live")
            proxy.down = True
            proxy.cut()
            await watched.says("Reconnecting")
            card = watched.page.get_by_role("group", name="Mira")
            await card.get_by_role("button", name="Damage").click()
            await watched.page.get_by_label("What is told").fill("A SECRET")
            await watched.page.get_by_role("button", name="Tell").click()
            await watched.page.get_by_role("button", name="Document").click()
            await watched.page.get_by_label("change /narrative").click()
            await watched.page.get_by_label("The value of /narrative").fill("A DRAFT")
            await dm("POST", "/api/campaigns/b/activate", json={})
            proxy.down = False
            await watched.shows("another campaign is played here by now")
            await expect(watched.page.get_by_label("What is told")).to_have_value("A SECRET")
            # What was being written in the one is not written in the other, nor lost.
            field = watched.page.get_by_label("The value of /narrative")
            document = watched.page.get_by_role("button", name="Document", exact=True)
            replay = watched.page.get_by_role("link", name="Replay")
            await expect(replay).to_have_attribute("href", "replay?campaign_id=b")
            await document.click()
            await expect(watched.page.get_by_label("change /narrative")).to_be_visible()
            await expect(field).to_have_count(0)
            await dm("POST", "/api/campaigns/a/activate", json={})
            await expect(replay).to_have_attribute("href", "replay?campaign_id=a")
            await document.click()
            await expect(field).to_have_value("A DRAFT", timeout=PATIENT)
        for name in ("a", "b"):
            _, answer = await dm("GET", f"/api/campaigns/{name}/state")
            assert answer["structured_data"] == DOCUMENT


async def test_what_cannot_be_taken_back_is_passed_over_before_anything_else_is(
    served: Guarded, browser: Browser
) -> None:
    watched = await console(served, browser)
    page = watched.page
    card = page.get_by_role("group", name="Mira")
    await card.get_by_role("button", name="Damage").click()
    await expect(card).to_contain_text("17 / 22")
    await card.get_by_label("A condition or a thing for Mira").fill("AAA")
    await card.get_by_role("button", name="Condition").click()
    await expect(card).to_contain_text("AAA")
    await commit(served, put("/characters/mira/conditions", ["BBB"]))
    await expect(card).to_contain_text("BBB")
    await page.get_by_role("button", name="Undo").click()
    await watched.shows("Mira: AAA, not taken back.")
    await expect(card).to_contain_text("17 / 22")
    await page.get_by_role("button", name="Pass over").click()
    await page.get_by_role("button", name="Undo").click()
    await expect(card).to_contain_text("22 / 22")


async def test_undo_does_not_reach_into_another_campaign(tmp_path: Path, browser: Browser) -> None:
    async with Served.start(tmp_path / "q.db") as served, calling(served.url) as dm:
        for name in ("a", "b"):
            await dm.create(name, DOCUMENT)
        await dm("POST", "/api/campaigns/a/activate", json={})
        watched = await opened(await browser.new_context(), f"{served.url}/dm")
        await watched.says("Live")
        card = watched.page.get_by_role("group", name="Mira")
        await card.get_by_role("button", name="Damage").click()
        await expect(card).to_contain_text("17 / 22")
        undo = watched.page.get_by_role("button", name="Undo")
        await expect(undo).to_be_enabled()
        await dm("POST", "/api/campaigns/b/activate", json={})
        await expect(card).to_contain_text("22 / 22", timeout=PATIENT)
        await expect(undo).to_be_disabled()
        await dm("POST", "/api/campaigns/a/activate", json={})
        await expect(card).to_contain_text("17 / 22", timeout=PATIENT)
        await undo.click()
        await expect(card).to_contain_text("22 / 22")


async def test_an_undo_that_waits_is_for_the_campaign_it_was_pressed_in(
    tmp_path: Path, browser: Browser
) -> None:
    async with Served.start(tmp_path / "q.db") as server, calling(server.url) as dm:
        for name in ("a", "b"):
            await dm.create(name, DOCUMENT)
        async with Proxy.before(server.url) as proxy:
            watched = await opened(await browser.new_context(), f"{proxy.url}/dm")
            card = watched.page.get_by_role("group", name="Mira")
            for name in ("a", "b"):
                await dm("POST", f"/api/campaigns/{name}/activate", json={})
                await expect(card).to_contain_text("22 / 22", timeout=PATIENT)
                await card.get_by_role("button", name="Damage").click()
                await expect(card).to_contain_text("17 / 22")
            proxy.down = True
            proxy.cut()
            await watched.says("Reconnecting")
            await watched.page.get_by_role("button", name="Undo").click()
            await dm("POST", "/api/campaigns/a/activate", json={})
            proxy.down = False
            await watched.shows("another campaign is played here by now")
            await expect(card).to_contain_text("17 / 22")


async def test_who_is_at_the_wheel_knows_it_after_a_reload(
    served: Guarded, browser: Browser
) -> None:
    watched = await console(served, browser)
    await watched.page.get_by_role("button", name="Take the wheel").click()
    await watched.shows("You are at the wheel.")
    other = await console(served, browser)
    await other.shows("is at the wheel: what you do here goes past them.")
    await watched.page.reload()
    await watched.shows("You are at the wheel.")
    # Whoever has lost it does not pass by the new one, however often they press.
    await other.page.get_by_role("button", name="Take the wheel").click()
    await other.shows("You are at the wheel.")
    card = watched.page.get_by_role("group", name="Mira")
    for _ in range(2):
        await card.get_by_role("button", name="Damage").click()
        await watched.shows("Another has taken the wheel")
    await expect(card).to_contain_text("22 / 22")
    await watched.page.get_by_role("button", name="Take the wheel").click()
    await watched.shows("You are at the wheel.")
    await card.get_by_role("button", name="Damage").click()
    await expect(card).to_contain_text("17 / 22")
    await watched.page.get_by_role("button", name="Let go").click()
    await other.shows("Nobody is at the wheel.")
