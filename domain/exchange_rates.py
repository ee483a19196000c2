"""Dated exchange rates: what one unit of a currency is worth in the workspace's base currency."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from tortoise.connection import get_connection

from domain import inputs, policy
from domain.actors import Actor
from domain.errors import DomainError, Faults, Malformed, OutOfRange, Required
from domain.events import Event, record
from domain.policy import Action
from models.base import uuid7
from models.database import read, remembered, transaction
from models.exchange_rates import ExchangeRate
from models.workspaces import Workspace

SMALLEST = Decimal("0.000000000001")
LARGEST = Decimal("99999999999")


class ExchangeRateSet(Event):
    name = "exchange_rate.set"


class BaseCurrencyRate(DomainError):
    """{currency} is the base currency: its rate is always 1."""


UPSERT = """
INSERT INTO exchange_rate (id, workspace_id, currency, rate, valid_on, created_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (workspace_id, currency, valid_on) DO UPDATE SET rate = excluded.rate
RETURNING id
"""
# Of the base currency the last word is 1, whatever rate it had while another one was the base.
LATEST = """
SELECT DISTINCT ON (currency) currency, rate
FROM (SELECT currency, rate, valid_on FROM exchange_rate WHERE workspace_id = $1 AND valid_on <= $2
      UNION ALL SELECT base_currency, 1, NULL FROM workspace WHERE id = $1) known
ORDER BY currency, valid_on DESC NULLS FIRST
"""


async def set_rate(actor: Actor, *, currency: str | None, rate: Decimal, valid_on: date, now: datetime) -> ExchangeRate:
    """Say that from a day on one unit of `currency` is `rate` units of the base currency.

    It replaces the rate of the same day. Raises Forbidden, BaseCurrencyRate, and faults of the input.
    """
    policy.require(actor, Action.SET_EXCHANGE_RATE)
    home = await Workspace.get(id=actor.workspace_id)
    faults = Faults()
    code = inputs.currency(faults, currency, field="currencyCode")
    if code == home.base_currency:
        faults.add(BaseCurrencyRate(currency=code, field="currencyCode"))
    checked = _rate(faults, rate)
    if inputs.day(faults, valid_on, field="validOn") is None:
        faults.add(Required(field="validOn"))
    faults.raise_any()
    async with transaction():
        known = {"workspace_id": actor.workspace_id, "currency": code, "valid_on": valid_on}
        before = await ExchangeRate.filter(**known).select_for_update(no_key=True).first()
        if before is not None and before.rate == checked:
            return before
        [saved] = await get_connection("default").execute_query_dict(
            UPSERT, [uuid7(), actor.workspace_id, code, checked, valid_on, now]
        )
        changes = {"rate": [before.rate if before else None, checked]}
        about = {"currency": code, "valid_on": valid_on, "changes": changes}
        await record(ExchangeRateSet(actor, saved["id"], about), now=now)
        return await ExchangeRate.get(id=saved["id"])


async def rates_on(workspace_id: UUID, day: date) -> dict[str, Decimal]:
    """Return the rate of every currency that has one on a day: its latest until then, 1 for the base."""
    found = await remembered(("rates", workspace_id, day), lambda: read(LATEST, workspace_id, day))
    return {row["currency"]: row["rate"] for row in found}


def _rate(faults: Faults, value: Decimal) -> Decimal:
    if not value.is_finite():
        faults.add(Malformed(field="rate", what="a finite decimal number"))
        return SMALLEST
    if not SMALLEST <= value <= LARGEST:
        faults.add(OutOfRange(field="rate", least=SMALLEST, most=LARGEST))
        return SMALLEST
    if value != value.quantize(SMALLEST):
        faults.add(Malformed(field="rate", what="a rate with at most twelve decimals"))
    return value
