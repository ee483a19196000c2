"""A small schema to try the door with: it waits, fails, counts and pages as a test wants it to."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import strawberry

from domain.errors import RateLimited
from models.catalog import Tag
from models.database import transaction
from schema import ids
from schema.context import Info
from schema.errors import MutationInput
from schema.execution import Schema

gates: dict[str, asyncio.Event] = {}
begun: dict[str, asyncio.Event] = {}
ended: list[str] = []


def gate(name: str) -> asyncio.Event:
    """Return the event that a resolver of this name waits for; `begun` has the one that says it does."""
    gates[name], begun[name] = asyncio.Event(), asyncio.Event()
    return gates[name]


async def wait_at(name: str | None) -> None:
    if name:
        begun[name].set()
        try:
            await gates[name].wait()
        finally:
            ended.append(name)


@strawberry.type
class PageInfo:
    has_next_page: bool = False


@strawberry.type
class ThingEdge:
    cursor: str = "c"

    @strawberry.field
    def node(self) -> "Thing":
        return Thing()


@strawberry.type
class ThingConnection:
    total_count: int = 0

    @strawberry.field
    def nodes(self) -> list["Thing"]:
        return [Thing()]

    @strawberry.field
    def edges(self) -> list[ThingEdge]:
        return [ThingEdge()]

    @strawberry.field
    def page_info(self) -> PageInfo:
        return PageInfo()


@strawberry.type
class Thing:
    name: str = "thing"

    @strawberry.field
    def other(self) -> "Thing":
        return Thing()

    @strawberry.field
    def parts(self) -> list["Thing"]:
        return [Thing()]

    @strawberry.field
    def things(self, first: int | None = None, last: int | None = None) -> ThingConnection:
        return ThingConnection()


@strawberry.type
class Query:
    @strawberry.field
    def cursor(self) -> str:
        return "0"

    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"hello {name}"

    @strawberry.field
    def thing(self) -> Thing:
        return Thing()

    @strawberry.field
    def things(self, first: int | None = None, last: int | None = None) -> ThingConnection:
        return ThingConnection()

    @strawberry.field
    def nodes(self, ids: list[strawberry.ID]) -> list[Thing]:
        return [Thing() for _ in ids]

    @strawberry.field
    def fails(self) -> str | None:
        raise ValueError("the password of the database is hunter2")

    @strawberry.field
    def limited(self) -> str | None:
        raise RateLimited(seconds=7)

    @strawberry.field
    def huge(self) -> strawberry.scalars.JSON:
        return strawberry.scalars.JSON({"n": 2**70})

    @strawberry.field
    def me(self, info: Info) -> str | None:
        return str(info.context.actor.user_id)

    @strawberry.field
    def key_of(self, info: Info) -> str:
        return info.context.request_id

    @strawberry.field
    async def waits(self, at: str) -> str | None:
        await wait_at(at)
        return at

    @strawberry.field
    async def tags(self, info: Info, after: str | None = None, tell: str | None = None) -> list[str]:
        await wait_at(after)
        rows = await Tag.filter(workspace_id=info.context.actor.workspace_id).order_by("name")
        if tell:
            begun[tell].set()
        return [row.name for row in rows]

    @strawberry.field
    async def tag(self, info: Info, id: strawberry.ID, after: str | None = None) -> str | None:
        await wait_at(after)

        async def load(keys: list[UUID]) -> list[Any]:
            found = {row.id: row.name for row in await Tag.filter(id__in=keys)}
            return [found.get(key) for key in keys]

        name: str | None = await info.context.loader("tag", load).load(ids.decode(id, "Tag"))
        return name


@strawberry.input
class AddTagInput(MutationInput):
    name: str = "tag"
    wait_at: str | None = None
    fail: bool = False


@strawberry.type
class AddTagPayload:
    count: int
    id: strawberry.ID

    @strawberry.field
    def query(self) -> Query:
        return Query()


async def add(info: Info, input: AddTagInput) -> AddTagPayload | None:
    actor = info.context.actor
    async with transaction():
        row = await Tag.create(
            workspace_id=actor.workspace_id,
            name=input.name,
            created_at=info.context.now,
            updated_at=info.context.now,
        )
    await wait_at(input.wait_at)
    if input.fail:
        raise ValueError("no")
    count = await Tag.filter(workspace_id=actor.workspace_id).count()
    return AddTagPayload(count=count, id=ids.encode("Tag", row.id))


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def add_tag(self, info: Info, input: AddTagInput) -> AddTagPayload | None:
        return await add(info, input)

    @strawberry.mutation
    async def sign_in(self, info: Info, input: AddTagInput) -> AddTagPayload | None:
        return await add(info, input)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, count: Annotated[int, strawberry.argument(description="How many.")]) -> int:  # type: ignore[misc]
        for tick in range(count):
            yield tick

    @strawberry.subscription
    async def waits(self, at: str) -> str:  # type: ignore[misc]
        await wait_at(at)
        yield at


door = Schema(query=Query, mutation=Mutation, subscription=Subscription)
