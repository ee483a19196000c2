"""What happens, as it happens: the subscriptions, and the cursor from which they go on."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, cast
from uuid import UUID

import strawberry
from tortoise.models import Model

from domain import events, policy
from domain.actors import Actor
from domain.bulks import ENDED
from domain.errors import NotFound
from domain.policy import Action
from models.activities import Activity as ActivityRow
from models.attachments import Attachment as AttachmentRow
from models.bulks import Bulk as BulkRow
from models.conversations import Comment as CommentRow
from models.follow_ups import FollowUp as FollowUpRow
from models.imports import Import as ImportRow
from models.imports import ImportStatus
from models.leads import Lead as LeadRow
from models.leads import LeadStatus
from models.pipelines import Pipeline as PipelineRow
from schema import ids
from schema.bulks import Bulk
from schema.context import Context, Info
from schema.enums import described
from schema.events import Change, EventActor, event_actor, event_changes
from schema.fields import shown
from schema.filters import (
    DecimalFilter,
    EnumFilter,
    IDFilter,
    IntFilter,
    ListFilter,
    condition,
    junction,
    on,
    refuse,
    through,
)
from schema.imports import Import
from schema.live_cursors import cursor as live_cursor
from schema.live_cursors import read_cursor
from schema.live_watches import LeadWatch, PipelineWatch, Resync, ResyncReason, Step, Watch

if TYPE_CHECKING:
    from schema.activities import Activity
    from schema.attachments import Attachment
    from schema.comments import Comment
    from schema.follow_ups import FollowUp
    from schema.leads import Lead, OwnerTeamFilter

LOOKED_AFTER_SECONDS = 0.5
FAULTS_AWAITED = timedelta(seconds=10)

described(
    ResyncReason,
    "Why a live stream cannot go on without a gap.",
    LOG_TOO_SHORT="The log does not reach back to the cursor.",
    TOO_FAR_BEHIND="Too much has happened since the cursor: reading anew is faster.",
    TOO_SLOW="The client did not read as fast as things happened.",
    RANKS_REBALANCED="All leads of a stage got new ranks, in the same order.",
    VISIBILITY_CHANGED="The client sees other leads now: its role, its team or who is in it changed.",
)


async def cursor_now(context: Context, position: int | None = None) -> str:
    """Return the cursor of a position in the log, or of where it stands, for whoever asks."""
    actor = context.actor
    reached = await events.head(actor.workspace_id) if position is None else position
    return live_cursor(actor.workspace_id, reached, policy.scope(actor, LeadRow))


# The roots of these types are the hub's messages: an event, what it is to the watcher, and the way to the lead.
def is_step(step: Step) -> Any:
    return classmethod(lambda cls, obj, info: isinstance(obj, cls) or getattr(obj, "step", None) is step)


@strawberry.interface(
    description="Something that happened to a lead. It may come twice: drop an eventId that you have."
)
class LeadEvent:
    @strawberry.field(description="Where it stands in the log: pass it as `after` to go on from here.")
    def cursor(self) -> str:
        message: Any = self
        return message.cursor  # type: ignore[no-any-return]

    @strawberry.field(description="The event's id.")
    def event_id(self) -> strawberry.ID:
        message: Any = self
        return ids.encode("Event", message.event.id)

    @strawberry.field(description="When it happened.")
    def occurred_at(self) -> datetime:
        message: Any = self
        return message.event.occurred_at  # type: ignore[no-any-return]

    @strawberry.field(description="Who did it.")
    def actor(self) -> EventActor:
        message: Any = self
        return event_actor(message.event.actor)

    @strawberry.field(description="What the client that caused it sent along.")
    def client_mutation_id(self) -> str | None:
        message: Any = self
        return message.event.client_mutation_id  # type: ignore[no-any-return]

    @strawberry.field(description="The lead's id.")
    def lead_id(self) -> strawberry.ID:
        message: Any = self
        return ids.encode("Lead", message.event.subject_id)


@strawberry.interface(description="Something that happened to a lead that the watcher may see.")
class SeenLeadEvent(LeadEvent):
    @strawberry.field(description="The lead as it is now; null where it has gone out of sight since.")
    async def lead(self) -> Annotated["Lead", strawberry.lazy("schema.leads")] | None:
        message: Any = self
        return shown(await message.lead())  # type: ignore[no-any-return]

    @strawberry.field(description="What changed.")
    def changes(self) -> list[Change]:
        message: Any = self
        return event_changes(message.event.data)


@strawberry.type(
    description="A lead that is watched from now on: captured, restored, reopened, or changed so as to pass."
)
class LeadEntered(SeenLeadEvent):
    is_type_of = is_step(Step.ENTERED)


@strawberry.type(description="A lead that went to another stage or another place in its stage.")
class LeadMoved(SeenLeadEvent):
    is_type_of = is_step(Step.MOVED)


def _hanging_id(message: Any, name: str) -> UUID | None:
    value = message.event.data.get(name)
    return UUID(value) if value else None


def hanging(model: type[Model], description: str, *, by: str) -> Any:
    """Declare what hangs on the lead and the event tells of, by its key in the event's facts."""

    async def resolve(root: Any, info: Info) -> Any:
        return await info.context.row(model, _hanging_id(root, by))

    return strawberry.field(resolver=resolve, description=description)


def hanging_key(noun: str, description: str, *, by: str) -> Any:
    """Declare the id of what hangs on the lead, which tells of it where it is gone."""

    def resolve(root: Any) -> Any:
        key = _hanging_id(root, by)
        return key and ids.encode(noun, key)

    return strawberry.field(resolver=resolve, description=description)


@strawberry.type(
    description="A lead that changed in another way than by moving, or what hangs on it, which only leadEvents tells."
)
class LeadChanged(SeenLeadEvent):
    is_type_of = is_step(Step.CHANGED)

    activity_id: strawberry.ID | None = hanging_key(
        "Activity", "The activity that was logged, changed, deleted or restored, if one was.", by="activity_id"
    )
    activity: Annotated["Activity", strawberry.lazy("schema.activities")] | None = hanging(
        ActivityRow, "That activity as it is now; null where it is deleted or may not be seen.", by="activity_id"
    )
    comment_id: strawberry.ID | None = hanging_key(
        "Comment", "The comment that was written, changed, deleted or restored, if one was.", by="comment_id"
    )
    comment: Annotated["Comment", strawberry.lazy("schema.comments")] | None = hanging(
        CommentRow, "That comment as it is now; null where it is deleted or may not be seen.", by="comment_id"
    )
    attachment_id: strawberry.ID | None = hanging_key(
        "Attachment", "The file that was attached, removed or restored, if one was.", by="attachment_id"
    )
    attachment: Annotated["Attachment", strawberry.lazy("schema.attachments")] | None = hanging(
        AttachmentRow, "That file as it is now; null where it is removed or may not be seen.", by="attachment_id"
    )
    follow_up_id: strawberry.ID | None = hanging_key(
        "FollowUp", "The follow-up that was planned, changed, ended, snoozed or opened again.", by="follow_up_id"
    )
    follow_up: Annotated["FollowUp", strawberry.lazy("schema.follow_ups")] | None = hanging(
        FollowUpRow, "That follow-up as it is now; null where it may not be seen.", by="follow_up_id"
    )


@strawberry.type(description="A lead that no longer passes the filter, left the board, or may no longer be seen.")
class LeadLeft(LeadEvent):
    is_type_of = is_step(Step.LEFT)


@strawberry.type(
    description="The stream cannot go on without a gap and ends: read the board again and subscribe after its cursor."
)
class ResyncRequired:
    reason: ResyncReason = strawberry.field(description="Why.")

    is_type_of = classmethod(lambda cls, obj, info: isinstance(obj, Resync | cls))


PipelineMessage = Annotated[
    LeadEntered | LeadMoved | LeadChanged | LeadLeft | ResyncRequired,
    strawberry.union("PipelineMessage", description="What a live stream of leads says."),
]


@strawberry.input(description="Which tags.")
class LiveTagFilter:
    id: IDFilter | None = on("By id.", "id", noun="Tag")


@strawberry.input(
    description="Which leads of a live board. Give the same as to the board, in the fields that both filters have."
)
class LiveLeadFilter:
    stage: IDFilter | None = on("By stage.", "stage_id", noun="Stage")
    owner: IDFilter | None = on("By owner.", "owner_id", noun="User")
    team: Annotated["OwnerTeamFilter", strawberry.lazy("schema.leads")] | None = through(
        "By the owner's team.", "membership"
    )
    status: EnumFilter[LeadStatus] | None = on(
        "By status; without it, those on the board: open ones, and the wins of the workspace's last days.", "status"
    )
    value: DecimalFilter | None = on("By the amount of the value, whatever its currency.", "value")
    score: IntFilter | None = on("By score.", "score")
    tags: ListFilter[LiveTagFilter] | None = through("By its tags.", "tags")
    and_: "list[LiveLeadFilter] | None" = junction("and", "All of these pass.")
    or_: "list[LiveLeadFilter] | None" = junction("or", "Any of these passes.")
    not_: "LiveLeadFilter | None" = junction("not", "This does not pass.")


AfterCursor = Annotated[
    str | None,
    strawberry.argument(
        description="The cursor after which to go on: of Pipeline, of Query, or of the last event received. "
        "Without it, what happens from now on."
    ),
]


@strawberry.type
class LiveQueries:
    @strawberry.field(
        description="Where the event log stands, read in the same snapshot as everything else in this query; "
        "pass it to a subscription as `after`, and nothing is missed."
    )
    async def cursor(self, info: Info) -> str:
        return await cursor_now(info.context)


@strawberry.type
class LiveSubscriptions:
    @strawberry.subscription(
        description="What happens to the leads on a pipeline's board, in the order in which it happened."
    )
    async def pipeline_events(
        self,
        info: Info,
        pipeline_id: Annotated[strawberry.ID, strawberry.argument(description="The pipeline.")],
        filter: Annotated[LiveLeadFilter | None, strawberry.argument(description="Only leads that pass.")] = None,
        after: AfterCursor = None,
    ) -> AsyncGenerator[PipelineMessage, None]:
        key = ids.decode(pipeline_id, "Pipeline", field="pipelineId")
        if await info.context.row(PipelineRow, key) is None:
            raise NotFound(noun="pipeline", field="pipelineId")
        return watching(info.context, PipelineWatch(key, condition(filter)), after)

    @strawberry.subscription(description="What happens to one lead, wherever it goes.")
    async def lead_events(
        self,
        info: Info,
        lead_id: Annotated[strawberry.ID, strawberry.argument(description="The lead.")],
        after: AfterCursor = None,
    ) -> AsyncGenerator[PipelineMessage, None]:
        key = ids.decode(lead_id, "Lead", field="leadId")
        if after is None and await info.context.row(LeadRow, key) is None:
            raise NotFound(noun="lead", field="leadId")
        return watching(info.context, LeadWatch(key), after)

    @strawberry.subscription(description="How an import gets on: its state now and whenever it changes, until it ends.")
    async def import_progress(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The import.")]
    ) -> AsyncGenerator[Import, None]:
        key = ids.decode(id, "Import")
        policy.require(info.context.actor, Action.IMPORT)
        if not await policy.visible(info.context.actor, ImportRow).filter(id=key).exists():
            raise NotFound(noun="import", field="id")
        return _progress(info.context, key)

    @strawberry.subscription(
        description="How work on many leads gets on: its state now and whenever it changes, until it ends."
    )
    async def bulk_progress(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The work.")]
    ) -> AsyncGenerator[Bulk, None]:
        key = ids.decode(id, "Bulk")
        if not await policy.visible(info.context.actor, BulkRow).filter(id=key).exists():
            raise NotFound(noun="bulk", field="id")
        return _bulk_progress(info.context, key)


def watching(
    context: Context, watch: Watch, after: str | None, *, by: Actor | None = None
) -> AsyncGenerator[Any, None]:
    """Return the hub's answer as it is, which is no generator: whoever fans it out looks at what it is.

    `by` is a customer's link that may watch this, who is no actor for anything else.
    """
    if context.live is None:
        raise refuse("Live events are not offered here.")
    begin = later(after, context.resume_after)
    watching: Any = context.live.watch(by or context.actor, watch, after=begin, renew=context.renew)
    return cast(AsyncGenerator[Any, None], watching)


def later(*given: str | None) -> str | None:
    """Return the one of these cursors that stands last in the log; one that is none is a client error."""
    try:
        return max((one for one in given if one is not None), key=lambda one: read_cursor(one)[0], default=None)
    except ValueError as error:
        raise refuse("after is no cursor of the event log.") from error


def _awaits_faults(row: ImportRow) -> bool:
    """Say whether the file of an ended import's faults is still being written; where nobody does so, not for long."""
    if row.faults_file_id or not row.skipped_rows or row.finished_at is None:
        return False
    return row.finished_at + FAULTS_AWAITED > datetime.now(UTC)


async def _progress(context: Context, key: UUID) -> AsyncGenerator[Any, None]:
    """Yield an import whenever it has changed, until it has ended and its faults can be fetched.

    A chunk takes longer than this looks away.
    What was loaded for one answer, such as its faults, is not what the next one shows.
    """
    told: tuple[Any, ...] = ()
    while True:
        actor = await context.renew() if context.renew else context.actor
        row = await policy.visible(actor, ImportRow).get_or_none(id=key)
        if row is None:
            return
        state = row.status, row.next_row, row.skipped_rows, row.total_rows, row.faults_file_id
        if state != told:
            told = state
            context.loaders.clear()
            yield row
        if row.status in (ImportStatus.COMPLETED, ImportStatus.FAILED) and not _awaits_faults(row):
            return
        await asyncio.sleep(LOOKED_AFTER_SECONDS)


async def _bulk_progress(context: Context, key: UUID) -> AsyncGenerator[Any, None]:
    """Yield work on many leads whenever it has changed, until it has ended."""
    told: tuple[Any, ...] = ()
    while True:
        actor = await context.renew() if context.renew else context.actor
        row = await policy.visible(actor, BulkRow).get_or_none(id=key)
        if row is None:
            return
        if (row.status, row.done) != told:
            told = row.status, row.done
            context.loaders.clear()
            yield row
        if row.status in ENDED:
            return
        await asyncio.sleep(LOOKED_AFTER_SECONDS)
