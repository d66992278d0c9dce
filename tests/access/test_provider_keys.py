"""How often a provider is asked for its keys, and what holds while it does not answer."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from questlog.campaign.errors import StoreUnavailable, Unauthenticated
from server.access.provider import Provider
from tests.access.issuer import (
    DISCOVERY,
    JWKS,
    SUBJECT,
    HandClock,
    Issuer,
    Signer,
    issuing,
    refusal,
    verifying,
)

PATIENCE = 20.0
HOUR = 3600.0
NO_KEY = "a key its issuer does not have"


@pytest.fixture(scope="module")
def old() -> Signer:
    """Make the key the provider has at first."""
    return Signer.ec("old")


@pytest.fixture(scope="module")
def new() -> Signer:
    """Make the key it has later."""
    return Signer.ec("new")


@pytest.fixture
def clock() -> HandClock:
    """Make the clock of a test."""
    return HandClock()


@pytest.fixture
async def issuer(old: Signer) -> AsyncIterator[Issuer]:
    """Run a provider with one key."""
    async with issuing() as issuer:
        issuer.keys = [old.jwk()]
        yield issuer


@pytest.fixture
async def provider(issuer: Issuer, clock: HandClock) -> AsyncIterator[Provider]:
    """Run our side of it."""
    async with verifying(issuer.url, clock) as provider:
        yield provider


async def unavailable(provider: Provider, token: str) -> None:
    """Check that this token cannot be checked for want of keys."""
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await provider.verify(token)


async def failing(request: web.Request) -> web.StreamResponse:
    """Answer as a provider in trouble."""
    raise web.HTTPServiceUnavailable


async def test_keys_are_fetched_once_for_all_the_tokens_of_an_hour(
    provider: Provider, issuer: Issuer, clock: HandClock, old: Signer
) -> None:
    assert issuer.fetches.total() == 0
    token = old.token(issuer.claims())
    await asyncio.gather(*(provider.verify(token) for _ in range(100)))
    clock.pass_by(HOUR - 1)
    running = asyncio.all_tasks()
    assert (await provider.verify(token)).subject == SUBJECT
    assert asyncio.all_tasks() == running, "no fetch has begun"
    assert issuer.fetches == {DISCOVERY: 1, JWKS: 1}


async def test_a_new_key_is_found_and_one_withdrawn_is_no_longer_used(
    provider: Provider, issuer: Issuer, clock: HandClock, old: Signer, new: Signer
) -> None:
    claims = issuer.claims()
    await provider.verify(old.token(claims))
    issuer.keys = [new.jwk()]
    clock.pass_by(30)
    assert (await provider.verify(new.token(claims))).subject == SUBJECT
    assert NO_KEY in await refusal(provider, old.token(claims))


async def test_a_storm_of_unknown_keys_is_one_fetch_and_then_none(
    provider: Provider, issuer: Issuer, clock: HandClock, old: Signer
) -> None:
    claims = issuer.claims()
    await provider.verify(old.token(claims))
    clock.pass_by(30)
    issuer.gate.clear()
    storm = [
        asyncio.create_task(refusal(provider, old.token(claims, kid=f"unknown {number}")))
        for number in range(200)
    ]
    issuer.asked.clear()
    await asyncio.wait_for(issuer.asked.wait(), PATIENCE)
    await provider.verify(old.token(claims))
    issuer.gate.set()
    assert {NO_KEY in sentence for sentence in await asyncio.gather(*storm)} == {True}
    assert issuer.jwks_fetches == 2
    issuer.gate.clear()
    for number in range(200):
        assert NO_KEY in await refusal(provider, old.token(claims, kid=f"more {number}"))
    assert issuer.fetches == {DISCOVERY: 2, JWKS: 2}


async def fetched_at(provider: Provider, issuer: Issuer, clock: HandClock, token: str) -> list[int]:
    """Send a token each second for an hour; returns the seconds at which the provider was asked."""
    begun, seconds = clock.uptime, []
    before = issuer.fetches[DISCOVERY]
    for second in range(3600):
        clock.uptime = begun + second
        with pytest.raises((Unauthenticated, StoreUnavailable)):
            await provider.verify(token)
        if issuer.fetches[DISCOVERY] > before:
            before = issuer.fetches[DISCOVERY]
            seconds.append(second)
    return seconds


BACK_OFF = [0, *range(30, 3600, 30)]


async def test_while_a_key_is_not_found_it_is_asked_for_twice_a_minute(
    provider: Provider, issuer: Issuer, clock: HandClock, old: Signer, new: Signer
) -> None:
    claims = issuer.claims()
    found = await fetched_at(provider, issuer, clock, old.token(claims, kid="unknown"))
    assert found == BACK_OFF
    clock.pass_by(30)
    issuer.keys = [new.jwk()]
    assert (await provider.verify(new.token(claims))).subject == SUBJECT


async def test_while_fetches_fail_they_are_made_twice_a_minute(
    provider: Provider, issuer: Issuer, clock: HandClock, old: Signer
) -> None:
    issuer.answers[DISCOVERY] = failing
    assert await fetched_at(provider, issuer, clock, old.token(issuer.claims())) == BACK_OFF


async def test_a_caller_that_goes_away_does_not_take_the_fetch_along(
    provider: Provider, issuer: Issuer, old: Signer
) -> None:
    issuer.gate.clear()
    token = old.token(issuer.claims())
    first, second, third = (asyncio.create_task(provider.verify(token)) for _ in range(3))
    await asyncio.wait_for(issuer.asked.wait(), PATIENCE)
    first.cancel()
    third.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    issuer.gate.set()
    assert (await asyncio.wait_for(second, PATIENCE)).subject == SUBJECT
    assert issuer.fetches == {DISCOVERY: 1, JWKS: 1}


async def test_a_provider_that_is_down_at_first_is_asked_again(
    clock: HandClock, old: Signer
) -> None:
    async with issuing() as gone:
        url, token = gone.url, old.token(gone.claims())
    async with verifying(url, clock) as provider:
        await unavailable(provider, token)
        assert provider.failure == "The provider cannot be reached."
        async with issuing(port=int(url.rpartition(":")[2])) as issuer:
            issuer.keys = [old.jwk()]
            await unavailable(provider, token)
            clock.pass_by(30)
            assert (await provider.verify(token)).subject == SUBJECT
            assert provider.failure is None


async def test_keys_in_hand_are_used_for_a_day_while_the_provider_is_down(
    provider: Provider, issuer: Issuer, clock: HandClock, old: Signer
) -> None:
    token = old.token(issuer.claims())
    await provider.verify(token)
    issuer.answers[JWKS] = failing
    for _ in range(24):
        clock.pass_by(HOUR)
        assert (await provider.verify(token)).subject == SUBJECT
        assert NO_KEY in await refusal(provider, old.token(issuer.claims(), kid="unknown"))
    assert issuer.jwks_fetches == 25
    clock.pass_by(1)
    await unavailable(provider, token)
    del issuer.answers[JWKS]
    clock.pass_by(30)
    assert (await provider.verify(token)).subject == SUBJECT


async def test_after_an_hour_keys_are_fetched_anew_and_nobody_waits(
    provider: Provider, issuer: Issuer, clock: HandClock, old: Signer, new: Signer
) -> None:
    claims = issuer.claims()
    await provider.verify(old.token(claims))
    issuer.keys = [new.jwk()]
    clock.pass_by(HOUR)
    issuer.gate.clear()
    issuer.asked.clear()
    await provider.verify(old.token(claims))
    await asyncio.wait_for(issuer.asked.wait(), PATIENCE)
    await provider.verify(old.token(claims))
    joined = asyncio.create_task(provider.verify(new.token(claims)))
    issuer.gate.set()
    assert (await joined).subject == SUBJECT
    assert NO_KEY in await refusal(provider, old.token(claims))
    assert issuer.jwks_fetches == 2


async def test_closing_breaks_off_a_fetch_and_answers_who_waits(
    issuer: Issuer, clock: HandClock, old: Signer, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        verifying(issuer.url, clock, timeout=10 * PATIENCE) as provider,
    ):
        issuer.gate.clear()
        waiting = asyncio.create_task(unavailable(provider, old.token(issuer.claims())))
        await asyncio.wait_for(issuer.asked.wait(), PATIENCE)
    await asyncio.wait_for(waiting, PATIENCE)
    clock.pass_by(HOUR)
    await unavailable(provider, old.token(issuer.claims()))
    assert issuer.fetches == {DISCOVERY: 1}
    gc.collect()
    assert not caplog.records, "no task has failed"


async def test_a_provider_that_does_not_answer_is_given_up(
    issuer: Issuer, clock: HandClock, old: Signer
) -> None:
    issuer.gate.clear()
    async with verifying(issuer.url, clock, timeout=0.05) as provider:
        await unavailable(provider, old.token(issuer.claims()))
        assert provider.failure == "The provider cannot be reached."
