"""Follow-ups in the schema: what is to be done next, and how lists of it are filtered and ordered."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from domain import policy
from domain.policy import Action
from engine.conditions import All, Compare, Op
from engine.pages import Order
from models.companies import Company as CompanyRow
from models.contacts import Contact as ContactRow
from models.database import read
from models.follow_ups import FollowUp as FollowUpRow
from models.follow_ups import FollowUpKind, FollowUpStatus, Priority
from models.follow_ups import FollowUpPlan as FollowUpPlanRow
from models.leads import Lead as LeadRow
from models.users import User as UserRow
from schema import ids
from schema.connections import Connection, connection
from schema.context import Info
from schema.fields import batch, by_id, column, computed, noun, relation
from schema.filters import DateFilter, DateTimeFilter, EnumFilter, IDFilter, StringFilter, flag, junction, on, through
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.scalars import TimeZone

if TYPE_CHECKING:
    from schema.companies import Company, CompanyFilter
    from schema.contacts import Contact, ContactFilter
    from schema.follow_up_plans import FollowUpPlan
    from schema.leads import Lead, LeadFilter
    from schema.users import User

FIRST_DUE = (Order("due_at"), Order("priority", descending=True))
OWNERS = "SELECT id, owner_id FROM lead WHERE workspace_id = $1 AND id = ANY($2::uuid[])"
OVERDUE = All((Compare("status", Op.EQ, FollowUpStatus.OPEN.value), Compare("due_at", Op.PAST, value=True)))


@dataclass(frozen=True, slots=True)
class _Owned:
    """What the rules of a follow-up look at."""

    owner_id: UUID | None
    created_by_id: UUID | None
    lead_owner_id: UUID | None


@strawberry.type(description="What the viewer may do with a follow-up.")
class FollowUpPermissions:
    update: bool = strawberry.field(description="Change, complete, cancel, snooze and reopen it.")


async def _permissions(rows: list[Any], info: Info) -> list[FollowUpPermissions]:
    actor = info.context.actor
    assert actor
    if policy.may(actor, Action.UPDATE_FOLLOW_UP) or not policy.may_own(actor, Action.UPDATE_FOLLOW_UP):
        allowed = policy.may(actor, Action.UPDATE_FOLLOW_UP)
        return [FollowUpPermissions(update=allowed) for _ in rows]
    found = await read(OWNERS, actor.workspace_id, [row.lead_id for row in rows if row.lead_id is not None])
    owners = {row["id"]: row["owner_id"] for row in found}
    subjects = [_Owned(row.owner_id, row.created_by_id, owners.get(row.lead_id)) for row in rows]
    return [FollowUpPermissions(update=policy.may(actor, Action.UPDATE_FOLLOW_UP, one)) for one in subjects]


def series_id(key: UUID | None) -> strawberry.ID | None:
    """Return the global id of the first follow-up of a series."""
    return None if key is None else ids.encode("FollowUp", key)


@noun(FollowUpRow, description="Something to be done next for a lead, a company or a contact: for one of the three.")
class FollowUp(Node):
    viewer_can: FollowUpPermissions = batch(
        _permissions, "What the viewer may do with it.", needs=("owner_id", "created_by_id", "lead_id")
    )
    kind: FollowUpKind = column("What is to be done.")
    title: str = column("What it is, in a line.")
    note: str | None = column("More about it: plain text.")
    priority: Priority = column("How much it matters.")
    status: FollowUpStatus = column("How it stands.")
    due_at: datetime = column("When it is due; of a day its last second, where the owner lives. Then it is overdue.")
    due_on: date | None = column("The day on which it is due; null where it is due at an instant.")
    time_zone: TimeZone = column("Where its day is counted, and where what recurs keeps the time on the clock.")
    remind_minutes_before: int | None = column(
        "How many minutes before it is due, or of a day before nine in the morning, its owner is reminded; null: never."
    )
    remind_at: datetime | None = column(
        "When its owner is to be reminded next; null once they were, and where they are not."
    )
    escalate_at: datetime | None = column("When its owner's manager is told of it, if it is still open.")
    snoozed_until: datetime | None = column("Until when its owner wants not to be reminded of it.")
    recurrence: str | None = column("How it recurs: a rule of RFC 5545, such as FREQ=WEEKLY;BYDAY=MO.")
    series_id: strawberry.ID | None = computed(
        series_id,
        "The first follow-up of the series that it is of; null where it does not recur.",
        needs=("series_id",),
    )
    occurrence: int = column("Its number in its recurrence, from 1; what was passed over counts.")
    outcome: str | None = column("How it went, once it is done.")
    cancel_reason: str | None = column("Why it was cancelled.")
    ended_at: datetime | None = column("When it was done or cancelled.")
    ended_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who did or cancelled it; null where the system did.", by="ended_by_id"
    )
    owner: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who is to do it.", by="owner_id"
    )
    created_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who planned it; null where the system did.", by="created_by_id"
    )
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(
        LeadRow, "The lead that it is for, if it is for one.", by="lead_id"
    )
    company: Annotated["Company", strawberry.lazy("schema.companies")] | None = relation(
        CompanyRow, "The company that it is for, if it is for one.", by="company_id"
    )
    contact: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "The contact that it is for, if it is for one.", by="contact_id"
    )
    plan: Annotated["FollowUpPlan", strawberry.lazy("schema.follow_up_plans")] | None = relation(
        FollowUpPlanRow, "The plan that laid it out, if one did.", by="plan_id"
    )
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was planned.")
    updated_at: datetime = column("When a person last changed it.")


@strawberry.input(description="Which follow-ups.")
class FollowUpFilter:
    id: IDFilter | None = on("By id.", "id", noun="FollowUp")
    kind: EnumFilter[FollowUpKind] | None = on("By kind.", "kind")
    status: EnumFilter[FollowUpStatus] | None = on("By status.", "status")
    priority: EnumFilter[Priority] | None = on("By how much they matter.", "priority")
    title: StringFilter | None = on("By title; `search` finds words faster.", "title")
    owner: IDFilter | None = on("By owner.", "owner_id", noun="User")
    created_by: IDFilter | None = on("By who planned them.", "created_by_id", noun="User")
    due_at: DateTimeFilter | None = on("By when they are due.", "due_at")
    due_on: DateFilter | None = on("By the day on which they are due.", "due_on")
    overdue: bool | None = flag("Whether they are open and should be done by now.", OVERDUE)
    ended_at: DateTimeFilter | None = on("By when they were done or cancelled.", "ended_at")
    created_at: DateTimeFilter | None = on("By when they were planned.", "created_at")
    lead_id: IDFilter | None = on("By lead.", "lead_id", noun="Lead")
    company_id: IDFilter | None = on("By company.", "company_id", noun="Company")
    contact_id: IDFilter | None = on("By contact.", "contact_id", noun="Contact")
    plan: IDFilter | None = on("By the plan that laid them out.", "plan_id", noun="FollowUpPlan")
    series: IDFilter | None = on("By the first of their series.", "series_id", noun="FollowUp")
    lead: Annotated["LeadFilter", strawberry.lazy("schema.leads")] | None = through("By their lead.", "lead")
    company: Annotated["CompanyFilter", strawberry.lazy("schema.companies")] | None = through(
        "By their company.", "company"
    )
    contact: Annotated["ContactFilter", strawberry.lazy("schema.contacts")] | None = through(
        "By their contact.", "contact"
    )
    and_: "list[FollowUpFilter] | None" = junction("and", "All of these pass.")
    or_: "list[FollowUpFilter] | None" = junction("or", "Any of these passes.")
    not_: "FollowUpFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What follow-ups can be ordered by.")
class FollowUpOrderField(Enum):
    DUE_AT = strawberry.enum_value("due_at", description="When it is due.")
    PRIORITY = strawberry.enum_value("priority", description="How much it matters.")
    CREATED_AT = strawberry.enum_value("created_at", description="When it was planned.")
    ENDED_AT = strawberry.enum_value("ended_at", description="When it was done or cancelled.")


@strawberry.input(description="An order of follow-ups.")
class FollowUpOrder:
    field: FollowUpOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


def follow_ups_by(column: str, description: str) -> Any:
    """Declare the follow-ups on a subject, whose key stands in this column of theirs."""
    return connection(
        "FollowUp", "schema.follow_ups", model=FollowUpRow, by=column, default=FIRST_DUE, description=description
    )


@strawberry.type
class FollowUpQueries:
    follow_ups: Connection[FollowUp] = connection(
        "FollowUp",
        "schema.follow_ups",
        model=FollowUpRow,
        default=FIRST_DUE,
        description="What is and was to be done for what the viewer may see, the first due first.",
    )

    follow_up: FollowUp | None = by_id(
        FollowUpRow, "FollowUp", "A follow-up; null where what it is for is deleted or may not be seen."
    )
