"""Products: what the workspace sells, and at what price."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import edits, inputs, money, policy, removals
from domain import external_refs as references
from domain.actors import Actor
from domain.errors import Conflict, Faults
from domain.events import Event, record
from domain.external_refs import Ref
from domain.money import Money
from domain.policy import Action
from domain.unset import UNSET, Unset
from models.database import in_one_go, transaction
from models.products import Product

SKU_LIMIT = 100
UNIT_LIMIT = 50
UNIQUE = {"product_pkey": "id", "product_name_idx": "name", "product_sku_idx": "sku"}
TEXTS = {"sku": SKU_LIMIT, "family": inputs.NAME_LIMIT, "description": inputs.TEXT_LIMIT, "unit": UNIT_LIMIT}


class ProductCreated(Event):
    name = "product.created"


class ProductUpdated(Event):
    name = "product.updated"


class ProductArchived(Event):
    name = "product.archived"


class ProductRestored(Event):
    name = "product.restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDetails:
    """What people say of a product; what is UNSET is left as it is, None clears it."""

    name: str | Unset | None = UNSET
    sku: str | Unset | None = UNSET
    family: str | Unset | None = UNSET
    description: str | Unset | None = UNSET
    price: Money | Unset | None = UNSET
    cost: Money | Unset | None = UNSET
    tax_rate: Decimal | Unset | None = UNSET
    unit: str | Unset | None = UNSET


def check(faults: Faults, details: ProductDetails) -> dict[str, Any]:
    """Check what is given and return it as columns."""
    columns: dict[str, Any] = {}
    if details.name is not UNSET:
        columns["name"] = inputs.name(faults, details.name, field="name")
        columns["name_normalised"] = inputs.normalised_name(columns["name"])
    for name, limit in TEXTS.items():
        if (value := getattr(details, name)) is not UNSET:
            columns[name] = inputs.text(faults, value, field=name, limit=limit)
    for name in ("price", "cost"):
        if (amount := getattr(details, name)) is not UNSET:
            checked = money.check(faults, amount, field=name)
            columns[name] = checked.amount if checked else None
            columns[f"{name}_currency"] = checked.currency if checked else None
    if not isinstance(details.tax_rate, Unset):
        columns["tax_rate"] = inputs.percent(faults, details.tax_rate, field="taxRate")
    return columns


async def create(
    actor: Actor,
    details: ProductDetails,
    *,
    id: UUID | None = None,
    external_refs: Sequence[Ref] = (),
    now: datetime,
) -> Product:
    """Add a product. Raises Forbidden, AlreadyExists (id, name, sku), ExternalRefTaken, and faults."""
    policy.require(actor, Action.MANAGE_PRODUCTS)
    faults = Faults()
    key = edits.new_id(faults, id)
    named = ProductDetails(name=None) if details.name is UNSET else ProductDetails()
    columns = check(faults, named) | check(faults, details)
    refs = references.check(faults, external_refs)
    faults.raise_any()
    with edits.collisions("product", UNIQUE):
        async with transaction():
            product = Product(id=key, workspace_id=actor.workspace_id, created_at=now, updated_at=now, **columns)
            await edits.insert(product)
            await record(ProductCreated(actor, product.id, edits.facts(product, columns)), now=now)
            await references.attach(actor, product, refs)
    return product


@in_one_go
async def update(
    actor: Actor,
    product_id: UUID,
    details: ProductDetails,
    *,
    expected_version: int | None = None,
    external_refs: Sequence[Ref] = (),
    now: datetime,
) -> Product:
    """Change what is given of a product; references are added to those it has.

    Raises NotFound, Stale, Forbidden, Conflict where it is archived, AlreadyExists (name, sku), ExternalRefTaken,
    and faults of the input.
    """
    faults = Faults()
    columns = check(faults, details)
    refs = references.check(faults, external_refs)
    with edits.collisions("product", UNIQUE):
        async with transaction():
            await references.hold(actor, Product, refs)
            product = await policy.locked(actor, Product, product_id, expected_version=expected_version, field="id")
            policy.require(actor, Action.MANAGE_PRODUCTS, product)
            if product.archived_at is not None:
                raise Conflict(reason=f"{product.name} is archived: restore it first.")
            faults.raise_any()
            await references.edit(ProductUpdated, actor, product, columns, refs, now=now)
    return product


async def archive(actor: Actor, product_id: UUID, *, expected_version: int | None = None, now: datetime) -> Product:
    """Sell a product no more; leads keep it. Raises NotFound, Stale, Forbidden."""
    return await removals.remove(
        ProductArchived,
        actor,
        Action.MANAGE_PRODUCTS,
        Product,
        product_id,
        column="archived_at",
        expected_version=expected_version,
        now=now,
    )


async def restore(actor: Actor, product_id: UUID, *, now: datetime) -> Product:
    """Sell a product again; one that is sold stays as it is.

    Raises NotFound, Forbidden, AlreadyExists where another product has its name or SKU by now.
    """
    return await removals.restore(
        ProductRestored,
        actor,
        Action.MANAGE_PRODUCTS,
        Product,
        product_id,
        column="archived_at",
        unique=UNIQUE,
        now=now,
    )
