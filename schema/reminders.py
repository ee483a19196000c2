"""Reminders in the schema: what the viewer was reminded of, and what became of it by each channel."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

import schema.deliveries  # noqa: F401  (describes channels and how messages stand)
from engine.pages import Order
from models.deliveries import Channel, Delivery, DeliveryStatus
from models.follow_ups import FollowUp as FollowUpRow
from models.leads import Lead as LeadRow
from models.reminders import Reminder as ReminderRow
from models.reminders import ReminderKind
from schema.connections import Connection, connection
from schema.context import Info
from schema.enums import described
from schema.fields import batch, column, noun, relation
from schema.filters import DateTimeFilter, EnumFilter, IDFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction

if TYPE_CHECKING:
    from schema.follow_ups import FollowUp
    from schema.leads import Lead

described(
    ReminderKind,
    "What somebody is reminded of.",
    FOLLOW_UP_DUE="A follow-up of theirs is due, or soon will be.",
    FOLLOW_UP_OVERDUE="A follow-up of somebody whom they lead is overdue.",
    LEAD_ROTTING="A lead of theirs has been in its stage for too long.",
    FIRST_RESPONSE_MISSED="Nobody has answered a lead of theirs in time.",
)


@strawberry.type(description="A reminder on its way by one channel, and how that ended.")
class ReminderDelivery:
    channel: Channel = strawberry.field(description="Which channel.")
    status: DeliveryStatus = strawberry.field(description="How it stands.")
    reason: str | None = strawberry.field(description="Why it was skipped, has failed, or is tried again.")
    at_risk: bool = strawberry.field(
        description="Whether it may have been sent twice, since a process ended in the middle of it."
    )
    due_at: datetime = strawberry.field(description="When it goes out, or went.")
    ended_at: datetime | None = strawberry.field(description="When it was sent, skipped or has failed.")


async def _deliveries(rows: Sequence[Any], info: Info) -> list[list[ReminderDelivery]]:
    keys = [row.id for row in rows]
    home = info.context.actor.workspace_id
    found: dict[UUID, list[ReminderDelivery]] = {key: [] for key in keys}
    for one in await Delivery.filter(workspace_id=home, about_id__in=keys).order_by("created_at", "id"):
        if one.about_id is not None:
            found[one.about_id].append(
                ReminderDelivery(
                    channel=one.channel,
                    status=one.status,
                    reason=one.reason,
                    at_risk=one.at_risk,
                    due_at=one.due_at,
                    ended_at=one.ended_at,
                )
            )
    return [found[key] for key in keys]


@noun(ReminderRow, description="What the viewer was reminded of; nobody else sees it.")
class Reminder(Node):
    kind: ReminderKind = column("What it reminds of.")
    due_at: datetime = column("When it was due.")
    created_at: datetime = column("When the viewer was reminded.")
    follow_up: Annotated["FollowUp", strawberry.lazy("schema.follow_ups")] | None = relation(
        FollowUpRow, "The follow-up that it is about, if one.", by="follow_up_id"
    )
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(
        LeadRow, "The lead that it is about, if one.", by="lead_id"
    )
    deliveries: list[ReminderDelivery] = batch(
        _deliveries, "How it was told: in the app, by mail, and on each device; or why not."
    )


@strawberry.input(description="Which reminders.")
class ReminderFilter:
    kind: EnumFilter[ReminderKind] | None = on("By what they remind of.", "kind")
    due_at: DateTimeFilter | None = on("By when they were due.", "due_at")
    created_at: DateTimeFilter | None = on("By when the viewer was reminded.", "created_at")
    lead: IDFilter | None = on("By the lead that they are about.", "lead_id", noun="Lead")
    follow_up: IDFilter | None = on("By the follow-up that they are about.", "follow_up_id", noun="FollowUp")
    and_: list["ReminderFilter"] | None = junction("and", "All of these pass.")
    or_: list["ReminderFilter"] | None = junction("or", "Any of these passes.")
    not_: "ReminderFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What reminders can be ordered by.")
class ReminderOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When the viewer was reminded.")


@strawberry.input(description="An order of reminders.")
class ReminderOrder:
    field: ReminderOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class ReminderQueries:
    reminders: Connection[Reminder] = connection(
        "Reminder",
        "schema.reminders",
        model=ReminderRow,
        default=(Order("created_at", descending=True),),
        description="What the viewer was reminded of, the newest first. What is about a lead that they may no longer "
        "see is not there.",
    )
