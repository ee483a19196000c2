"""Exchange rates in the schema."""

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated

import strawberry

from domain import exchange_rates
from engine.pages import Order
from models.exchange_rates import ExchangeRate as ExchangeRateRow
from schema.connections import Connection, connection
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import column, noun, shown
from schema.filters import DateFilter, StringFilter, junction, on
from schema.inputs import about
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.scalars import CurrencyCode


@noun(ExchangeRateRow, description="What one unit of a currency is worth in the base currency, from a day on.")
class ExchangeRate(Node):
    currency_code: CurrencyCode = column("The currency.", of="currency")
    rate: Decimal = column("What one unit of it is worth in the workspace's base currency.")
    valid_on: date = column("The first day on which it counts; it counts until the next one does.")


@strawberry.input(description="Which exchange rates.")
class ExchangeRateFilter:
    currency_code: StringFilter | None = on("By currency code.", "currency")
    valid_on: DateFilter | None = on("By the first day on which they count.", "valid_on")
    and_: "list[ExchangeRateFilter] | None" = junction("and", "All of these pass.")
    or_: "list[ExchangeRateFilter] | None" = junction("or", "Any of these passes.")
    not_: "ExchangeRateFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What exchange rates can be ordered by.")
class ExchangeRateOrderField(Enum):
    VALID_ON = strawberry.enum_value("valid_on", description="The first day on which they count.")
    CURRENCY_CODE = strawberry.enum_value("currency", description="The currency.")


@strawberry.input(description="An order of exchange rates.")
class ExchangeRateOrder:
    field: ExchangeRateOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class ExchangeRateQueries:
    exchange_rates: Connection[ExchangeRate] = connection(
        "ExchangeRate",
        "schema.exchange_rates",
        model=ExchangeRateRow,
        default=(Order("valid_on", descending=True), Order("currency")),
        description="The exchange rates, the newest first.",
    )


@strawberry.input(description="An exchange rate to set.")
class SetExchangeRateInput(MutationInput):
    currency_code: CurrencyCode = strawberry.field(description="The currency; not the base currency.")
    rate: Decimal = strawberry.field(
        description="What one unit of it is worth in the base currency: above 0, with at most twelve decimals."
    )
    valid_on: date = strawberry.field(
        description="The first day on which it counts; it replaces what was set for that day."
    )


@strawberry.type(description="The exchange rate that was set.")
class SetExchangeRatePayload(Payload):
    exchange_rate: ExchangeRate | None = strawberry.field(default=None, description="The rate; null on errors.")


@strawberry.type
class ExchangeRateMutations:
    @strawberry.mutation(description="Say what a currency is worth in the base currency from a day on.")
    @reports_user_errors
    async def set_exchange_rate(
        self, info: Info, input: Annotated[SetExchangeRateInput, about("The rate.")]
    ) -> SetExchangeRatePayload:
        row = await exchange_rates.set_rate(
            info.context.actor,
            currency=input.currency_code,
            rate=input.rate,
            valid_on=input.valid_on,
            now=info.context.now,
        )
        return SetExchangeRatePayload(exchange_rate=shown(row))
