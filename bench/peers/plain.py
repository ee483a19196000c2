"""Plain Strawberry over Tortoise, as their documentation teaches: types, resolvers, a data loader for each relation.

It reads Salescycle's tables through Salescycle's models and answers the same documents. There is no sign-in, no
visibility, no limit and no log, and nothing is tuned.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, TypeVar
from uuid import UUID

import strawberry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from tortoise.models import Model
from tortoise.transactions import in_transaction

from models import database
from models.companies import Company as CompanyRow
from models.events import Event as EventRow
from models.leads import Lead as LeadRow
from models.needs import Need as NeedRow
from models.stages import Stage as StageRow
from models.users import User as UserRow

WORKSPACE = UUID(os.environ["PEER_WORKSPACE"])

T = TypeVar("T")
Info = strawberry.Info[dict[str, Any], None]


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Edge(Generic[T]):
    node: T
    cursor: str


@strawberry.type
class Connection(Generic[T]):
    edges: list[Edge[T]]
    page_info: PageInfo


@strawberry.type
class Money:
    amount: Decimal
    currency_code: str


@strawberry.type
class Stage:
    id: strawberry.ID
    name: str


@strawberry.type
class User:
    id: strawberry.ID
    name: str


@strawberry.type
class Company:
    id: strawberry.ID
    name: str


@strawberry.type
class Need:
    id: strawberry.ID
    title: str
    importance: int


@strawberry.type
class Lead:
    row: strawberry.Private[LeadRow]
    id: strawberry.ID
    title: str
    status: str
    score: int | None
    version: int
    created_at: datetime
    updated_at: datetime

    @strawberry.field
    def value(self) -> Money | None:
        return None if self.row.value is None else Money(amount=self.row.value, currency_code=self.row.currency)

    @strawberry.field
    async def stage(self, info: Info) -> Stage | None:
        row = await info.context["stages"].load(self.row.stage_id)
        return Stage(id=strawberry.ID(str(row.id)), name=row.name)

    @strawberry.field
    async def owner(self, info: Info) -> User | None:
        if self.row.owner_id is None:
            return None
        row = await info.context["users"].load(self.row.owner_id)
        return User(id=strawberry.ID(str(row.id)), name=row.name)

    @strawberry.field
    async def company(self, info: Info) -> Company | None:
        if self.row.company_id is None:
            return None
        row = await info.context["companies"].load(self.row.company_id)
        return Company(id=strawberry.ID(str(row.id)), name=row.name)

    @strawberry.field
    async def needs(self, info: Info, first: int = 20) -> Connection[Need]:
        rows = await info.context["needs"].load(self.row.id)
        nodes = [Need(id=strawberry.ID(str(row.id)), title=row.title, importance=row.importance) for row in rows]
        return connection(nodes, first)  # type: ignore[no-any-return]


@strawberry.enum
class LeadOrderField(Enum):
    CREATED_AT = "created_at"


@strawberry.enum
class Direction(Enum):
    ASC = ""
    DESC = "-"


@strawberry.input
class LeadOrder:
    field: LeadOrderField
    direction: Direction = Direction.ASC


@strawberry.input
class UpdateLeadInput:
    id: strawberry.ID
    expected_version: int | None = None
    title: str | None = None


@strawberry.type
class UserError:
    code: str
    message: str


@strawberry.type
class LeadPayload:
    lead: Lead | None
    user_errors: list[UserError]


def shown(row: LeadRow) -> Lead:
    return Lead(
        row=row,
        id=strawberry.ID(str(row.id)),
        title=row.title,
        status=row.status.value,
        score=row.score,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def connection(nodes: list[Any], first: int) -> Any:
    edges: list[Any] = [Edge(node=node, cursor=node.id) for node in nodes[:first]]
    info = PageInfo(has_next_page=len(nodes) > first, end_cursor=edges[-1].cursor if edges else None)
    return Connection(edges=edges, page_info=info)


@strawberry.type
class Query:
    @strawberry.field
    async def leads(self, first: int = 20, order_by: list[LeadOrder] | None = None) -> Connection[Lead]:
        orders = [f"{order.direction.value}{order.field.value}" for order in order_by or ()]
        found = LeadRow.filter(workspace_id=WORKSPACE, deleted_at=None).order_by(*orders, "-id").limit(first + 1)
        return connection([shown(row) for row in await found], first)  # type: ignore[no-any-return]

    @strawberry.field
    async def lead(self, id: strawberry.ID) -> Lead | None:
        row = await LeadRow.get_or_none(id=UUID(id), workspace_id=WORKSPACE, deleted_at=None)
        return shown(row) if row else None


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def update_lead(self, input: UpdateLeadInput) -> LeadPayload:
        async with in_transaction():
            row = await LeadRow.filter(workspace_id=WORKSPACE, deleted_at=None).select_for_update().get(id=input.id)
            if input.expected_version not in (None, row.version):
                return LeadPayload(lead=None, user_errors=[UserError(code="STALE", message="Somebody has changed it.")])
            was, now = row.title, datetime.now(UTC)
            row.title, row.version, row.updated_at = input.title or was, row.version + 1, now
            await row.save(update_fields=["title", "version", "updated_at"])
            await EventRow.create(
                workspace_id=WORKSPACE,
                name="lead.updated",
                subject_type="lead",
                subject_id=row.id,
                actor={"kind": "USER"},
                data={"version": row.version, "changes": {"title": [was, row.title]}},
                occurred_at=now,
            )
        return LeadPayload(lead=shown(row), user_errors=[])


def by_key(model: type[Model]) -> DataLoader[UUID, Any]:
    async def load(keys: list[UUID]) -> list[Any]:
        found = {row.pk: row for row in await model.filter(id__in=keys)}
        return [found.get(key) for key in keys]

    return DataLoader(load_fn=load)


async def load_needs(keys: list[UUID]) -> list[list[NeedRow]]:
    found: dict[UUID, list[NeedRow]] = {key: [] for key in keys}
    for row in await NeedRow.filter(lead_id__in=keys, deleted_at=None).order_by("-importance", "-id"):
        found[row.lead_id].append(row)
    return [found[key] for key in keys]


class View(GraphQL[dict[str, Any], None]):
    """Strawberry's own view, with loaders of their own for every request."""

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> dict[str, Any]:
        return {
            "request": request,
            "response": response,
            "stages": by_key(StageRow),
            "users": by_key(UserRow),
            "companies": by_key(CompanyRow),
            "needs": DataLoader(load_fn=load_needs),
        }


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    await database.open_database(os.environ["DATABASE_URL"])
    yield
    await database.close_database()


view = View(strawberry.Schema(query=Query, mutation=Mutation))
app = Starlette(routes=[Route("/graphql", view)], lifespan=lifespan)
