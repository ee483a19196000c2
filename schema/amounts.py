"""Amounts as proposals, invoices and what is made of them show them: money, discounts, taxes and margins."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import strawberry

from schema.fields import computed
from schema.scalars import CurrencyCode, Money


def money(amount: Decimal, currency: str) -> Money:
    """Return an amount of what is sold."""
    return Money(amount=amount, currency_code=CurrencyCode(currency))


def money_maybe(amount: Decimal | None, currency: str) -> Money | None:
    return None if amount is None else money(amount, currency)


def money_of(name: str, description: str) -> Any:
    """Declare an amount that stands in a column, in the row's own currency."""
    return computed(money, description, needs=(name, "currency"))


@strawberry.type(description="What goes off, in percent or as an amount.")
class ProposalDiscount:
    percent: Decimal | None = strawberry.field(description="In percent.")
    amount: Money | None = strawberry.field(description="As an amount.")


def discount(percent: Decimal | None, amount: Decimal | None, currency: str) -> ProposalDiscount | None:
    """Return a discount; null where there is none."""
    if percent is None and amount is None:
        return None
    return ProposalDiscount(percent=percent, amount=money_maybe(amount, currency))


@strawberry.type(description="What a proposal comes to at one rate of tax.")
class ProposalTax:
    rate: Decimal = strawberry.field(description="The rate in percent.")
    net: Money = strawberry.field(description="What it comes to without tax, less its share of the discount.")
    tax: Money = strawberry.field(description="The tax on that.")


def taxes(said: Sequence[Mapping[str, str]], currency: str) -> list[ProposalTax]:
    """Return taxes from their JSON."""
    return [
        ProposalTax(
            rate=Decimal(one["rate"]),
            net=money(Decimal(one["net"]), currency),
            tax=money(Decimal(one["tax"]), currency),
        )
        for one in said
    ]


def margin(net: Decimal, cost: Decimal | None, currency: str) -> Money | None:
    return None if cost is None else money(net - cost, currency)


def margin_percent(net: Decimal, cost: Decimal | None) -> Decimal | None:
    return None if cost is None or not net else ((net - cost) * 100 / net).quantize(Decimal("0.01"))
