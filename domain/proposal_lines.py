"""Lines of a proposal: products or things in words, set all together, with what they say copied from the product."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import edits, inputs, money, policy, pricing
from domain.actors import Actor
from domain.errors import DomainError, Faults, Malformed, NotFound, Required
from domain.leads import refuse_archived
from domain.money import Money
from domain.pricing import Line
from domain.products import UNIT_LIMIT
from domain.unset import UNSET, Unset
from models import rows
from models.base import uuid7
from models.database import connected
from models.products import Product
from models.proposals import ProposalLine, ProposalVersion

MOST_LINES = 1_000
LEAST_QUANTITY, MOST_QUANTITY = Decimal("0.0001"), Decimal("99999999999.9999")
OF_VERSION = "SELECT {columns} FROM proposal_line WHERE version_id = $1 ORDER BY position, id"
REMOVE = "DELETE FROM proposal_line WHERE version_id = $1"
# Every column but those that all lines of a version share, with its type.
COLUMNS = {
    "id": "uuid",
    "key": "uuid",
    "position": "int",
    "product_id": "uuid",
    "name": "text",
    "description": "text",
    "unit": "text",
    "quantity": "numeric",
    "unit_price": "numeric",
    "discount_percent": "numeric",
    "discount_amount": "numeric",
    "tax_rate": "numeric",
    "unit_cost": "numeric",
    "list_price": "numeric",
    "optional": "boolean",
    "chosen": "boolean",
    "amount": "numeric",
}
INSERT = f"""
INSERT INTO proposal_line (workspace_id, lead_id, version_id, currency, {", ".join(COLUMNS)})
SELECT $1, $2, $3, $4, new.* FROM unnest({", ".join(f"${at}::{kind}[]" for at, kind in enumerate(COLUMNS.values(), 5))})
AS new
"""
# What two lines are compared by; what follows from it, and their places, are no difference.
SAID = (
    "product_id",
    "name",
    "description",
    "unit",
    "quantity",
    "unit_price",
    "discount_percent",
    "discount_amount",
    "tax_rate",
    "unit_cost",
    "list_price",
    "optional",
    "chosen",
)


class TooManyLines(DomainError):
    """A proposal has at most {limit} lines, not {count}."""


class MixedCurrencies(DomainError):
    """{field} is in {given}, and the proposal in {currency}: give an amount in {currency}."""


class OneDiscount(DomainError):
    """A discount is a percentage or an amount, one of the two."""


class DiscountTooHigh(DomainError):
    """The discount is more than the {amount} {currency} that it is of."""


class LinesBelowDiscount(DomainError):
    """The lines come to {amount} {currency}, less than the discount of {discount} on the whole: lower that first."""


class SameLineTwice(DomainError):
    """{field} stands at another line, too: leave it out for a new line."""


class AmountTooLarge(DomainError):
    """The amounts come to more than {most} {currency}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """A percentage or an amount that goes off."""

    percent: Decimal | None = None
    amount: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDetails:
    """What people say of a line.

    What is UNSET is as it was in the line of this `key`, unless that had another product; else as the product says,
    or as usual: one, untaxed or taxed as usual, not optional.
    """

    key: UUID | str | None = None
    product_id: UUID | Unset | None = UNSET
    name: str | Unset | None = UNSET
    description: str | Unset | None = UNSET
    unit: str | Unset | None = UNSET
    quantity: Decimal | Unset | None = UNSET
    unit_price: Money | Unset | None = UNSET
    discount: Discount | Unset | None = UNSET
    tax_rate: Decimal | Unset | None = UNSET
    unit_cost: Money | Unset | None = UNSET
    optional: bool | Unset | None = UNSET
    chosen: bool | Unset | None = UNSET


async def of(version_id: UUID) -> list[ProposalLine]:
    """Return the lines of a version in their order."""
    return await rows.select(ProposalLine, OF_VERSION, version_id)


def priced(line: ProposalLine) -> Line:
    """Return a line as prices are reckoned of it."""
    return Line(
        quantity=line.quantity,
        unit_price=line.unit_price,
        discount=discount_of(line.discount_percent, line.discount_amount),
        tax_rate=line.tax_rate,
        unit_cost=line.unit_cost,
        list_price=line.list_price,
        optional=line.optional,
        chosen=line.chosen,
    )


def discount_of(percent: Decimal | None, amount: Decimal | None) -> pricing.Discount:
    return pricing.Discount(percent=percent or pricing.ZERO, amount=amount or pricing.ZERO)


def said(line: ProposalLine) -> tuple[Any, ...]:
    """Return what a line says."""
    return tuple(getattr(line, name) for name in SAID)


async def check(
    faults: Faults,
    actor: Actor,
    given: Sequence[LineDetails],
    *,
    currency: str,
    tax_rate: Decimal,
    known: Sequence[ProposalLine] = (),
    field: str = "lines",
) -> list[ProposalLine]:
    """Check lines and return them as rows of no version yet, without their amounts; the `known` ones are what was."""
    if len(given) > MOST_LINES:
        faults.add(TooManyLines(limit=MOST_LINES, count=len(given), field=field))
        return []
    before = {line.key: line for line in known}
    products = await _products(actor, given)
    made: list[ProposalLine] = []
    keys: set[UUID] = set()
    for at, details in enumerate(given):
        within, own = f"{field}.{at}", Faults()
        if isinstance(details.key, str):
            own.add(Malformed(field=f"{within}.key", what="the key of a line: leave it out for a new one"))
        key = details.key if isinstance(details.key, UUID) else uuid7()
        if key in keys:
            own.add(SameLineTwice(field=f"{within}.key"))
        keys.add(key)
        columns = _columns(own, details, before.get(key), products, currency, tax_rate, within)
        if found := list(own):
            faults.extend(found)
        else:
            made.append(ProposalLine(id=before[key].id if key in before else uuid7(), key=key, position=at, **columns))
    return made


async def write(version: ProposalVersion, lines: Sequence[ProposalLine], *, anew: bool) -> None:
    """Write all lines of a version; not `anew`, they replace what it had."""
    for line in lines:
        line.version_id, line.workspace_id, line.lead_id = version.id, version.workspace_id, version.lead_id
        line.currency = version.currency
    client = connected()
    if not anew:
        await client.fetch(REMOVE, [version.id])
    if lines:
        columns = [[getattr(line, name) for line in lines] for name in COLUMNS]
        shared = [version.workspace_id, version.lead_id, version.id, version.currency]
        await client.fetch(INSERT, [*shared, *columns])


def copied(lines: Sequence[ProposalLine]) -> list[ProposalLine]:
    """Return lines for another version, with their keys."""
    names = [name for name in COLUMNS if name != "id"]
    return [ProposalLine(id=uuid7(), **{name: getattr(line, name) for name in names}) for line in lines]


def check_discount(
    faults: Faults, given: Discount | None, *, currency: str, field: str
) -> tuple[Decimal | None, Decimal | None]:
    """Check a discount and return its percentage and its amount, of which one at most is there."""
    if given is None:
        return None, None
    if given.percent is not None and given.amount is not None:
        faults.add(OneDiscount(field=field))
    percent = inputs.percent(faults, given.percent, field=f"{field}.percent")
    amount = amount_in(faults, given.amount, currency=currency, field=f"{field}.amount")
    if amount is not None:
        money.whole_units(faults, amount, currency, field=f"{field}.amount.amount")
    return percent, amount


def amount_in(faults: Faults, given: Money | None, *, currency: str, field: str) -> Decimal | None:
    """Check an amount that must be in a proposal's currency."""
    checked = money.check(faults, given, field=field)
    if checked is None:
        return None
    if checked.currency != currency:
        faults.add(MixedCurrencies(given=checked.currency, currency=currency, field=field))
    return checked.amount


async def _products(actor: Actor, given: Sequence[LineDetails]) -> dict[UUID, Product]:
    wanted = {details.product_id for details in given if isinstance(details.product_id, UUID)}
    if not wanted:
        return {}
    return {row.id: row for row in await policy.visible(actor, Product).filter(id__in=list(wanted))}


def _columns(
    faults: Faults,
    details: LineDetails,
    before: ProposalLine | None,
    products: Mapping[UUID, Product],
    currency: str,
    tax_rate: Decimal,
    within: str,
) -> dict[str, Any]:
    """Return a line's columns: what is given, checked, and for the rest what was or what its product says."""
    columns = _begun(faults, details, before, products, currency, tax_rate, within)
    checked = _Checked(faults, within, columns)
    checked.put("name", details.name, inputs.name)
    checked.put("description", details.description, inputs.text)
    checked.put("unit", details.unit, inputs.text, limit=UNIT_LIMIT)
    checked.put(
        "quantity",
        details.quantity,
        inputs.number,
        least=LEAST_QUANTITY,
        most=MOST_QUANTITY,
        places=4,
        usual=Decimal(1),
    )
    checked.put("tax_rate", details.tax_rate, inputs.percent, usual=tax_rate)
    checked.put("unit_price", details.unit_price, amount_in, currency=currency)
    checked.put("unit_cost", details.unit_cost, amount_in, currency=currency)
    for name in ("optional", "chosen"):
        if (value := getattr(details, name)) is not UNSET:
            columns[name] = bool(value)
    if not columns["optional"]:
        columns["chosen"] = True
    elif "chosen" not in columns:
        columns["chosen"] = False
    if not isinstance(details.discount, Unset):
        percent, amount = check_discount(faults, details.discount, currency=currency, field=f"{within}.discount")
        columns |= {"discount_percent": percent, "discount_amount": amount}
    if not columns.get("name") and details.name is UNSET:
        faults.add(Required(field=f"{within}.name"))
    if columns.get("unit_price") is None:
        _price_missing(faults, details, columns, products, currency, within)
    elif columns["quantity"] is not None and columns["discount_amount"] is not None:
        whole = columns["quantity"] * columns["unit_price"]
        if columns["discount_amount"] > whole:
            shown = format(whole.normalize(), "f")
            faults.add(DiscountTooHigh(amount=shown, currency=currency, field=f"{within}.discount.amount"))
    return columns


def _begun(
    faults: Faults,
    details: LineDetails,
    before: ProposalLine | None,
    products: Mapping[UUID, Product],
    currency: str,
    tax_rate: Decimal,
    within: str,
) -> dict[str, Any]:
    """Return what a line says before what is given of it."""
    asked = details.product_id
    if before is not None and (asked is UNSET or asked == before.product_id):
        return {name: getattr(before, name) for name in SAID}
    columns: dict[str, Any] = {
        "product_id": None,
        "description": None,
        "unit": None,
        "quantity": Decimal(1),
        "discount_percent": None,
        "discount_amount": None,
        "tax_rate": tax_rate,
        "unit_cost": None,
        "list_price": None,
        "optional": False,
    }
    if before is not None:
        kept = ("quantity", "discount_percent", "discount_amount", "optional", "chosen")
        columns |= {name: getattr(before, name) for name in kept}
    if isinstance(asked, UUID):
        product = products.get(asked)
        if product is None:
            faults.add(NotFound(noun="product", field=f"{within}.productId"))
            return columns
        refuse_archived(faults, product, field=f"{within}.productId")
        columns |= {"product_id": product.id, **_of_product(product, currency, tax_rate)}
    return columns


def _of_product(product: Product, currency: str, tax_rate: Decimal) -> dict[str, Any]:
    price = product.price if product.price_currency == currency else None
    return {
        "name": product.name,
        "description": product.description,
        "unit": product.unit,
        "unit_price": price,
        "list_price": price,
        "unit_cost": product.cost if product.cost_currency == currency else None,
        "tax_rate": tax_rate if product.tax_rate is None else product.tax_rate,
    }


def _price_missing(
    faults: Faults,
    details: LineDetails,
    columns: Mapping[str, Any],
    products: Mapping[UUID, Product],
    currency: str,
    within: str,
) -> None:
    """Tell that a line has no price: since its product is priced in another currency, or since nobody said one."""
    field = f"{within}.unitPrice"
    if isinstance(details.unit_price, Money):
        return
    product = products.get(columns["product_id"]) if columns["product_id"] else None
    if product is not None and product.price is not None:
        faults.add(MixedCurrencies(given=product.price_currency, currency=currency, field=field))
    else:
        faults.add(Required(field=field))


@dataclass(frozen=True, slots=True)
class _Checked:
    """Puts what is given into a line's columns, each checked by the input's own check."""

    faults: Faults
    within: str
    columns: dict[str, Any]

    def put(self, name: str, value: Any, check: Any, *, usual: Any = None, **more: Any) -> None:
        if value is UNSET:
            return
        field = f"{self.within}.{edits.camel(name)}"
        self.columns[name] = (
            usual if value is None and usual is not None else check(self.faults, value, field=field, **more)
        )
