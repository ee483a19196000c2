"""Needs in the schema."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models.leads import Lead as LeadRow
from models.needs import Need as NeedRow
from models.needs import NeedKind
from models.products import Product as ProductRow
from schema.fields import column, noun, relation
from schema.nodes import Node

if TYPE_CHECKING:
    from schema.leads import Lead
    from schema.products import Product


@noun(NeedRow, description="What hurts or interests a lead, and what answers it.")
class Need(Node):
    kind: NeedKind = column("Whether it hurts or is wished for.")
    title: str = column("What it is.")
    description: str | None = column("More about it.")
    importance: int = column("How much it matters: 1 (nice to have) to 5 (decisive).")
    answer: str | None = column("What answers it.")
    product: Annotated["Product", strawberry.lazy("schema.products")] | None = relation(
        ProductRow, "The product that answers it.", by="product_id"
    )
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was named.")
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(LeadRow, "Whose it is.", by="lead_id")
