"""Budgets: shared by all processes, refilled by the second, and told to those who spend them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters import redis
from api import limits
from api.app import create_app
from api.limits import PREFIX, Budgets
from domain.errors import RateLimited
from settings import Settings
from tests import factories
from tests.api.door import door as schema
from tests.api.serving import GRAPHQL_RESPONSE, client_of, codes, serving

SMALL = Settings(budget=100, budget_per_second=8)


@pytest.fixture
async def client_of_redis(empty_redis_url: str) -> AsyncIterator[redis.Client]:
    made = redis.connect(empty_redis_url)
    yield made
    await made.aclose()


async def spent(budgets: Budgets, times: int, cost: int = 1) -> int:
    """Return how many of so many attempts to spend succeed."""
    done = 0
    for _ in range(times):
        try:
            await budgets.spend("somebody", cost)
        except RateLimited:
            continue
        done += 1
    return done


async def test_processes_together_spend_no_more_than_there_is(client_of_redis: redis.Client) -> None:
    # It refills so slowly that no test takes long enough for a second point.
    slow = Settings(budget=100, budget_per_second=1)
    processes = [Budgets(client_of_redis, slow) for _ in range(3)]

    done = await asyncio.gather(*(spent(budgets, 60) for budgets in processes))

    assert 100 <= sum(done) <= 110


async def test_tasks_of_one_process_spend_no_more_than_there_is(client_of_redis: redis.Client) -> None:
    budgets = Budgets(client_of_redis, SMALL)

    done = await asyncio.gather(*(spent(budgets, 1, cost=30) for _ in range(10)))

    assert sum(done) == 3


async def test_an_empty_budget_says_when_to_come_back_and_refills(client_of_redis: redis.Client) -> None:
    budgets = Budgets(client_of_redis, SMALL)
    told = await budgets.spend("somebody", 80)
    assert told and (told.maximum, told.restore_rate) == (100, 8)
    assert 20 <= told.available <= 21

    with pytest.raises(RateLimited) as refused:
        await budgets.spend("somebody", 100)
    assert refused.value.facts["seconds"] in (9, 10)
    await budgets.spend("somebody else", 100)

    # The time of Redis is moved by moving the moment of the last change.
    await client_of_redis.hincrbyfloat(PREFIX + "somebody", "at", -5)  # type: ignore[misc]
    again = await budgets.spend("somebody", 40)
    assert again and 20 <= again.available <= 22
    await client_of_redis.hincrbyfloat(PREFIX + "somebody", "at", -1_000)  # type: ignore[misc]
    full = await Budgets(client_of_redis, SMALL).spend("somebody", 1)
    assert full and full.available == 99


async def test_a_slice_is_spent_without_asking_and_forgotten_when_it_is_old(
    client_of_redis: redis.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets = Budgets(client_of_redis, Settings(budget=100, budget_per_second=40))
    await budgets.spend("somebody", 1)
    taken = float(await client_of_redis.hget(PREFIX + "somebody", "points") or 0)  # type: ignore[misc]
    assert taken == 90

    assert await spent(budgets, 9) == 9
    assert float(await client_of_redis.hget(PREFIX + "somebody", "points") or 0) == taken  # type: ignore[misc]

    await budgets.spend("somebody", 1)
    budgets._leases["somebody"].until = 0
    await budgets.spend("somebody", 1)
    assert budgets._leases["somebody"].points == 9


async def test_without_redis_or_without_a_limit_nobody_is_held_up(client_of_redis: redis.Client) -> None:
    lost = redis.connect("redis://127.0.0.1:1")

    assert await Budgets(lost, SMALL).spend("somebody", 1_000) is None
    assert await Budgets(client_of_redis, Settings(budget=0)).spend("somebody", 1_000) is None
    await lost.aclose()


async def test_the_number_of_those_whose_slices_are_kept_is_bounded(
    client_of_redis: redis.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_LEASES", 5)
    budgets = Budgets(client_of_redis, SMALL)

    for number in range(20):
        await budgets.spend(f"address:{number}", 1)

    assert len(budgets._leases) == 5


async def test_clients_are_told_how_their_budget_stands_and_when_to_come_back(
    db: str, server_settings: Settings
) -> None:
    token = await factories.bearer(await factories.member())
    app = create_app(server_settings.model_copy(update={"budget": 100, "budget_per_second": 5}), schema)
    async with serving(app) as address, client_of(address) as door:
        answer = await door.send("{things {nodes {name}}}", token=token)
        refused = await door.send("{things(first: 99) {nodes {name}}}", token=token, accept=GRAPHQL_RESPONSE)
        other = await door.send("{hello}", accept=GRAPHQL_RESPONSE)
    await app.state.redis.aclose()

    assert answer.json()["extensions"]["cost"] == {
        "requested": 20,
        "actual": 1,
        "maximum": 5_000,
        "throttle": {"maximum": 100, "available": 80, "restoreRate": 5},
    }
    assert (answer.headers["ratelimit-policy"], answer.headers["ratelimit"]) == ('"cost";q=100;w=20', '"cost";r=80;t=4')
    assert (refused.status_code, codes(refused.json())) == (429, ["RATE_LIMITED"])
    assert 3 <= int(refused.headers["retry-after"]) <= 4
    assert refused.json()["errors"][0]["extensions"]["retryAfter"] == int(refused.headers["retry-after"])
    assert other.status_code == 200
