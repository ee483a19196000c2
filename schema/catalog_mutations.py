"""What can be done with the short lists of a workspace, in the schema: translate in, translate out."""

from typing import Annotated, ClassVar

import strawberry

from domain import catalog
from models.activities import ActivityType as ActivityTypeRow
from models.catalog import LostReason as LostReasonRow
from models.catalog import Source as SourceRow
from models.catalog import SourceKind
from models.catalog import Tag as TagRow
from schema import ids
from schema.catalog import ActivityType, LostReason, Source, Tag
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import given, optional, shown
from schema.inputs import about, expected_version, own_id, unless_null


@strawberry.input(description="A source to add.")
class CreateSourceInput(MutationInput):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What it is called, at most 200 characters; no two share one.")
    kind: SourceKind = strawberry.field(default=SourceKind.OTHER, description="What kind of source it is.")


@strawberry.input(description="A change of a source; what is left out stays as it is.")
class UpdateSourceInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The source.")
    name: str | None = optional("What it is called, at most 200 characters; no two share one.")
    kind: SourceKind | None = optional("What kind of source it is; null changes nothing.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A source to offer no more.")
class ArchiveSourceInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The source.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived source to offer again.")
class RestoreSourceInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The source.")


@strawberry.type(description="A source after a mutation.")
class SourcePayload(Payload):
    stale_field: ClassVar[str] = "source"
    source: Source | None = strawberry.field(
        default=None, description="The source; the current one where the edit was stale, else null on errors."
    )


@strawberry.type
class SourceMutations:
    @strawberry.mutation(description="Add a source.")
    @reports_user_errors
    async def create_source(
        self, info: Info, input: Annotated[CreateSourceInput, about("The source.")]
    ) -> SourcePayload:
        row = await catalog.create_source(
            info.context.actor,
            id=ids.decode_new(input.id, "Source"),
            name=input.name,
            kind=input.kind,
            now=info.context.now,
        )
        return SourcePayload(source=shown(row))

    @strawberry.mutation(description="Change a source.")
    @reports_user_errors
    async def update_source(
        self, info: Info, input: Annotated[UpdateSourceInput, about("The change.")]
    ) -> SourcePayload:
        row = await catalog.update_source(
            info.context.actor,
            ids.decode(input.id, "Source"),
            expected_version=input.expected_version,
            name=given(input.name),
            kind=unless_null(input.kind),
            now=info.context.now,
        )
        return SourcePayload(source=shown(row))

    @strawberry.mutation(description="Offer a source no more; leads keep it.")
    @reports_user_errors
    async def archive_source(
        self, info: Info, input: Annotated[ArchiveSourceInput, about("The source.")]
    ) -> SourcePayload:
        row = await catalog.archive(
            info.context.actor,
            SourceRow,
            ids.decode(input.id, "Source"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return SourcePayload(source=shown(row))

    @strawberry.mutation(description="Offer an archived source again.")
    @reports_user_errors
    async def restore_source(
        self, info: Info, input: Annotated[RestoreSourceInput, about("The source.")]
    ) -> SourcePayload:
        row = await catalog.restore(info.context.actor, SourceRow, ids.decode(input.id, "Source"), now=info.context.now)
        return SourcePayload(source=shown(row))


@strawberry.input(description="A lost reason to add.")
class CreateLostReasonInput(MutationInput):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What it is called, at most 200 characters; no two share one.")


@strawberry.input(description="A change of a lost reason; what is left out stays as it is.")
class UpdateLostReasonInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The lost reason.")
    name: str | None = optional("What it is called, at most 200 characters; no two share one.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A lost reason to offer no more.")
class ArchiveLostReasonInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The lost reason.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived lost reason to offer again.")
class RestoreLostReasonInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The lost reason.")


@strawberry.type(description="A lost reason after a mutation.")
class LostReasonPayload(Payload):
    stale_field: ClassVar[str] = "lost_reason"
    lost_reason: LostReason | None = strawberry.field(
        default=None, description="The lost reason; the current one where the edit was stale, else null on errors."
    )


@strawberry.type
class LostReasonMutations:
    @strawberry.mutation(description="Add a lost reason.")
    @reports_user_errors
    async def create_lost_reason(
        self, info: Info, input: Annotated[CreateLostReasonInput, about("The lost reason.")]
    ) -> LostReasonPayload:
        row = await catalog.create_lost_reason(
            info.context.actor,
            id=ids.decode_new(input.id, "LostReason"),
            name=input.name,
            now=info.context.now,
        )
        return LostReasonPayload(lost_reason=shown(row))

    @strawberry.mutation(description="Change a lost reason.")
    @reports_user_errors
    async def update_lost_reason(
        self, info: Info, input: Annotated[UpdateLostReasonInput, about("The change.")]
    ) -> LostReasonPayload:
        row = await catalog.update_lost_reason(
            info.context.actor,
            ids.decode(input.id, "LostReason"),
            expected_version=input.expected_version,
            name=given(input.name),
            now=info.context.now,
        )
        return LostReasonPayload(lost_reason=shown(row))

    @strawberry.mutation(description="Offer a lost reason no more; leads keep it.")
    @reports_user_errors
    async def archive_lost_reason(
        self, info: Info, input: Annotated[ArchiveLostReasonInput, about("The lost reason.")]
    ) -> LostReasonPayload:
        row = await catalog.archive(
            info.context.actor,
            LostReasonRow,
            ids.decode(input.id, "LostReason"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return LostReasonPayload(lost_reason=shown(row))

    @strawberry.mutation(description="Offer an archived lost reason again.")
    @reports_user_errors
    async def restore_lost_reason(
        self, info: Info, input: Annotated[RestoreLostReasonInput, about("The lost reason.")]
    ) -> LostReasonPayload:
        row = await catalog.restore(
            info.context.actor, LostReasonRow, ids.decode(input.id, "LostReason"), now=info.context.now
        )
        return LostReasonPayload(lost_reason=shown(row))


@strawberry.input(description="A tag to add.")
class CreateTagInput(MutationInput):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What it is called, at most 50 characters; no two share one.")
    color: str | None = strawberry.field(default=None, description="Its colour, as #rrggbb.")


@strawberry.input(description="A change of a tag; what is left out stays as it is.")
class UpdateTagInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The tag.")
    name: str | None = optional("What it is called, at most 50 characters; no two share one.")
    color: str | None = optional("Its colour, as #rrggbb; null clears it.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A tag to offer no more.")
class ArchiveTagInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The tag.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived tag to offer again.")
class RestoreTagInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The tag.")


@strawberry.type(description="A tag after a mutation.")
class TagPayload(Payload):
    stale_field: ClassVar[str] = "tag"
    tag: Tag | None = strawberry.field(
        default=None, description="The tag; the current one where the edit was stale, else null on errors."
    )


@strawberry.type
class TagMutations:
    @strawberry.mutation(description="Add a tag.")
    @reports_user_errors
    async def create_tag(self, info: Info, input: Annotated[CreateTagInput, about("The tag.")]) -> TagPayload:
        row = await catalog.create_tag(
            info.context.actor,
            id=ids.decode_new(input.id, "Tag"),
            name=input.name,
            color=input.color,
            now=info.context.now,
        )
        return TagPayload(tag=shown(row))

    @strawberry.mutation(description="Change a tag.")
    @reports_user_errors
    async def update_tag(self, info: Info, input: Annotated[UpdateTagInput, about("The change.")]) -> TagPayload:
        row = await catalog.update_tag(
            info.context.actor,
            ids.decode(input.id, "Tag"),
            expected_version=input.expected_version,
            name=given(input.name),
            color=given(input.color),
            now=info.context.now,
        )
        return TagPayload(tag=shown(row))

    @strawberry.mutation(description="Offer a tag no more; leads keep it.")
    @reports_user_errors
    async def archive_tag(self, info: Info, input: Annotated[ArchiveTagInput, about("The tag.")]) -> TagPayload:
        row = await catalog.archive(
            info.context.actor,
            TagRow,
            ids.decode(input.id, "Tag"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return TagPayload(tag=shown(row))

    @strawberry.mutation(description="Offer an archived tag again.")
    @reports_user_errors
    async def restore_tag(self, info: Info, input: Annotated[RestoreTagInput, about("The tag.")]) -> TagPayload:
        row = await catalog.restore(info.context.actor, TagRow, ids.decode(input.id, "Tag"), now=info.context.now)
        return TagPayload(tag=shown(row))


@strawberry.input(description="A type of activities to add.")
class CreateActivityTypeInput(MutationInput):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What it is called, at most 200 characters; no two share one.")
    is_touch: bool = strawberry.field(
        default=False, description="Whether activities of this type count as touches, as calls do."
    )


@strawberry.input(description="A change of a type of activities; what is left out stays as it is.")
class UpdateActivityTypeInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The type.")
    name: str | None = optional("What it is called, at most 200 characters; no two share one.")
    is_touch: bool | None = optional(
        "Whether activities count as touches that are logged from now on; null changes nothing."
    )
    expected_version: int | None = expected_version()


@strawberry.input(description="A type of activities to offer no more.")
class ArchiveActivityTypeInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The type.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived type of activities to offer again.")
class RestoreActivityTypeInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The type.")


@strawberry.type(description="A type of activities after a mutation.")
class ActivityTypePayload(Payload):
    stale_field: ClassVar[str] = "activity_type"
    activity_type: ActivityType | None = strawberry.field(
        default=None, description="The type; the current one where the edit was stale, else null on errors."
    )


@strawberry.type
class ActivityTypeMutations:
    @strawberry.mutation(description="Add a type of activities.")
    @reports_user_errors
    async def create_activity_type(
        self, info: Info, input: Annotated[CreateActivityTypeInput, about("The type.")]
    ) -> ActivityTypePayload:
        row = await catalog.create_activity_type(
            info.context.actor,
            id=ids.decode_new(input.id, "ActivityType"),
            name=input.name,
            is_touch=input.is_touch,
            now=info.context.now,
        )
        return ActivityTypePayload(activity_type=shown(row))

    @strawberry.mutation(description="Change a type of activities; those logged already count as they did.")
    @reports_user_errors
    async def update_activity_type(
        self, info: Info, input: Annotated[UpdateActivityTypeInput, about("The change.")]
    ) -> ActivityTypePayload:
        row = await catalog.update_activity_type(
            info.context.actor,
            ids.decode(input.id, "ActivityType"),
            expected_version=input.expected_version,
            name=given(input.name),
            is_touch=unless_null(input.is_touch),
            now=info.context.now,
        )
        return ActivityTypePayload(activity_type=shown(row))

    @strawberry.mutation(description="Offer a type of activities no more; activities keep it.")
    @reports_user_errors
    async def archive_activity_type(
        self, info: Info, input: Annotated[ArchiveActivityTypeInput, about("The type.")]
    ) -> ActivityTypePayload:
        row = await catalog.archive(
            info.context.actor,
            ActivityTypeRow,
            ids.decode(input.id, "ActivityType"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ActivityTypePayload(activity_type=shown(row))

    @strawberry.mutation(description="Offer an archived type of activities again.")
    @reports_user_errors
    async def restore_activity_type(
        self, info: Info, input: Annotated[RestoreActivityTypeInput, about("The type.")]
    ) -> ActivityTypePayload:
        row = await catalog.restore(
            info.context.actor, ActivityTypeRow, ids.decode(input.id, "ActivityType"), now=info.context.now
        )
        return ActivityTypePayload(activity_type=shown(row))


@strawberry.type
class CatalogMutations(SourceMutations, LostReasonMutations, TagMutations, ActivityTypeMutations):
    pass
