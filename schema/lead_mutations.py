"""What can be done with leads, in the schema: translate in, translate out."""

from asyncio import gather
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import strawberry

from domain import captures, closings, leads, moves
from domain.captures import Capture, NewCompany, NewContact
from domain.leads import LeadDetails
from domain.moves import Place
from domain.unset import UNSET
from engine.cursors import cursor_of
from engine.pages import Order
from models.leads import ContactRole, LeadStatus, Lifecycle
from models.leads import Lead as LeadRow
from models.stages import Stage as StageRow
from schema import ids
from schema.connections import Edge, EdgeRow, page_request
from schema.context import Info
from schema.custom_fields import CustomValueInput, values_of
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.external_refs import ExternalRefInput, refs
from schema.fields import given, given_id, optional, shown
from schema.inputs import about, amount_of, expected_version, money_of, own_id, unless_null
from schema.leads import Lead, MoveRequest
from schema.qualification_inputs import QualificationAnswerInput, answers_of
from schema.scalars import URL, CountryCode, Email, MoneyInput, PhoneNumber

if TYPE_CHECKING:
    from schema.stages import Stage


@strawberry.input(description="The company behind a lead; found by its domain or name, else created.")
class CaptureCompanyInput:
    name: str | None = strawberry.field(default=None, description="Its name.")
    domain: str | None = strawberry.field(default=None, description="Its domain; finds it among those known.")
    website: URL | None = strawberry.field(default=None, description="Its web address.")
    phone: PhoneNumber | None = strawberry.field(default=None, description="Its phone number.")
    industry: str | None = strawberry.field(default=None, description="Its industry or sector.")
    country: CountryCode | None = strawberry.field(default=None, description="Where it sits.")


@strawberry.input(description="The person behind a lead; found by email, else phone, else created.")
class CaptureContactInput:
    name: str | None = strawberry.field(default=None, description="The name.")
    email: Email | None = strawberry.field(default=None, description="The email address; finds the person.")
    phone: PhoneNumber | None = strawberry.field(default=None, description="The phone number, with country code.")
    job_title: str | None = strawberry.field(default=None, description="What they do there.")
    role: ContactRole = strawberry.field(default=ContactRole.OTHER, description="What they are on the lead.")


@strawberry.input(description="A lead to capture: with a title, or a company or contact to be called after.")
class CaptureLeadInput(MutationInput):
    id: strawberry.ID | None = own_id()
    title: str | None = strawberry.field(default=None, description="What it is about; at most 200 characters.")
    description: str | None = strawberry.field(default=None, description="More about it.")
    value: MoneyInput | None = strawberry.field(default=None, description="What it may be worth.")
    pipeline_id: strawberry.ID | None = strawberry.field(
        default=None, description="The pipeline; the default one if left out."
    )
    stage_id: strawberry.ID | None = strawberry.field(
        default=None, description="The stage; the pipeline's first if left out."
    )
    owner_id: strawberry.ID | None = strawberry.field(
        default=None, description="Who works on it; a rep's own if left out."
    )
    source_id: strawberry.ID | None = strawberry.field(default=None, description="Where it came from.")
    campaign_id: strawberry.ID | None = strawberry.field(default=None, description="The campaign that brought it.")
    product_id: strawberry.ID | None = strawberry.field(default=None, description="What interests them most.")
    company_id: strawberry.ID | None = strawberry.field(default=None, description="A company that is known.")
    company: CaptureCompanyInput | None = strawberry.field(default=None, description="A company to find or create.")
    contact: CaptureContactInput | None = strawberry.field(default=None, description="A person to find or create.")
    lifecycle: Lifecycle | None = optional("How far it is qualified; a new lead is RAW if left out.")
    expected_close_date: date | None = strawberry.field(default=None, description="When it is to be decided.")
    term_ends_on: date | None = optional("When what they have bought ends, such as a contract or a warranty.")
    engaged_at: datetime | None = strawberry.field(
        default=None, description="When selling began; now, if left out and its stage is no intake."
    )
    tag_ids: list[strawberry.ID] = strawberry.field(default_factory=list, description="Its tags, at most 50.")
    custom: list[CustomValueInput] | None = optional("Values of its custom fields.")
    external_refs: list[ExternalRefInput] = strawberry.field(
        default_factory=list,
        description="What other systems call it; a lead known by one of them is brought up to date instead.",
    )
    answers: list[QualificationAnswerInput] = strawberry.field(
        default_factory=list, description="What is known of it by the checklist, at most 100 answers."
    )


@strawberry.input(description="What can be changed of one lead and of many alike.")
class LeadChange(MutationInput):
    value: MoneyInput | None = optional("What it may be worth.")
    source_id: strawberry.ID | None = optional("Where it came from.")
    campaign_id: strawberry.ID | None = optional("The campaign that brought it.")
    product_id: strawberry.ID | None = optional("What interests them most.")
    company_id: strawberry.ID | None = optional("The company that may buy.")
    lifecycle: Lifecycle | None = optional("How far it is qualified; null changes nothing.")
    expected_close_date: date | None = optional("When it is to be decided.")
    term_ends_on: date | None = optional("When what they have bought ends, such as a contract or a warranty.")
    engaged_at: datetime | None = optional("When selling began.")
    tag_ids: list[strawberry.ID] | None = optional("All its tags, at most 50.")
    custom: list[CustomValueInput] | None = optional("Values of custom fields; those left out stay as they are.")


@strawberry.input(description="A change of a lead; what is left out stays as it is, null clears.")
class UpdateLeadInput(LeadChange):
    id: strawberry.ID = strawberry.field(description="The lead.")
    expected_version: int | None = expected_version()
    title: str | None = optional("What it is about; at most 200 characters.")
    description: str | None = optional("More about it.")
    external_refs: list[ExternalRefInput] = strawberry.field(
        default_factory=list, description="What other systems call it, besides what is known."
    )


@strawberry.input(description="Whose lead it becomes.")
class AssignLeadInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The lead.")
    owner_id: strawberry.ID | None = strawberry.field(description="The new owner; null for nobody.")
    expected_version: int | None = expected_version()


@strawberry.input(description="Where a lead goes. Without a neighbour it goes on top of its new stage.")
class MoveLeadInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The lead.")
    stage_id: strawberry.ID = strawberry.field(description="The stage; of another pipeline, too.")
    after_lead_id: strawberry.ID | None = strawberry.field(default=None, description="The lead to drop it under.")
    before_lead_id: strawberry.ID | None = strawberry.field(default=None, description="The lead to drop it above.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A move to ask a manager for.")
class RequestMoveInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    stage_id: strawberry.ID = strawberry.field(description="The stage, which asks for approval.")
    note: str | None = strawberry.field(default=None, description="Why it should move.")


@strawberry.input(description="A requested move to approve.")
class ApproveMoveInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The request.")


@strawberry.input(description="A requested move to reject.")
class RejectMoveInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The request.")
    note: str | None = strawberry.field(default=None, description="Why it is rejected.")


@strawberry.input(description="How one lead ends, and many alike.")
class Ending(MutationInput):
    status: LeadStatus = strawberry.field(description="WON, LOST or DISQUALIFIED.")
    lost_reason_id: strawberry.ID | None = strawberry.field(
        default=None, description="Why it was lost; LOST needs it, DISQUALIFIED may have it, WON keeps none."
    )
    lost_to_id: strawberry.ID | None = strawberry.field(
        default=None, description="The competitor that won; only with LOST."
    )
    note: str | None = strawberry.field(default=None, description="What there is to say about it.")
    value: MoneyInput | None = strawberry.field(default=None, description="What it was worth in the end.")
    stage_id: strawberry.ID | None = strawberry.field(
        default=None, description="The FOLLOW_UP stage that a won lead goes to; the first one if left out."
    )


@strawberry.input(description="How a lead ends.")
class CloseLeadInput(Ending):
    id: strawberry.ID = strawberry.field(description="The lead.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A lead that never was one, and why: by a reason, a note, or both.")
class DisqualifyLeadInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    lost_reason_id: strawberry.ID | None = strawberry.field(
        default=None, description="Why, by the workspace's reasons."
    )
    note: str | None = strawberry.field(default=None, description="Why, in words.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A closed lead to open again.")
class ReopenLeadInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The lead.")
    stage_id: strawberry.ID | None = strawberry.field(
        default=None, description="Where it goes; to the stage it was closed from if left out."
    )
    expected_version: int | None = expected_version()


@strawberry.input(description="A lead to delete.")
class DeleteLeadInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The lead.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A deleted lead to bring back.")
class RestoreLeadInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The lead.")


@strawberry.input(description="A person to put on a lead, or whose role there changes.")
class SetLeadContactInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    contact_id: strawberry.ID = strawberry.field(description="The person.")
    role: ContactRole = strawberry.field(default=ContactRole.OTHER, description="What they are on the lead.")
    is_primary: bool = strawberry.field(default=False, description="Whether they are the first to talk to.")


@strawberry.input(description="A person to take off a lead.")
class RemoveLeadContactInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    contact_id: strawberry.ID = strawberry.field(description="The person.")


@strawberry.type(description="A lead after a mutation.")
class LeadPayload(Payload):
    stale_field: ClassVar[str] = "lead"
    lead: Lead | None = strawberry.field(
        default=None, description="The lead; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A lead after it went to another stage or place.")
class MoveLeadPayload(LeadPayload):
    lead_edge: Edge[Lead] | None = strawberry.field(
        default=None, description="The lead with its cursor in its stage's list by rank without a filter."
    )
    from_stage: Annotated["Stage", strawberry.lazy("schema.stages")] | None = strawberry.field(
        default=None, description="The stage that it left, for its fresh counts; null where it stayed."
    )
    to_stage: Annotated["Stage", strawberry.lazy("schema.stages")] | None = strawberry.field(
        default=None, description="The stage where it stands now."
    )


@strawberry.type(description="A requested move.")
class MoveRequestPayload(Payload):
    move_request: MoveRequest | None = strawberry.field(default=None, description="The request.")

    @strawberry.field(description="Its lead.")
    async def lead(self, info: Info) -> Lead | None:
        row: Any = self.move_request
        return shown(await info.context.row(LeadRow, row.lead_id)) if row else None


@strawberry.type(description="A deleted lead.")
class DeleteLeadPayload(LeadPayload):
    deleted_lead_id: strawberry.ID | None = strawberry.field(default=None, description="The id of what is gone.")


def _tags(value: list[strawberry.ID] | None) -> Any:
    return ids.decode_all(value, "Tag", field="tagIds")


def details(input: CaptureLeadInput | LeadChange) -> LeadDetails:
    """Return what an input says of a lead; one for many leads has neither title nor description."""
    return LeadDetails(
        title=given(getattr(input, "title", strawberry.UNSET)),
        description=given(getattr(input, "description", strawberry.UNSET)),
        value=money_of(input.value),
        source_id=given_id(input.source_id, "Source", field="sourceId"),
        campaign_id=given_id(input.campaign_id, "Campaign", field="campaignId"),
        company_id=given_id(input.company_id, "Company", field="companyId"),
        product_id=given_id(input.product_id, "Product", field="productId"),
        expected_close_date=given(input.expected_close_date),
        term_ends_on=given(input.term_ends_on),
        engaged_at=given(input.engaged_at),
        lifecycle=unless_null(input.lifecycle),
        tag_ids=UNSET if input.tag_ids is strawberry.UNSET else _tags(input.tag_ids),
        custom=values_of(input.custom),
    )


def ending(input: Ending) -> dict[str, Any]:
    """Return what an input says of the end of a lead, as the domain takes it beside the status."""
    return {
        "lost_reason_id": ids.decode_maybe(input.lost_reason_id, "LostReason", field="lostReasonId"),
        "lost_to_id": ids.decode_maybe(input.lost_to_id, "Competitor", field="lostToId"),
        "note": input.note,
        "value": amount_of(input.value),
        "stage_id": ids.decode_maybe(input.stage_id, "Stage", field="stageId"),
    }


def _capture(input: CaptureLeadInput) -> Capture:
    said = details(input)
    company, contact = input.company, input.contact
    if said.engaged_at is None or said.value is None or said.company_id is None:
        absent = {name: UNSET for name in ("engaged_at", "value", "company_id") if getattr(said, name) is None}
        values = {name: getattr(said, name) for name in LeadDetails.__dataclass_fields__}
        said = LeadDetails(**(values | absent))
    return Capture(
        details=said,
        id=ids.decode_new(input.id, "Lead"),
        pipeline_id=ids.decode_maybe(input.pipeline_id, "Pipeline", field="pipelineId"),
        stage_id=ids.decode_maybe(input.stage_id, "Stage", field="stageId"),
        owner_id=ids.decode_maybe(input.owner_id, "User", field="ownerId"),
        company=NewCompany(**vars(company)) if company else None,
        contact=NewContact(**vars(contact)) if contact else None,
        external_refs=refs(input.external_refs),
        answers=answers_of(input.answers),
    )


async def _moved(row: LeadRow, info: Info) -> MoveLeadPayload:
    """Return a lead with its edge, and both stages for their fresh counts."""
    request = page_request(LeadRow, orders=(Order("rank"),), by="stage_id", board_at=info.context.now)
    left, entered = await gather(*(info.context.row(StageRow, key) for key in (row.came_from, row.stage_id)))
    return MoveLeadPayload(
        lead=shown(row),
        lead_edge=shown(EdgeRow(row, cursor_of(request.signature, [row.rank], row.id))),
        from_stage=shown(left),
        to_stage=shown(entered),
    )


@strawberry.type
class LeadMutations:
    @strawberry.mutation(description="Capture a lead; its company and contact are found or created.")
    @reports_user_errors
    async def capture_lead(self, info: Info, input: Annotated[CaptureLeadInput, about("The lead.")]) -> LeadPayload:
        row = await captures.capture(info.context.actor, _capture(input), now=info.context.now)
        return LeadPayload(lead=shown(row))

    @strawberry.mutation(description="Change a lead.")
    @reports_user_errors
    async def update_lead(self, info: Info, input: Annotated[UpdateLeadInput, about("The change.")]) -> LeadPayload:
        row = await leads.update(
            info.context.actor,
            ids.decode(input.id, "Lead"),
            details(input),
            expected_version=input.expected_version,
            external_refs=refs(input.external_refs),
            now=info.context.now,
        )
        return LeadPayload(lead=shown(row))

    @strawberry.mutation(description="Give a lead to an owner, or to nobody.")
    @reports_user_errors
    async def assign_lead(self, info: Info, input: Annotated[AssignLeadInput, about("Whose it is.")]) -> LeadPayload:
        row = await leads.assign(
            info.context.actor,
            ids.decode(input.id, "Lead"),
            ids.decode_maybe(input.owner_id, "User", field="ownerId"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return LeadPayload(lead=shown(row))

    @strawberry.mutation(description="Move a lead to a place in a stage; refused with all that its rules ask for.")
    @reports_user_errors
    async def move_lead(self, info: Info, input: Annotated[MoveLeadInput, about("The move.")]) -> MoveLeadPayload:
        key = ids.decode(input.id, "Lead")
        row = await moves.move(
            info.context.actor,
            key,
            stage_id=ids.decode(input.stage_id, "Stage", field="stageId"),
            place=Place(
                after=ids.decode_maybe(input.after_lead_id, "Lead", field="afterLeadId"),
                before=ids.decode_maybe(input.before_lead_id, "Lead", field="beforeLeadId"),
            ),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return await _moved(row, info)

    @strawberry.mutation(description="Ask a manager to approve a move.")
    @reports_user_errors
    async def request_move(
        self, info: Info, input: Annotated[RequestMoveInput, about("The move.")]
    ) -> MoveRequestPayload:
        row = await moves.request(
            info.context.actor,
            ids.decode(input.lead_id, "Lead", field="leadId"),
            stage_id=ids.decode(input.stage_id, "Stage", field="stageId"),
            note=input.note,
            now=info.context.now,
        )
        return MoveRequestPayload(move_request=shown(row))

    @strawberry.mutation(description="Approve a requested move and make it.")
    @reports_user_errors
    async def approve_move(
        self, info: Info, input: Annotated[ApproveMoveInput, about("The request.")]
    ) -> MoveRequestPayload:
        row = await moves.approve(info.context.actor, ids.decode(input.id, "MoveRequest"), now=info.context.now)
        return MoveRequestPayload(move_request=shown(row))

    @strawberry.mutation(description="Reject a requested move.")
    @reports_user_errors
    async def reject_move(
        self, info: Info, input: Annotated[RejectMoveInput, about("The request.")]
    ) -> MoveRequestPayload:
        key = ids.decode(input.id, "MoveRequest")
        row = await moves.reject(info.context.actor, key, note=input.note, now=info.context.now)
        return MoveRequestPayload(move_request=shown(row))

    @strawberry.mutation(description="Close a lead as won, lost or disqualified.")
    @reports_user_errors
    async def close_lead(self, info: Info, input: Annotated[CloseLeadInput, about("The end.")]) -> MoveLeadPayload:
        key = ids.decode(input.id, "Lead")
        row = await closings.close(
            info.context.actor,
            key,
            input.status,
            **ending(input),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return await _moved(row, info)

    @strawberry.mutation(description="Close a lead that never was one, and say why.")
    @reports_user_errors
    async def disqualify_lead(
        self, info: Info, input: Annotated[DisqualifyLeadInput, about("The lead, and why.")]
    ) -> MoveLeadPayload:
        row = await closings.disqualify(
            info.context.actor,
            ids.decode(input.lead_id, "Lead", field="leadId"),
            lost_reason_id=ids.decode_maybe(input.lost_reason_id, "LostReason", field="lostReasonId"),
            note=input.note,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return await _moved(row, info)

    @strawberry.mutation(description="Open a closed lead again.")
    @reports_user_errors
    async def reopen_lead(self, info: Info, input: Annotated[ReopenLeadInput, about("The lead.")]) -> MoveLeadPayload:
        key = ids.decode(input.id, "Lead")
        row = await closings.reopen(
            info.context.actor,
            key,
            stage_id=ids.decode_maybe(input.stage_id, "Stage", field="stageId"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return await _moved(row, info)

    @strawberry.mutation(description="Delete a lead; it can be restored.")
    @reports_user_errors
    async def delete_lead(self, info: Info, input: Annotated[DeleteLeadInput, about("The lead.")]) -> DeleteLeadPayload:
        key = ids.decode(input.id, "Lead")
        await leads.delete(info.context.actor, key, expected_version=input.expected_version, now=info.context.now)
        return DeleteLeadPayload(deleted_lead_id=ids.encode("Lead", key))

    @strawberry.mutation(description="Bring a deleted lead back.")
    @reports_user_errors
    async def restore_lead(self, info: Info, input: Annotated[RestoreLeadInput, about("The lead.")]) -> LeadPayload:
        row = await leads.restore(info.context.actor, ids.decode(input.id, "Lead"), now=info.context.now)
        return LeadPayload(lead=shown(row))

    @strawberry.mutation(description="Put a person on a lead, or change their role there.")
    @reports_user_errors
    async def set_lead_contact(
        self, info: Info, input: Annotated[SetLeadContactInput, about("The person.")]
    ) -> LeadPayload:
        row = await leads.set_contact(
            info.context.actor,
            ids.decode(input.lead_id, "Lead", field="leadId"),
            ids.decode(input.contact_id, "Contact", field="contactId"),
            role=input.role,
            is_primary=input.is_primary,
            now=info.context.now,
        )
        return LeadPayload(lead=shown(row))

    @strawberry.mutation(description="Take a person off a lead.")
    @reports_user_errors
    async def remove_lead_contact(
        self, info: Info, input: Annotated[RemoveLeadContactInput, about("The person.")]
    ) -> LeadPayload:
        lead_id = ids.decode(input.lead_id, "Lead", field="leadId")
        contact_id = ids.decode(input.contact_id, "Contact", field="contactId")
        row = await leads.remove_contact(info.context.actor, lead_id, contact_id, now=info.context.now)
        return LeadPayload(lead=shown(row))
