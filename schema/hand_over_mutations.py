"""What can be done with hand-overs, in the schema: translate in, translate out."""

from typing import Annotated, Any

import strawberry

from domain import hand_overs
from models.leads import Lead as LeadRow
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import shown
from schema.hand_overs import HandOver
from schema.inputs import about, expected_version
from schema.leads import Lead


@strawberry.input(description="A lead to hand over.")
class HandOverLeadInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead, which is open.")
    to_user_id: strawberry.ID = strawberry.field(
        description="Who is to sell it: an active member, who owns it from now on."
    )
    note: str | None = strawberry.field(default=None, description="What they should know, at most 20,000 characters.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A lead to accept.")
class AcceptLeadInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead, which was handed over.")


@strawberry.input(description="A lead to return.")
class ReturnLeadInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead, which was handed over.")
    reason: str = strawberry.field(description="Why, at most 20,000 characters.")


@strawberry.type(description="A hand-over after a mutation.")
class HandOverPayload(Payload):
    hand_over: HandOver | None = strawberry.field(default=None, description="The hand-over; null on errors.")

    @strawberry.field(description="Its lead; null where it may not be seen any more.")
    async def lead(self, info: Info) -> Lead | None:
        row: Any = self.hand_over
        return shown(await info.context.row(LeadRow, row.lead_id)) if row else None


@strawberry.type
class HandOverMutations:
    @strawberry.mutation(description="Hand a lead over to who is to sell it, who accepts or returns it.")
    @reports_user_errors
    async def hand_over_lead(
        self, info: Info, input: Annotated[HandOverLeadInput, about("The lead, and to whom.")]
    ) -> HandOverPayload:
        row = await hand_overs.hand_over(
            info.context.actor,
            ids.decode(input.lead_id, "Lead", field="leadId"),
            ids.decode(input.to_user_id, "User", field="toUserId"),
            note=input.note,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return HandOverPayload(hand_over=shown(row))

    @strawberry.mutation(description="Accept a lead that was handed over.")
    @reports_user_errors
    async def accept_lead(self, info: Info, input: Annotated[AcceptLeadInput, about("The lead.")]) -> HandOverPayload:
        key = ids.decode(input.lead_id, "Lead", field="leadId")
        row = await hand_overs.accept(info.context.actor, key, now=info.context.now)
        return HandOverPayload(hand_over=shown(row))

    @strawberry.mutation(description="Return a lead that was handed over to where it came from, for a reason.")
    @reports_user_errors
    async def return_lead(
        self, info: Info, input: Annotated[ReturnLeadInput, about("The lead, and why.")]
    ) -> HandOverPayload:
        key = ids.decode(input.lead_id, "Lead", field="leadId")
        row = await hand_overs.give_back(info.context.actor, key, reason=input.reason, now=info.context.now)
        return HandOverPayload(hand_over=shown(row))
