"""Lines of proposals in the schema."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry

from models.products import Product as ProductRow
from models.proposals import ProposalLine as ProposalLineRow
from schema.amounts import ProposalDiscount, discount, money_maybe, money_of
from schema.fields import column, computed, noun, relation
from schema.nodes import Node
from schema.scalars import Money

if TYPE_CHECKING:
    from schema.products import Product


@noun(ProposalLineRow, description="A product, or something in words, of a version of a proposal.")
class ProposalLine(Node):
    key: str = computed(
        str, "What it is known by in all versions of its proposal, so that versions can be compared.", needs=("key",)
    )
    position: int = column("Its place, from 0.")
    name: str = column("What it is: plain text, in which markup means nothing.")
    description: str | None = column("More about it: plain text.")
    unit: str | None = column("What is counted, such as piece or hour.")
    quantity: Decimal = column("How many.")
    unit_price: Money = money_of("unit_price", "What one costs; with its tax where the version is tax inclusive.")
    list_price: Money | None = computed(
        money_maybe,
        "What its product cost when it was put into the line; null of what is in words.",
        needs=("list_price", "currency"),
    )
    discount: ProposalDiscount | None = computed(
        discount, "What goes off.", needs=("discount_percent", "discount_amount", "currency")
    )
    tax_rate: Decimal = column("The rate of tax in percent.")
    unit_cost: Money | None = computed(
        money_maybe, "What one costs the seller, which no customer sees.", needs=("unit_cost", "currency")
    )
    optional: bool = column("Whether the customer may choose it.")
    chosen: bool = column("Whether it counts; what is not optional always does.")
    amount: Money = money_of("amount", "What it comes to, less its discount.")
    product: Annotated["Product", strawberry.lazy("schema.products")] | None = relation(
        ProductRow, "The product; null of what is in words.", by="product_id"
    )
