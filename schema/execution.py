"""What surrounds every operation, through whichever door it came: limits, time, snapshot, idempotency, masks."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import lru_cache
from typing import Any

import strawberry
import structlog
from graphql import GraphQLError, GraphQLSchema, OperationType, parse
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import DEFAULT_ALLOWED_OPERATION_TYPES
from strawberry.types import ExecutionContext

from domain.errors import DomainError
from engine.executor import PlanningExecutor
from schema import idempotency
from schema.context import Context, Throttle
from schema.documents import Documents, Operation, Refused
from schema.errors import public
from schema.snapshot import snapshot
from settings import Settings, settings

log = structlog.get_logger()
# Stands where the document of a refused operation would.
NOTHING = parse("{__typename}")


@lru_cache(maxsize=8)
def documents(schema: GraphQLSchema) -> Documents:
    """Return this process's documents."""
    return Documents(schema, settings())


class Execution(SchemaExtension):
    """Strawberry's hooks around one operation."""

    operation: Operation | None = None
    cost: int | None = None
    throttle: Throttle | None = None
    errors: list[GraphQLError]

    def on_parse(self) -> Iterator[None]:
        # Strawberry lets errors of this hook escape from streams, so they wait for validation.
        try:
            self._prepare()
        except GraphQLError as error:
            self._refuse([error])
        except Refused as refused:
            self._refuse(refused.errors)
        yield

    def on_validate(self) -> Iterator[None]:
        self.execution_context.pre_execution_errors = self.errors
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        operation = self.operation
        if operation is None:
            yield
            return
        self.throttle = await self._spend()
        if operation.type is OperationType.SUBSCRIPTION:
            yield
            return
        mutation = operation.type is OperationType.MUTATION
        seconds = settings().mutation_timeout if mutation else settings().query_timeout
        async with _failing_in_public(self._context()), _within(seconds), AsyncExitStack() as stack:
            if operation.cost.snapshot and not mutation:
                await stack.enter_async_context(snapshot())
            if mutation and (key := self._key(operation)):
                told = self.get_results()
                once = idempotency.once(key, self.execution_context, self._context(), extensions=told)
                await stack.enter_async_context(once)
            yield

    def get_results(self) -> dict[str, Any]:
        if self.cost is None or self.operation is None or self.operation.type is OperationType.SUBSCRIPTION:
            return {}
        if self.execution_context.extensions_results:
            return {}
        told: dict[str, Any] = {"requested": self.cost, "maximum": settings().max_cost}
        if self.throttle:
            told["throttle"] = {
                "maximum": self.throttle.maximum,
                "available": self.throttle.available,
                "restoreRate": self.throttle.restore_rate,
            }
        return {"cost": told}

    async def _spend(self) -> Throttle | None:
        return None if self.cost is None else await spend(self._context(), self.cost)

    def _prepare(self) -> None:
        execution, self.errors = self.execution_context, []
        most = max_tokens(self._context())
        prepared = documents(execution.schema._schema).prepare(execution.query or "", max_tokens=most)
        self.operation = prepared.operation(execution._provided_operation_name)
        self.cost = self.operation.cost.of(execution.variables)
        if error := too_costly(self.cost, settings()):
            raise error
        execution.graphql_document = prepared.document
        context = self._context()
        context.plans = self.operation.plans if context.engine else None

    def _refuse(self, errors: list[GraphQLError]) -> None:
        execution, self.errors = self.execution_context, errors
        execution.graphql_document = NOTHING
        execution.allowed_operations = DEFAULT_ALLOWED_OPERATION_TYPES
        execution._provided_operation_name = None

    def _context(self) -> Context:
        context = self.execution_context.context
        return context if isinstance(context, Context) else Context()

    def _key(self, operation: Operation) -> str | None:
        context = self._context()
        if context.identity is None:
            return None
        return idempotency.key_of(operation, self.execution_context.variables, context.idempotency_key)


async def spend(context: Context, cost: int) -> Throttle | None:
    """Take a cost from the budget of whoever asks and say how it stands; raises RateLimited."""
    if context.budget is None:
        return None
    who = context.identity.name if context.identity else f"address:{context.address}"
    return await context.budget.spend(who, cost)


class Schema(strawberry.Schema):
    """Strawberry's schema with a context of its own for every operation, and errors as clients may see them."""

    def __init__(self, *, extensions: Iterable[type[SchemaExtension]] = (), **parts: Any) -> None:
        super().__init__(extensions=(Execution, *extensions), execution_context_class=PlanningExecutor, **parts)

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        own = _own_context(kwargs)
        result = await super().execute(*args, **own)
        given, used = kwargs.get("context_value"), own.get("context_value")
        if isinstance(given, Context) and isinstance(used, Context):
            given.compiled, given.why_not = used.compiled, used.why_not
        return result

    async def subscribe(self, *args: Any, **kwargs: Any) -> Any:
        return await super().subscribe(*args, **_own_context(kwargs))

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        return await super().stream(*args, **_own_context(kwargs))

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        context = execution_context.context if execution_context else None
        request_id = context.request_id if isinstance(context, Context) else ""
        errors[:] = [public(error, request_id=request_id) for error in errors]


def too_costly(cost: int, settings: Settings) -> GraphQLError | None:
    """Return the error for a cost beyond the limit."""
    if cost <= settings.max_cost:
        return None
    return GraphQLError(
        f"The operation costs {cost}; at most {settings.max_cost} is allowed. Ask for smaller pages.",
        extensions={"code": "COST_EXCEEDED", "requested": cost, "maximum": settings.max_cost},
    )


def cost_of(schema: Schema, text: str, name: str | None, variables: dict[str, Any] | None, context: Context) -> int:
    """Return what an operation costs; nothing where it will be refused."""
    try:
        prepared = documents(schema._schema).prepare(text, max_tokens=max_tokens(context))
        return prepared.operation(name).cost.of(variables)
    except (Refused, GraphQLError):
        return 0


def operation_type_of(schema: strawberry.Schema, text: str, name: str | None, context: Context) -> OperationType | None:
    """Return what kind of operation is asked for; None where it will be refused."""
    try:
        return documents(schema._schema).prepare(text, max_tokens=max_tokens(context)).operation(name).type
    except (Refused, GraphQLError):
        return None


def max_tokens(context: Context) -> int:
    return settings().max_tokens_anonymous if context.identity is None else settings().max_tokens


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    """End the block after so many seconds; whatever it breaks with then is because of that."""
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            yield
    except Exception:
        if not deadline.expired():
            raise
        message = f"The operation took longer than {seconds:g} seconds and was ended."
        raise GraphQLError(message, extensions={"code": "TIMEOUT"}) from None


@asynccontextmanager
async def _failing_in_public(context: Context) -> AsyncIterator[None]:
    """Let errors out as clients may see them; they come from outside any field, so nobody else masks them."""
    try:
        yield
    except (GraphQLError, DomainError):
        raise
    except Exception as error:
        log.error("operation failed", request_id=context.request_id, exc_info=error)
        raise GraphQLError(
            f"Something went wrong on our side; report {context.request_id}.",
            extensions={"code": "INTERNAL", "requestId": context.request_id},
        ) from error


def _own_context(kwargs: dict[str, Any]) -> dict[str, Any]:
    context = kwargs.get("context_value")
    return kwargs | {"context_value": context.fresh()} if isinstance(context, Context) else kwargs
