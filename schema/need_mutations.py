"""What can be done with needs, in the schema: translate in, translate out."""

from typing import Annotated, ClassVar

import strawberry

from domain import needs
from domain.needs import NeedDetails
from models.needs import NeedKind
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import given, given_id, optional, shown
from schema.inputs import about, expected_version, own_id, unless_null
from schema.needs import Need


@strawberry.input(description="What people say of a need.")
class NeedFields(MutationInput):
    kind: NeedKind | None = optional("Whether it hurts or is wished for; PAIN at first, null changes nothing.")
    description: str | None = optional("More about it, at most 20,000 characters.")
    importance: int | None = optional("How much it matters: 1 (nice to have) to 5 (decisive); null is 3.")
    answer: str | None = optional("What answers it, at most 20,000 characters.")
    product_id: strawberry.ID | None = optional("The product that answers it.")


@strawberry.input(description="A need to name.")
class CreateNeedInput(NeedFields):
    id: strawberry.ID | None = own_id()
    lead_id: strawberry.ID = strawberry.field(description="The lead whose it is.")
    title: str = strawberry.field(description="What it is, at most 200 characters.")


@strawberry.input(description="A change of a need; what is left out stays as it is, null clears.")
class UpdateNeedInput(NeedFields):
    id: strawberry.ID = strawberry.field(description="The need.")
    title: str | None = optional("What it is, at most 200 characters.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A need to delete.")
class DeleteNeedInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The need.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A deleted need to bring back.")
class RestoreNeedInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The need.")


@strawberry.type(description="A need after a mutation.")
class NeedPayload(Payload):
    stale_field: ClassVar[str] = "need"
    need: Need | None = strawberry.field(
        default=None, description="The need; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A deleted need.")
class DeleteNeedPayload(NeedPayload):
    deleted_need_id: strawberry.ID | None = strawberry.field(default=None, description="The id of what is gone.")


def _details(input: CreateNeedInput | UpdateNeedInput) -> NeedDetails:
    return NeedDetails(
        kind=unless_null(input.kind),
        title=given(input.title),
        description=given(input.description),
        importance=given(input.importance),
        answer=given(input.answer),
        product_id=given_id(input.product_id, "Product", field="productId"),
    )


@strawberry.type
class NeedMutations:
    @strawberry.mutation(description="Name a need of a lead.")
    @reports_user_errors
    async def create_need(self, info: Info, input: Annotated[CreateNeedInput, about("The need.")]) -> NeedPayload:
        row = await needs.create(
            info.context.actor,
            ids.decode(input.lead_id, "Lead", field="leadId"),
            _details(input),
            id=ids.decode_new(input.id, "Need"),
            now=info.context.now,
        )
        return NeedPayload(need=shown(row))

    @strawberry.mutation(description="Change a need.")
    @reports_user_errors
    async def update_need(self, info: Info, input: Annotated[UpdateNeedInput, about("The change.")]) -> NeedPayload:
        row = await needs.update(
            info.context.actor,
            ids.decode(input.id, "Need"),
            _details(input),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return NeedPayload(need=shown(row))

    @strawberry.mutation(description="Delete a need; it can be restored.")
    @reports_user_errors
    async def delete_need(self, info: Info, input: Annotated[DeleteNeedInput, about("The need.")]) -> DeleteNeedPayload:
        row = await needs.delete(
            info.context.actor,
            ids.decode(input.id, "Need"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return DeleteNeedPayload(deleted_need_id=ids.encode("Need", row.id))

    @strawberry.mutation(description="Bring a deleted need back.")
    @reports_user_errors
    async def restore_need(self, info: Info, input: Annotated[RestoreNeedInput, about("The need.")]) -> NeedPayload:
        row = await needs.restore(info.context.actor, ids.decode(input.id, "Need"), now=info.context.now)
        return NeedPayload(need=shown(row))
