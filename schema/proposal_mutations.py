"""What can be done with proposals, in the schema: translate in, translate out."""

from typing import Annotated, ClassVar

import strawberry

from domain import approvals, proposals
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import shown
from schema.inputs import about, expected_version
from schema.proposal_inputs import CreateProposalInput, ProposalLineInput, UpdateProposalInput, details_of, lines_of
from schema.proposals import Proposal


@strawberry.input(
    description="All lines of a proposal; known ones that are not among them go. Of a proposal that was sent it makes "
    "a draft of the next version."
)
class SetProposalLinesInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The proposal.")
    lines: list[ProposalLineInput] = strawberry.field(description="Its lines in their order: at most 1,000.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A draft for whose approval somebody asks.")
class RequestProposalApprovalInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The proposal.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A proposal to approve.")
class ApproveProposalInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The proposal.")
    note: str | None = strawberry.field(default=None, description="What to say to it, at most 20,000 characters.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A proposal to reject.")
class RejectProposalInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The proposal.")
    note: str = strawberry.field(description="Why, at most 20,000 characters.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A proposal to send.")
class SendProposalInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The proposal.")
    message: str | None = strawberry.field(
        default=None, description="What the mail says that brings it to the customer, at most 5,000 characters."
    )
    expected_version: int | None = expected_version()


@strawberry.input(description="A proposal to take back.")
class WithdrawProposalInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The proposal.")
    reason: str | None = strawberry.field(default=None, description="Why, at most 20,000 characters.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A proposal to delete, which was never sent.")
class DeleteProposalInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The proposal.")
    expected_version: int | None = expected_version()


@strawberry.type(description="A proposal after a mutation.")
class ProposalPayload(Payload):
    stale_field: ClassVar[str] = "proposal"
    proposal: Proposal | None = strawberry.field(
        default=None, description="The proposal; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A deleted proposal.")
class DeleteProposalPayload(ProposalPayload):
    deleted_proposal_id: strawberry.ID | None = strawberry.field(default=None, description="The id of what is gone.")


@strawberry.type
class ProposalMutations:
    @strawberry.mutation(description="Make a draft of a proposal to a lead.")
    @reports_user_errors
    async def create_proposal(
        self, info: Info, input: Annotated[CreateProposalInput, about("The proposal.")]
    ) -> ProposalPayload:
        row = await proposals.create(
            info.context.actor,
            ids.decode(input.lead_id, "Lead", field="leadId"),
            details_of(input),
            currency=input.currency_code,
            lines=lines_of(input.lines),
            id=ids.decode_new(input.id, "Proposal"),
            now=info.context.now,
        )
        return ProposalPayload(proposal=shown(row))

    @strawberry.mutation(description="Change a proposal; what was sent stays, and the next version is drafted.")
    @reports_user_errors
    async def update_proposal(
        self, info: Info, input: Annotated[UpdateProposalInput, about("The change.")]
    ) -> ProposalPayload:
        row = await proposals.update(
            info.context.actor,
            ids.decode(input.id, "Proposal"),
            details_of(input),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ProposalPayload(proposal=shown(row))

    @strawberry.mutation(description="Set all lines of a proposal.")
    @reports_user_errors
    async def set_proposal_lines(
        self, info: Info, input: Annotated[SetProposalLinesInput, about("The lines.")]
    ) -> ProposalPayload:
        row = await proposals.set_lines(
            info.context.actor,
            ids.decode(input.id, "Proposal"),
            lines_of(input.lines),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ProposalPayload(proposal=shown(row))

    @strawberry.mutation(description="Ask those whom the rules name to approve a draft.")
    @reports_user_errors
    async def request_proposal_approval(
        self, info: Info, input: Annotated[RequestProposalApprovalInput, about("The proposal.")]
    ) -> ProposalPayload:
        row = await approvals.request(
            info.context.actor,
            ids.decode(input.id, "Proposal"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ProposalPayload(proposal=shown(row))

    @strawberry.mutation(description="Approve a proposal, as far as the viewer's role is asked.")
    @reports_user_errors
    async def approve_proposal(
        self, info: Info, input: Annotated[ApproveProposalInput, about("The proposal.")]
    ) -> ProposalPayload:
        row = await approvals.approve(
            info.context.actor,
            ids.decode(input.id, "Proposal"),
            note=input.note,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ProposalPayload(proposal=shown(row))

    @strawberry.mutation(description="Reject a proposal, which is a draft again.")
    @reports_user_errors
    async def reject_proposal(
        self, info: Info, input: Annotated[RejectProposalInput, about("The proposal.")]
    ) -> ProposalPayload:
        row = await approvals.reject(
            info.context.actor,
            ids.decode(input.id, "Proposal"),
            note=input.note,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ProposalPayload(proposal=shown(row))

    @strawberry.mutation(description="Send a proposal: what it says now is a version for good, and customers see it.")
    @reports_user_errors
    async def send_proposal(
        self, info: Info, input: Annotated[SendProposalInput, about("The proposal.")]
    ) -> ProposalPayload:
        row = await proposals.send(
            info.context.actor,
            ids.decode(input.id, "Proposal"),
            message=input.message,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ProposalPayload(proposal=shown(row))

    @strawberry.mutation(description="Take back what customers see of a proposal; a draft of the next version stays.")
    @reports_user_errors
    async def withdraw_proposal(
        self, info: Info, input: Annotated[WithdrawProposalInput, about("The proposal.")]
    ) -> ProposalPayload:
        row = await proposals.withdraw(
            info.context.actor,
            ids.decode(input.id, "Proposal"),
            reason=input.reason,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ProposalPayload(proposal=shown(row))

    @strawberry.mutation(description="Delete a proposal that was never sent.")
    @reports_user_errors
    async def delete_proposal(
        self, info: Info, input: Annotated[DeleteProposalInput, about("The proposal.")]
    ) -> DeleteProposalPayload:
        row = await proposals.delete(
            info.context.actor,
            ids.decode(input.id, "Proposal"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return DeleteProposalPayload(deleted_proposal_id=ids.encode("Proposal", row.id))
