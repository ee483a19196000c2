"""What can be done with saved views, in the schema: translate in, translate out."""

from typing import Annotated, ClassVar

import strawberry

from domain import saved_views
from domain.saved_views import ViewDetails
from models.saved_views import Sharing, ViewNoun
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import given, optional, shown
from schema.inputs import about, expected_version, own_id, unless_null
from schema.saved_views import SavedView, judge
from schema.scalars import JSON


@strawberry.input(description="What people say of a saved view.")
class SavedViewFields(MutationInput):
    filter: JSON | None = optional(
        "What the list's argument filter takes (LeadFilter, CompanyFilter, ContactFilter), at most 20,000 characters."
    )
    order_by: JSON | None = optional("What the list's argument orderBy takes; null is the usual order.")
    search: str | None = optional("What the list's argument search takes, at most 200 characters.")
    columns: list[str] | None = optional(
        "The fields to show, each once and at most 100: names of fieldDefinitions, and custom fields as custom:key or "
        "custom:id; null is none."
    )
    visibility: Sharing | None = optional(
        "For whom it exists; null changes nothing. TEAM is the owner's team as it is now; ALL is for admins and "
        "managers to give."
    )
    position: int | None = optional("Its place, 0 to 1,000,000; null changes nothing, and puts a new one last.")


@strawberry.input(description="A view to save.")
class CreateSavedViewInput(SavedViewFields):
    id: strawberry.ID | None = own_id()
    noun: ViewNoun = strawberry.field(description="What it lists.")
    name: str = strawberry.field(
        description="What it is called, at most 200 characters; no two that one keeps of a noun share one."
    )


@strawberry.input(description="A change of a saved view; what is left out stays as it is, null clears.")
class UpdateSavedViewInput(SavedViewFields):
    id: strawberry.ID = strawberry.field(description="The view.")
    name: str | None = optional("What it is called, at most 200 characters.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A saved view to delete.")
class DeleteSavedViewInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The view.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A deleted saved view to bring back.")
class RestoreSavedViewInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The view.")


@strawberry.type(description="A saved view after a mutation.")
class SavedViewPayload(Payload):
    stale_field: ClassVar[str] = "saved_view"
    saved_view: SavedView | None = strawberry.field(
        default=None, description="The view; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A deleted saved view.")
class DeleteSavedViewPayload(SavedViewPayload):
    deleted_saved_view_id: strawberry.ID | None = strawberry.field(default=None, description="The id of what is gone.")


def _details(input: CreateSavedViewInput | UpdateSavedViewInput) -> ViewDetails:
    return ViewDetails(
        name=given(input.name),
        visibility=unless_null(input.visibility),
        passing=given(input.filter),
        order_by=given(input.order_by),
        search=given(input.search),
        columns=given(input.columns),
        position=given(input.position),
    )


@strawberry.type
class SavedViewMutations:
    @strawberry.mutation(description="Save a view of a list. A filter that the list would refuse is refused.")
    @reports_user_errors
    async def create_saved_view(
        self, info: Info, input: Annotated[CreateSavedViewInput, about("The view.")]
    ) -> SavedViewPayload:
        row = await saved_views.create(
            info.context.actor,
            input.noun,
            _details(input),
            judge=judge(info),
            id=ids.decode_new(input.id, "SavedView"),
            now=info.context.now,
        )
        return SavedViewPayload(saved_view=shown(row))

    @strawberry.mutation(description="Change a saved view. What comes of it must fit its list as a whole.")
    @reports_user_errors
    async def update_saved_view(
        self, info: Info, input: Annotated[UpdateSavedViewInput, about("The change.")]
    ) -> SavedViewPayload:
        row = await saved_views.update(
            info.context.actor,
            ids.decode(input.id, "SavedView"),
            _details(input),
            judge=judge(info),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return SavedViewPayload(saved_view=shown(row))

    @strawberry.mutation(description="Delete a saved view; it can be restored.")
    @reports_user_errors
    async def delete_saved_view(
        self, info: Info, input: Annotated[DeleteSavedViewInput, about("The view.")]
    ) -> DeleteSavedViewPayload:
        row = await saved_views.delete(
            info.context.actor,
            ids.decode(input.id, "SavedView"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return DeleteSavedViewPayload(deleted_saved_view_id=ids.encode("SavedView", row.id))

    @strawberry.mutation(description="Bring a deleted saved view back.")
    @reports_user_errors
    async def restore_saved_view(
        self, info: Info, input: Annotated[RestoreSavedViewInput, about("The view.")]
    ) -> SavedViewPayload:
        row = await saved_views.restore(info.context.actor, ids.decode(input.id, "SavedView"), now=info.context.now)
        return SavedViewPayload(saved_view=shown(row))
