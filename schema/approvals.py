"""Approvals in the schema: what is asked for before a proposal may be sent, and who decided."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import approval_needs
from engine.pages import Order
from models.proposals import Approval as ApprovalRow
from models.proposals import ApprovalKind, ApprovalState
from models.proposals import ApprovalRule as ApprovalRuleRow
from models.proposals import ProposalVersion as ProposalVersionRow
from models.users import Role
from models.users import User as UserRow
from schema.approval_rules import ApprovalRule
from schema.connections import Connection, connection
from schema.enums import described
from schema.fields import column, computed, noun, relation
from schema.filters import DateTimeFilter, EnumFilter, IDFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction

if TYPE_CHECKING:
    from schema.proposal_versions import ProposalVersion
    from schema.users import User

FIRST = (Order("created_at"),)

described(
    ApprovalState,
    "How it stands with an approval that is asked for.",
    PENDING="It is waited for.",
    APPROVED="It was given.",
    REJECTED="It was refused.",
    OBSOLETE="The proposal was changed before.",
)


@noun(ApprovalRow, description="What a rule asks of a version of a proposal, and who decided.")
class Approval(Node):
    kind: ApprovalKind = column("What the rule looked at.")
    reason: str = computed(approval_needs.words, "What went beyond what.", needs=("reason",))
    roles: list[Role] = computed(
        lambda roles: [Role(role) for role in roles], "Members of which roles may decide.", needs=("roles",)
    )
    state: ApprovalState = column("How it stands.")
    note: str | None = column("What whoever decided said.")
    requested_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who asked.", by="requested_by_id"
    )
    decided_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who decided; null while nobody has.", by="decided_by_id"
    )
    rule: ApprovalRule | None = relation(ApprovalRuleRow, "The rule that asks.", by="rule_id")
    proposal_version: Annotated["ProposalVersion", strawberry.lazy("schema.proposal_versions")] | None = relation(
        ProposalVersionRow, "What it is asked for.", by="version_id"
    )
    created_at: datetime = column("When it was asked for.")
    decided_at: datetime | None = column("When it was decided.")


@strawberry.input(description="Which approvals.")
class ApprovalFilter:
    id: IDFilter | None = on("By id.", "id", noun="Approval")
    state: EnumFilter[ApprovalState] | None = on("By how they stand.", "state")
    kind: EnumFilter[ApprovalKind] | None = on("By what the rule looked at.", "kind")
    requested_by: IDFilter | None = on("By who asked.", "requested_by_id", noun="User")
    decided_by: IDFilter | None = on("By who decided.", "decided_by_id", noun="User")
    created_at: DateTimeFilter | None = on("By when they were asked for.", "created_at")
    and_: "list[ApprovalFilter] | None" = junction("and", "All of these pass.")
    or_: "list[ApprovalFilter] | None" = junction("or", "Any of these passes.")
    not_: "ApprovalFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What approvals can be ordered by.")
class ApprovalOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was asked for.")


@strawberry.input(description="An order of approvals.")
class ApprovalOrder:
    field: ApprovalOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class ApprovalQueries:
    approvals: Connection[Approval] = connection(
        "Approval",
        "schema.approvals",
        model=ApprovalRow,
        default=FIRST,
        description="What is and was asked for before proposals may be sent, the first first.",
    )
