"""Rules of approval in the schema: what holds a proposal until somebody approves."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.policy import Action
from engine.pages import Order
from models.proposals import ApprovalKind
from models.proposals import ApprovalRule as ApprovalRuleRow
from models.users import Role
from schema.connections import Connection, connection
from schema.enums import described
from schema.fields import column, computed, noun
from schema.nodes import Node
from schema.permissions import ObjectPermissions, viewer_can

described(
    ApprovalKind,
    "What a rule looks at.",
    DISCOUNT_OVER="How far it all is below list prices, in percent.",
    VALUE_OVER="What it comes to without tax, in the workspace's base currency.",
    MARGIN_UNDER="What is left of it after costs, in percent.",
)


@noun(ApprovalRuleRow, description="What holds a proposal until somebody of a role approves.")
class ApprovalRule(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_SELLING, delete=Action.MANAGE_SELLING)
    kind: ApprovalKind = column("What it looks at.")
    threshold: Decimal = column("Over or under what: percent, or an amount in the workspace's base currency.")
    roles: list[Role] = computed(
        lambda roles: [Role(role) for role in roles], "Members of which roles may approve.", needs=("roles",)
    )
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")


@strawberry.type
class ApprovalRuleQueries:
    approval_rules: Connection[ApprovalRule] = connection(
        "ApprovalRule",
        "schema.approval_rules",
        model=ApprovalRuleRow,
        default=(Order("created_at"),),
        plain=True,
        description="What holds proposals until somebody approves, archived rules included.",
    )
