"""The whole schema, put together from its nouns."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, cast

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

import schema.enums  # noqa: F401  (declares the enums before a type uses them)
from schema import nodes
from schema.companies import CompanyQueries
from schema.context import Context, Info
from schema.errors import public
from schema.leads import LeadQueries
from schema.nodes import Node
from schema.scalars import SCALARS


@strawberry.type(description="What can be read.")
class Query(CompanyQueries, LeadQueries):
    @strawberry.field(description="The object with this id; null where it is missing or may not be seen.")
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]
    ) -> Node | None:
        return cast(Node | None, (await nodes.load([id], info))[0])

    @strawberry.field(description="The objects with these ids, in their order; null for what may not be seen.")
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="Their ids, at most 100.")],
    ) -> list[Node | None]:
        if len(ids) > nodes.MOST_NODES:
            raise GraphQLError(f"nodes takes at most {nodes.MOST_NODES} ids.", extensions={"code": "BAD_USER_INPUT"})
        return cast(list[Node | None], await nodes.load(ids, info))


class Schema(strawberry.Schema):
    """Strawberry's schema with a context of its own for every operation, and errors as clients may see them."""

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        return await super().execute(*args, **_own_context(kwargs))

    async def subscribe(self, *args: Any, **kwargs: Any) -> Any:
        return await super().subscribe(*args, **_own_context(kwargs))

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        return await super().stream(*args, **_own_context(kwargs))

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        context = execution_context.context if execution_context else None
        request_id = context.request_id if isinstance(context, Context) else ""
        errors[:] = [public(error, request_id=request_id) for error in errors]


def _own_context(kwargs: dict[str, Any]) -> dict[str, Any]:
    context = kwargs.get("context_value")
    return kwargs | {"context_value": context.fresh()} if isinstance(context, Context) else kwargs


graphql_schema = Schema(query=Query, config=StrawberryConfig(scalar_map=SCALARS))
