"""Products: added, priced, archived and restored."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from domain import products
from domain.actors import Actor
from domain.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    OutOfRange,
    Required,
    Stale,
)
from domain.external_refs import ExternalRefTaken, Ref
from domain.money import Money
from domain.products import ProductDetails
from models.base import uuid7
from models.events import Event
from models.products import Product
from models.users import Role
from tests.factories import NOW, member

LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


async def product(actor: Actor, name: str = "Pump", **details: Any) -> Product:
    return await products.create(actor, ProductDetails(name=name, **details), now=NOW)


async def test_a_product_is_added_edited_archived_and_restored() -> None:
    actor, key = await member(), uuid7()

    made = await products.create(
        actor,
        ProductDetails(name=" Pump  9", sku="P-9", family="Pumps", price=Money(Decimal("99.90"), "eur")),
        id=key,
        external_refs=[Ref("erp", "9")],
        now=NOW,
    )
    edited = await products.update(
        actor, key, ProductDetails(price=None, family="Water"), expected_version=1, now=LATER
    )
    same = await products.update(actor, key, ProductDetails(name="Pump  9", sku="P-9"), now=LATER)
    archived = await products.archive(actor, key, now=LATER)
    again = await products.archive(actor, key, now=LATER)
    restored = await products.restore(actor, key, now=LATER)
    standing = await products.restore(actor, key, now=LATER)

    assert (made.name, made.name_normalised, made.sku) == ("Pump  9", "pump 9", "P-9")
    assert (edited.price, edited.price_currency, edited.family, edited.sku) == (None, None, "Water", "P-9")
    assert (same.version, archived.archived_at, again.version) == (2, LATER, 3)
    assert (restored.archived_at, standing.version) == (None, 4)
    events = [event.name for event in await Event.filter(subject_id=key).order_by("id")]
    assert events == [f"product.{verb}" for verb in ("created", "updated", "archived", "restored")]


async def test_every_fault_is_reported_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        await products.create(
            await member(),
            ProductDetails(
                sku="x" * 101,
                family="x" * 201,
                description="x" * 20_001,
                price=Money(Decimal("-1"), "EURO"),
            ),
            id=uuid4(),
            external_refs=[Ref("erp", "")],
            now=NOW,
        )

    assert {".".join(fault.field or ()) for fault in caught.value.faults} == {
        "id",
        "name",
        "sku",
        "family",
        "description",
        "price.amount",
        "price.currencyCode",
        "externalRefs.0.externalId",
    }


@pytest.mark.parametrize(
    ("amount", "error"),
    [
        (Decimal("NaN"), Malformed),
        (Decimal("-Infinity"), Malformed),
        (Decimal("-0.01"), OutOfRange),
        (Decimal("1e15"), OutOfRange),
        (Decimal("1e999999"), OutOfRange),
        (Decimal("0.00001"), Malformed),
    ],
)
async def test_a_price_is_an_amount_that_can_be_kept(amount: Decimal, error: type[Exception]) -> None:
    with pytest.raises(error):
        await product(await member(), price=Money(amount, "EUR"))


@pytest.mark.parametrize("currency", ["", "EURO", "XXX", "XTS", "XAU", "ABC", "€", "12"])
async def test_what_is_no_currency_is_refused(currency: str) -> None:
    with pytest.raises((Malformed, Required)):
        await product(await member(), price=Money(Decimal(1), currency))


async def test_names_and_article_numbers_are_told_apart_among_what_is_sold() -> None:
    actor = await member()
    first = await product(actor, "Pump", sku="P")
    other = await product(actor, "Valve", sku="V")

    for attempt, field in (
        (product(actor, " PUMP "), "name"),
        (product(actor, "Tap", sku="P"), "sku"),
        (products.update(actor, other.id, ProductDetails(name="pump"), now=NOW), "name"),
        (products.update(actor, other.id, ProductDetails(sku="P"), now=NOW), "sku"),
        (products.create(actor, ProductDetails(name="Tap"), id=first.id, now=NOW), "id"),
    ):
        with pytest.raises(AlreadyExists) as caught:
            await attempt
        assert caught.value.field == (field,)

    await products.archive(actor, first.id, now=NOW)
    heir = await product(actor, "Pump", sku="P")
    with pytest.raises(AlreadyExists):
        await products.restore(actor, first.id, now=NOW)
    await products.archive(actor, heir.id, now=NOW)
    assert (await products.restore(actor, first.id, now=NOW)).archived_at is None


async def test_of_two_added_at_once_with_one_name_one_is_added() -> None:
    actor = await member()

    outcomes = await asyncio.gather(*(product(actor) for _ in range(3)), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlreadyExists", "AlreadyExists", "Product"]


async def test_what_is_archived_old_or_taken_is_not_edited() -> None:
    actor, ref = await member(), Ref("erp", "1")
    row = await product(actor)
    other = await products.create(actor, ProductDetails(name="Valve"), external_refs=[ref], now=NOW)

    with pytest.raises(Stale):
        await products.update(actor, row.id, ProductDetails(name="X"), expected_version=2, now=NOW)
    with pytest.raises(Required):
        await products.update(actor, row.id, ProductDetails(name=None), now=NOW)
    with pytest.raises(ExternalRefTaken):
        await products.update(actor, row.id, ProductDetails(), external_refs=[ref], now=NOW)
    await products.archive(actor, other.id, now=NOW)
    with pytest.raises(Conflict):
        await products.update(actor, other.id, ProductDetails(name="X"), now=NOW)


@pytest.mark.parametrize("role", [Role.REP, Role.QUALIFIER, Role.MARKETER, Role.VIEWER])
async def test_who_does_not_manage_products_changes_none(role: Role) -> None:
    admin = await member()
    other, row = await member(role, of=admin), await product(admin)

    for attempt in (
        product(other, "X"),
        products.update(other, row.id, ProductDetails(name="X"), now=NOW),
        products.archive(other, row.id, now=NOW),
        products.restore(other, row.id, now=NOW),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_another_workspaces_product_does_not_exist() -> None:
    foreign, actor = await product(await member()), await member()

    for attempt in (
        products.update(actor, foreign.id, ProductDetails(name="X"), now=NOW),
        products.archive(actor, foreign.id, now=NOW),
        products.restore(actor, foreign.id, now=NOW),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_a_product_has_a_cost_a_rate_of_tax_and_a_unit() -> None:
    actor = await member()
    row = await product(
        actor,
        cost=Money(Decimal("12.5"), "EUR"),
        tax_rate=Decimal("8.1"),
        unit="piece",
        price=Money(Decimal(20), "EUR"),
    )

    cleared = await products.update(actor, row.id, ProductDetails(cost=None, tax_rate=None, unit=None), now=NOW)
    with pytest.raises(Invalid) as caught:
        await products.update(
            actor,
            row.id,
            ProductDetails(cost=Money(Decimal(-1), "EUR"), tax_rate=Decimal("100.1"), unit="x" * 51),
            now=NOW,
        )

    assert (row.cost, row.cost_currency, row.tax_rate, row.unit) == (Decimal("12.5"), "EUR", Decimal("8.1"), "piece")
    assert (cleared.cost, cleared.cost_currency, cleared.tax_rate, cleared.unit) == (None, None, None, None)
    assert (cleared.price, cleared.version) == (Decimal(20), 2)
    assert {fault.field for fault in caught.value.faults} == {("cost", "amount"), ("taxRate",), ("unit",)}
