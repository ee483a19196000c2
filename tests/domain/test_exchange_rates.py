"""Exchange rates: dated, and the latest of a day's counts."""

import asyncio
from datetime import date
from decimal import Decimal

import pytest

from domain import exchange_rates
from domain.actors import Actor
from domain.errors import Forbidden, Invalid, Malformed, OutOfRange
from domain.exchange_rates import BaseCurrencyRate, rates_on
from models.events import Event
from models.exchange_rates import ExchangeRate
from models.users import Role
from tests.factories import NOW, member

FIRST, SECOND = date(2026, 1, 1), date(2026, 2, 1)

pytestmark = pytest.mark.usefixtures("db")


async def rate(actor: Actor, currency: str, value: str, day: date = FIRST) -> ExchangeRate:
    return await exchange_rates.set_rate(actor, currency=currency, rate=Decimal(value), valid_on=day, now=NOW)


async def test_a_day_has_each_currencys_latest_rate_until_then() -> None:
    actor = await member()
    await rate(actor, "usd", "0.92", FIRST)
    await rate(actor, "USD", "0.95", SECOND)
    await rate(actor, "CHF", "1.05", SECOND)

    assert await rates_on(actor.workspace_id, date(2025, 12, 31)) == {"EUR": 1}
    assert await rates_on(actor.workspace_id, FIRST) == {"EUR": 1, "USD": Decimal("0.92")}
    assert await rates_on(actor.workspace_id, date(2026, 1, 31)) == {"EUR": 1, "USD": Decimal("0.92")}
    assert await rates_on(actor.workspace_id, SECOND) == {
        "EUR": 1,
        "USD": Decimal("0.95"),
        "CHF": Decimal("1.05"),
    }
    assert await rates_on((await member()).workspace_id, SECOND) == {"EUR": 1}


async def test_the_rate_of_a_day_is_replaced_and_the_same_again_is_no_event() -> None:
    actor = await member()
    first = await rate(actor, "USD", "0.92")
    second = await rate(actor, "USD", "0.93")
    same = await rate(actor, "USD", "0.930000")

    assert first.id == second.id == same.id
    assert second.rate == Decimal("0.93")
    events = await Event.filter(subject_id=first.id).order_by("id")
    assert [event.data["changes"]["rate"][1] for event in events] == ["0.92", "0.93"]
    assert events[0].name == "exchange_rate.set"


async def test_many_set_at_once_leave_one() -> None:
    actor = await member()

    await asyncio.gather(*(rate(actor, "USD", f"0.9{n}") for n in range(6)))

    assert await ExchangeRate.filter(workspace_id=actor.workspace_id).count() == 1


async def test_the_base_currency_is_always_one() -> None:
    with pytest.raises(BaseCurrencyRate):
        await rate(await member(), "EUR", "1")


@pytest.mark.parametrize("value", ["0", "-1", "1e-13", "1e12", "1e999"])
async def test_a_rate_is_a_number_that_can_be_kept(value: str) -> None:
    with pytest.raises(OutOfRange):
        await rate(await member(), "USD", value)


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "0.1234567890123"])
async def test_a_rate_has_twelve_decimals_and_an_end(value: str) -> None:
    with pytest.raises(Malformed):
        await rate(await member(), "USD", value)


async def test_the_smallest_and_the_largest_rate_come_back_as_they_were() -> None:
    actor = await member()
    await rate(actor, "USD", "0.000000000001")
    await rate(actor, "JPY", "99999999999")

    rates = await rates_on(actor.workspace_id, FIRST)

    assert (rates["USD"], rates["JPY"]) == (Decimal("0.000000000001"), Decimal("99999999999"))


async def test_every_fault_is_reported_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        await rate(await member(), "EURO", "-1", date(9999, 1, 1))

    assert {fault.field for fault in caught.value.faults} == {("currencyCode",), ("rate",), ("validOn",)}


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_only_admins_set_rates(role: Role) -> None:
    with pytest.raises(Forbidden):
        await rate(await member(role), "USD", "0.9")
