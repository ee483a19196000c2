"""What can be done with contracts, in the schema: translate in, translate out."""

from datetime import date
from typing import Annotated, ClassVar

import strawberry

from domain import contracts
from domain.contracts import ContractDetails, Signing
from schema import ids
from schema.context import Info
from schema.contracts import Contract
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import shown
from schema.inputs import about, expected_version, own_id


@strawberry.input(description="A contract to make of a proposal that was accepted.")
class CreateContractInput(MutationInput):
    id: strawberry.ID | None = own_id()
    proposal_id: strawberry.ID = strawberry.field(description="The proposal.")
    title: str | None = strawberry.field(
        default=None, description="What stands above it, at most 200 characters; null: as the proposal has it."
    )
    terms: str | None = strawberry.field(
        default=None, description="On which terms, at most 20,000 characters; null: as the proposal has them."
    )
    starts_on: date | None = strawberry.field(default=None, description="The day on which it begins.")
    ends_on: date | None = strawberry.field(default=None, description="The day on which it ends.")


@strawberry.input(description="A contract to sign for the seller.")
class SignContractInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The contract.")
    name: str = strawberry.field(description="The name of whoever signs, as they type it.")
    sha256: str = strawberry.field(description="The contract's sha256, as they saw it.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A contract to cancel.")
class CancelContractInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The contract.")
    reason: str | None = strawberry.field(default=None, description="Why, at most 2,000 characters.")
    expected_version: int | None = expected_version()


@strawberry.type(description="A contract after a mutation.")
class ContractPayload(Payload):
    stale_field: ClassVar[str] = "contract"
    contract: Contract | None = strawberry.field(
        default=None, description="The contract; the current one where the edit was stale, else null on errors."
    )


@strawberry.type
class ContractMutations:
    @strawberry.mutation(description="Make a contract of a proposal that was accepted, for both sides to sign.")
    @reports_user_errors
    async def create_contract(
        self, info: Info, input: Annotated[CreateContractInput, about("The contract.")]
    ) -> ContractPayload:
        row = await contracts.create(
            info.context.actor,
            ids.decode(input.proposal_id, "Proposal", field="proposalId"),
            ContractDetails(title=input.title, terms=input.terms, starts_on=input.starts_on, ends_on=input.ends_on),
            id=ids.decode_new(input.id, "Contract"),
            now=info.context.now,
        )
        return ContractPayload(contract=shown(row))

    @strawberry.mutation(description="Sign a contract for the seller; the buyer signs on the page of their link.")
    @reports_user_errors
    async def sign_contract(
        self, info: Info, input: Annotated[SignContractInput, about("What is signed, and by whom.")]
    ) -> ContractPayload:
        row = await contracts.sign(
            info.context.actor,
            ids.decode(input.id, "Contract"),
            Signing(
                name=input.name,
                sha256=input.sha256,
                address=info.context.address,
                user_agent=info.context.user_agent,
            ),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ContractPayload(contract=shown(row))

    @strawberry.mutation(description="Cancel a contract that not both sides have signed.")
    @reports_user_errors
    async def cancel_contract(
        self, info: Info, input: Annotated[CancelContractInput, about("The contract.")]
    ) -> ContractPayload:
        row = await contracts.cancel(
            info.context.actor,
            ids.decode(input.id, "Contract"),
            reason=input.reason,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ContractPayload(contract=shown(row))
