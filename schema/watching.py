"""Watching leads, in the schema."""

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain import watching
from engine.pages import Order
from models.users import User as UserRow
from schema import ids
from schema.connections import connection
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import batch, shown
from schema.inputs import about

if TYPE_CHECKING:
    from schema.leads import Lead


async def _watched(leads: list[Any], info: Info) -> list[bool]:
    watches = await watching.watched(info.context.actor, [lead.id for lead in leads])
    return [lead.id in watches for lead in leads]


def watchers_of_lead() -> Any:
    """Declare those who watch a lead."""
    return connection(
        "User",
        "schema.users",
        model=UserRow,
        through=("lead_watcher", "lead_id", "user_id"),
        default=(Order("name"),),
        plain=True,
        description="Who is told of what happens to it beside its owner: at most 500, by name.",
    )


def viewer_watches() -> Any:
    """Declare whether the viewer watches a lead."""
    return batch(_watched, "Whether the viewer watches it.")


@strawberry.input(description="A lead to watch.")
class WatchLeadInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")


@strawberry.input(description="A lead to watch no more.")
class UnwatchLeadInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")


@strawberry.type(description="A lead that is watched, or is so no more.")
class WatchLeadPayload(Payload):
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = strawberry.field(
        default=None, description="The lead; null on errors."
    )


@strawberry.type
class WatchMutations:
    @strawberry.mutation(
        description="Be told of comments on a lead, and of its moves and its end; who watches it already goes on."
    )
    @reports_user_errors
    async def watch_lead(self, info: Info, input: Annotated[WatchLeadInput, about("The lead.")]) -> WatchLeadPayload:
        key = ids.decode(input.lead_id, "Lead", field="leadId")
        return WatchLeadPayload(lead=shown(await watching.watch(info.context.actor, key, now=info.context.now)))

    @strawberry.mutation(description="Watch a lead no more, until one comments on it or is mentioned there again.")
    @reports_user_errors
    async def unwatch_lead(
        self, info: Info, input: Annotated[UnwatchLeadInput, about("The lead.")]
    ) -> WatchLeadPayload:
        key = ids.decode(input.lead_id, "Lead", field="leadId")
        return WatchLeadPayload(lead=shown(await watching.unwatch(info.context.actor, key, now=info.context.now)))
