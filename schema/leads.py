"""x"""

from enum import Enum

import strawberry

from models.leads import Lead as LeadRow
from schema.fields import *
from schema.filters import *
from schema.nodes import Node
from schema.orders import *


@noun(LeadRow, description="A lead.")
class Lead(Node):
    title: str = column("t")


@strawberry.input(description="x")
class LeadFilter:
    title: StringFilter | None = on("By name.", "title")


@strawberry.enum(description="What companies can be ordered by.")
class LeadOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was first known.")


@strawberry.input(description="An order of companies.")
class LeadOrder:
    field: LeadOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()
