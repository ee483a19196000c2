"""What can be done with many leads at once, in the schema: translate in, translate out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain import bulks
from domain.batches import Outcome
from domain.bulks import Chosen, CountChanged, Work
from domain.errors import Required
from engine.records import keys_statement
from models.bulks import Bulk as BulkRow
from models.bulks import BulkKind
from models.leads import Lead as LeadRow
from queries.custom_fields import resolved
from schema import ids
from schema.bulks import Bulk
from schema.connections import page_request
from schema.context import Info
from schema.errors import Given, MutationInput, Payload, UserError, refused, reports_user_errors, user_error
from schema.fields import optional, shown
from schema.filters import condition, forbid_nulls
from schema.inputs import about
from schema.lead_mutations import Ending, LeadChange, details, ending
from schema.leads import Lead

if TYPE_CHECKING:
    from schema.leads import LeadFilter


@strawberry.input(description="Which leads: by ids, or by a filter or search with the count that was shown.")
class Leads(MutationInput):
    ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="The leads, at most 500; one that is named twice is done once."
    )
    filter: Annotated["LeadFilter", strawberry.lazy("schema.leads")] | None = strawberry.field(
        default=None, description="Instead of ids: all leads that pass and that the viewer sees."
    )
    search: str | None = strawberry.field(
        default=None, description="Instead of ids, or beside the filter: words that must all occur, as in leads."
    )
    expected_count: int | None = strawberry.field(
        default=None, description="How many leads pass, as the user was shown; another count now is COUNT_CHANGED."
    )


@strawberry.input(description="A change of many leads; what is left out stays as it is, null clears.")
class UpdateLeadsInput(Leads, LeadChange):
    pass


@strawberry.input(description="Where many leads go: on top of a stage.")
class MoveLeadsInput(Leads):
    stage_id: strawberry.ID = strawberry.field(description="The stage; of another pipeline, too.")


@strawberry.input(description="Whose many leads become.")
class AssignLeadsInput(Leads):
    owner_id: strawberry.ID | None = optional("The new owner; null for nobody, but it has to be said.")


@strawberry.input(description="Tags to put on many leads.")
class TagLeadsInput(Leads):
    tag_ids: list[strawberry.ID] = strawberry.field(description="The tags; a lead has at most 50.")


@strawberry.input(description="Tags to take off many leads.")
class UntagLeadsInput(Leads):
    tag_ids: list[strawberry.ID] = strawberry.field(description="The tags, archived ones as well; at most 50.")


@strawberry.input(description="How many leads end.")
class CloseLeadsInput(Leads, Ending):
    pass


@strawberry.input(description="Many leads to delete.")
class DeleteLeadsInput(Leads):
    pass


@strawberry.input(description="Work on many leads to cancel.")
class CancelBulkInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The work.")


@strawberry.type(description="What became of one of many leads.")
class LeadResult:
    lead_id: strawberry.ID = strawberry.field(description="The lead's id.")
    lead: Lead | None = strawberry.field(description="The lead as it is now; null where it was refused or deleted.")
    user_errors: list[UserError] = strawberry.field(
        description="Why it was refused, as the mutation for one lead would say; empty where all went well."
    )


@strawberry.type(description="What became of many leads: of each at once, or, beyond 500, by a worker.")
class LeadsPayload(Payload):
    results: list[LeadResult] = strawberry.field(
        default_factory=list, description="Each lead, in the order asked for; empty where a worker does it."
    )
    count: int | None = strawberry.field(
        default=None, description="How many leads it is about; where the count has changed, how many pass now."
    )
    bulk: Bulk | None = strawberry.field(
        default=None, description="What the worker does, where there are more than 500; bulkProgress tells how far."
    )


@strawberry.type(description="Cancelled work on many leads.")
class CancelBulkPayload(Payload):
    bulk: Bulk | None = strawberry.field(default=None, description="The work; what is done stays done.")


def _result(outcome: Outcome, *, gone: bool) -> LeadResult:
    return LeadResult(
        lead_id=ids.encode("Lead", outcome.lead_id),
        lead=None if gone else shown(outcome.lead),
        user_errors=[user_error(fault) for fault in outcome.faults],
    )


async def _chosen(input: Leads, info: Info) -> Chosen:
    forbid_nulls(input.filter)
    request = page_request(LeadRow, orders=(), condition=condition(input.filter), search=input.search)
    request = await resolved(request, info.context.actor)
    return Chosen(*keys_statement(request, info.context.actor))


async def _done(info: Info, input: Leads, kind: BulkKind, arguments: Mapping[str, Any]) -> LeadsPayload:
    """Do work with the leads that an input names or chooses."""
    actor, now, work = info.context.actor, info.context.now, Work(kind, arguments)
    if (input.ids is None) == (input.filter is None and input.search is None):
        raise bulks.IdsOrFilter(field="ids")
    done: list[Outcome] | BulkRow
    if input.ids is not None:
        done = await bulks.named(actor, work, ids.decode_all(input.ids, "Lead", field="ids"), now=now)
    else:
        try:
            done = await bulks.chosen(actor, work, await _chosen(input, info), expected=input.expected_count, now=now)
        except CountChanged as error:
            payload = refused(LeadsPayload, error)
            payload.count = error.facts["count"]
            return payload
    if isinstance(done, BulkRow):
        return LeadsPayload(count=done.total, bulk=shown(done))
    gone = kind is BulkKind.DELETE
    return LeadsPayload(count=len(done), results=[_result(outcome, gone=gone) for outcome in done])


def _tags(given: list[strawberry.ID]) -> dict[str, Any]:
    return {"tag_ids": ids.decode_all(given, "Tag", field="tagIds")}


@strawberry.type
class BulkMutations:
    @strawberry.mutation(description="Change many leads alike.")
    @reports_user_errors
    async def update_leads(self, info: Info, input: Annotated[UpdateLeadsInput, about("The change.")]) -> LeadsPayload:
        return await _done(info, input, BulkKind.UPDATE, {"details": details(input)})

    @strawberry.mutation(description="Move many leads to the top of a stage, each as far as its rules allow.")
    @reports_user_errors
    async def move_leads(self, info: Info, input: Annotated[MoveLeadsInput, about("The move.")]) -> LeadsPayload:
        stage_id = ids.decode(input.stage_id, "Stage", field="stageId")
        return await _done(info, input, BulkKind.MOVE, {"stage_id": stage_id})

    @strawberry.mutation(description="Give many leads to an owner, or to nobody.")
    @reports_user_errors
    async def assign_leads(
        self, info: Info, input: Annotated[AssignLeadsInput, about("Whose they are.")]
    ) -> LeadsPayload:
        if input.owner_id is strawberry.UNSET:
            raise Required(field="ownerId")
        owner_id = ids.decode_maybe(input.owner_id, "User", field="ownerId")
        return await _done(info, input, BulkKind.ASSIGN, {"owner_id": owner_id})

    @strawberry.mutation(description="Put tags on many leads; those that they bear stay.")
    @reports_user_errors
    async def tag_leads(self, info: Info, input: Annotated[TagLeadsInput, about("The tags.")]) -> LeadsPayload:
        return await _done(info, input, BulkKind.TAG, _tags(input.tag_ids))

    @strawberry.mutation(description="Take tags off many leads.")
    @reports_user_errors
    async def untag_leads(self, info: Info, input: Annotated[UntagLeadsInput, about("The tags.")]) -> LeadsPayload:
        return await _done(info, input, BulkKind.UNTAG, _tags(input.tag_ids))

    @strawberry.mutation(description="Close many leads as won, lost or disqualified.")
    @reports_user_errors
    async def close_leads(self, info: Info, input: Annotated[CloseLeadsInput, about("The end.")]) -> LeadsPayload:
        return await _done(info, input, BulkKind.CLOSE, {"status": input.status, **ending(input)})

    @strawberry.mutation(description="Delete many leads; each can be restored.")
    @reports_user_errors
    async def delete_leads(self, info: Info, input: Annotated[DeleteLeadsInput, about("The leads.")]) -> LeadsPayload:
        return await _done(info, input, BulkKind.DELETE, {})

    @strawberry.mutation(description="Cancel work on many leads that a worker has not ended.")
    @reports_user_errors
    async def cancel_bulk(self, info: Info, input: Given[CancelBulkInput]) -> CancelBulkPayload:
        row = await bulks.cancel(info.context.actor, ids.decode(input.id, "Bulk"), now=info.context.now)
        return CancelBulkPayload(bulk=shown(row))
