"""Products in the schema."""

from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.policy import Action
from engine.pages import Order
from models.leads import Lead as LeadRow
from models.products import Product as ProductRow
from schema.connections import Connection, connection
from schema.external_refs import ExternalRef, external_refs_of
from schema.fields import by_id, column, group, noun
from schema.filters import DateTimeFilter, DecimalFilter, IDFilter, StringFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can
from schema.scalars import Money

if TYPE_CHECKING:
    from schema.leads import Lead

NEWEST = (Order("created_at", descending=True),)


@noun(ProductRow, description="What the workspace sells.")
class Product(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_PRODUCTS, delete=Action.MANAGE_PRODUCTS)
    name: str = column("What it is called.")
    sku: str | None = column("The number under which it is stocked.")
    family: str | None = column("The series or family that it belongs to.")
    description: str | None = column("More about it.")
    price: Money | None = group(Money, "What one costs.", amount="price", currency_code="price_currency")
    cost: Money | None = group(
        Money, "What one costs the seller, which no customer sees.", amount="cost", currency_code="cost_currency"
    )
    tax_rate: Decimal | None = column("The rate of its tax in percent; null: the workspace's usual one.")
    unit: str | None = column("What is counted, such as piece or hour.")
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made known.")
    archived_at: datetime | None = column("When it was archived; null while it is sold.")
    leads: Connection[Annotated["Lead", strawberry.lazy("schema.leads")]] = connection(
        "Lead",
        "schema.leads",
        model=LeadRow,
        by="product_id",
        default=NEWEST,
        description="The leads that are most interested in it.",
    )
    external_refs: list[ExternalRef] = external_refs_of("product")


@strawberry.input(description="Which products.")
class ProductFilter:
    id: IDFilter | None = on("By id.", "id", noun="Product")
    name: StringFilter | None = on("By name.", "name")
    sku: StringFilter | None = on("By stock number.", "sku")
    family: StringFilter | None = on("By family.", "family")
    price: DecimalFilter | None = on("By the amount of the price, whatever its currency.", "price")
    archived_at: DateTimeFilter | None = on("By when it was archived.", "archived_at")
    and_: "list[ProductFilter] | None" = junction("and", "All of these pass.")
    or_: "list[ProductFilter] | None" = junction("or", "Any of these passes.")
    not_: "ProductFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What products can be ordered by.")
class ProductOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was made known.")
    NAME = strawberry.enum_value("name_normalised", description="Its name.")


@strawberry.input(description="An order of products.")
class ProductOrder:
    field: ProductOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class ProductQueries:
    products: Connection[Product] = connection(
        "Product",
        "schema.products",
        model=ProductRow,
        default=(Order("name_normalised"),),
        description="The products, archived ones included.",
    )

    product: Product | None = by_id(ProductRow, "Product", "A product.")
