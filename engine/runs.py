"""One run of a plan: who asks, with which variables, and what resolvers are told of it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

from graphql import GraphQLResolveInfo
from graphql.execution.values import VariableValues
from graphql.pyutils import Path
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.types import Info

from domain.actors import Actor

if TYPE_CHECKING:
    from engine.plans import Plans


class Context(Protocol):
    """What an operation runs in, as the engine sees it."""

    cost: int

    @property
    def actor(self) -> Actor: ...

    @property
    def now(self) -> datetime: ...


class Run:
    """One run; `cost` is what the answer has come to so far."""

    __slots__ = ("context", "cost", "of", "root", "variables")

    def __init__(self, of: "Plans", context: Context, variables: VariableValues, root: Any) -> None:
        self.of = of
        self.context = context
        self.variables = variables
        self.root = root
        self.cost = 0

    @property
    def actor(self) -> Actor:
        return self.context.actor

    def info(self, parent: Any, definition: Any, nodes: Any, key: str) -> Any:
        """Return what a resolver is given: all but the helpers of graphql-core's executor, which none asks for."""
        of, made = self.of, cast(Any, GraphQLResolveInfo)
        raw = made(
            nodes[0].name.value,
            nodes,
            definition.type,
            parent,
            Path(None, key, parent.name),
            of.schema,
            of.fragments,
            self.root,
            of.operation,
            self.variables.coerced,
            self.context,
            optimized_is_awaitable,
            None,
            None,
        )
        return Info(_raw_info=raw, _field=definition.extensions["strawberry-definition"])
