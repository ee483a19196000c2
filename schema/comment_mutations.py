"""What can be done with comments, in the schema: translate in, translate out."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar
from uuid import UUID

import strawberry

from domain import comments
from domain.unset import UNSET
from schema import ids
from schema.comments import Comment
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import given, optional, shown
from schema.inputs import about, expected_version, own_id
from schema.subjects import subject


@strawberry.input(description="A comment to write.")
class AddCommentInput(MutationInput):
    id: strawberry.ID | None = own_id()
    subject_id: strawberry.ID = strawberry.field(description="The lead, company or contact that it is about.")
    text: str = strawberry.field(description="What to say, at most 20,000 characters; kept as it is given.")
    mention_ids: list[strawberry.ID] | None = optional(
        "Whom it mentions, at most 50: active members who may see what it is about. They are told."
    )


@strawberry.input(description="A change of a comment; what is left out stays as it is.")
class UpdateCommentInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The comment, one's own.")
    text: str | None = optional("What to say, at most 20,000 characters.")
    mention_ids: list[strawberry.ID] | None = optional(
        "All whom it mentions, at most 50; null is nobody. Only who is new among them is told."
    )
    expected_version: int | None = expected_version()


@strawberry.input(description="A comment to delete.")
class DeleteCommentInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The comment.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A deleted comment to bring back.")
class RestoreCommentInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The comment.")


@strawberry.type(description="A comment after a mutation.")
class CommentPayload(Payload):
    stale_field: ClassVar[str] = "comment"
    comment: Comment | None = strawberry.field(
        default=None, description="The comment; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A deleted comment.")
class DeleteCommentPayload(CommentPayload):
    deleted_comment_id: strawberry.ID | None = strawberry.field(default=None, description="The id of what is gone.")


def _mentions(value: Any) -> Sequence[UUID]:
    """Return whom an input names; nobody where it is null or left out."""
    return ids.decode_all(value, "User", field="mentionIds")


@strawberry.type
class CommentMutations:
    @strawberry.mutation(
        description="Comment on a lead, a company or a contact. Who comments on a lead watches it from then on."
    )
    @reports_user_errors
    async def add_comment(self, info: Info, input: Annotated[AddCommentInput, about("The comment.")]) -> CommentPayload:
        row = await comments.add(
            info.context.actor,
            subject(input.subject_id),
            text=input.text,
            mention_ids=_mentions(input.mention_ids),
            id=ids.decode_new(input.id, "Comment"),
            now=info.context.now,
        )
        return CommentPayload(comment=shown(row))

    @strawberry.mutation(description="Change one's own comment.")
    @reports_user_errors
    async def update_comment(
        self, info: Info, input: Annotated[UpdateCommentInput, about("The change.")]
    ) -> CommentPayload:
        row = await comments.update(
            info.context.actor,
            ids.decode(input.id, "Comment"),
            text=given(input.text),
            mention_ids=UNSET if input.mention_ids is strawberry.UNSET else _mentions(input.mention_ids),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return CommentPayload(comment=shown(row))

    @strawberry.mutation(description="Delete a comment: one's own or, as a manager, anybody's.")
    @reports_user_errors
    async def delete_comment(
        self, info: Info, input: Annotated[DeleteCommentInput, about("The comment.")]
    ) -> DeleteCommentPayload:
        row = await comments.delete(
            info.context.actor,
            ids.decode(input.id, "Comment"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return DeleteCommentPayload(deleted_comment_id=ids.encode("Comment", row.id))

    @strawberry.mutation(
        description="Bring a deleted comment back; what a manager has deleted, only a manager brings back."
    )
    @reports_user_errors
    async def restore_comment(
        self, info: Info, input: Annotated[RestoreCommentInput, about("The comment.")]
    ) -> CommentPayload:
        row = await comments.restore(info.context.actor, ids.decode(input.id, "Comment"), now=info.context.now)
        return CommentPayload(comment=shown(row))
