"""What surrounds every operation, through whichever door it came: limits, time, snapshot, idempotency, masks."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import strawberry
import structlog
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationType
from graphql.execution.values import VariableValues
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionContext
from strawberry.types import ExecutionResult as StrawberryResult
from strawberry.types.graphql import OperationType as StrawberryOperation

from domain.actors import ActorKind
from domain.errors import DomainError
from engine.documents import Documents, Operation, Prepared, Refused
from engine.executor import PlanningExecutor, plain
from engine.executor import answer as answered
from schema import idempotency
from schema.context import Context, Throttle
from schema.deadlines import Deadline
from schema.errors import public
from schema.snapshot import snapshot
from settings import Settings, settings

log = structlog.get_logger()


@lru_cache(maxsize=8)
def documents(schema: GraphQLSchema) -> Documents:
    """Return this process's documents."""
    return Documents(schema, settings())


class Asked(NamedTuple):
    """An operation that may run, with what it costs."""

    text: str
    name: str | None
    variables: dict[str, Any]
    prepared: Prepared
    operation: Operation
    cost: int


@dataclass(slots=True)
class Answer:
    """What an operation came to; `refused` where it was not even begun."""

    data: dict[str, Any] | None = None
    errors: list[GraphQLError] = field(default_factory=list)
    extensions: dict[str, Any] = field(default_factory=dict)
    refused: bool = False


class Schema(strawberry.Schema):
    """Strawberry's schema, whose operations run as they do behind every door."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(execution_context_class=PlanningExecutor, **parts)

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[StrawberryOperation] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> Any:
        """Run an operation. Raises InvalidOperationTypeError for a type that is not allowed here."""
        given = context_value if isinstance(context_value, Context) else Context()
        context = given.fresh()
        try:
            asked = ask(self, query or "", operation_name, variable_values, context)
        except Refused as refused:
            return StrawberryResult(data=None, errors=[_public(error, context) for error in refused.errors])
        operation_type = StrawberryOperation(asked.operation.type.value)
        if allowed_operation_types is not None and operation_type not in allowed_operation_types:
            raise InvalidOperationTypeError(operation_type)
        answer = await run(asked, context, root=root_value)
        given.compiled, given.why_not = context.compiled, context.why_not
        data = plain(answer.data) if context.compiled else answer.data
        return StrawberryResult(data=data, errors=answer.errors or None, extensions=answer.extensions or None)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        context = execution_context.context if execution_context else None
        errors[:] = [_public(error, context if isinstance(context, Context) else Context()) for error in errors]


def ask(
    schema: strawberry.Schema, text: str, name: str | None, variables: dict[str, Any] | None, context: Context
) -> Asked:
    """Return an operation ready to run; raises Refused where it is none, or goes beyond a limit."""
    try:
        prepared = documents(schema._schema).prepare(text, max_tokens=_max_tokens(context))
        operation = prepared.operation(name)
        cost = operation.cost.of(variables)
        if error := too_costly(cost, settings()):
            raise error
    except GraphQLError as error:
        raise Refused([error]) from error
    return Asked(text, name, variables or {}, prepared, operation, cost)


async def run(asked: Asked, context: Context, *, root: Any = None) -> Answer:
    """Run a query or a mutation.

    What is wrong is in the answer, as clients may see it. The data has values that are written by `written` only.
    """
    answer = Answer()
    try:
        answer.extensions = _told(asked, await spend(context, asked.cost))
        variables = asked.operation.plans.variables(asked.variables)
        if isinstance(variables, list):
            raise Refused(variables)
        context.cost = 0
        result = await _executed(asked, variables, context, answer, root)
        answer.data, answer.errors = result.data, [_public(error, context) for error in result.errors or ()]
    except Refused as refused:
        answer.refused, answer.errors = True, [_public(error, context) for error in refused.errors]
    except GraphQLError as error:
        answer.refused, answer.errors = True, [_public(error, context)]
    except Exception as error:
        answer.refused, answer.errors = True, [_public(GraphQLError(str(error), original_error=error), context)]
    return answer


async def _executed(
    asked: Asked, variables: VariableValues, context: Context, answer: Answer, root: Any
) -> ExecutionResult:
    mutation = asked.operation.type is OperationType.MUTATION
    seconds = settings().mutation_timeout if mutation else settings().query_timeout
    deadline = Deadline(seconds)
    plans = asked.operation.plans
    try:
        with deadline:
            if mutation:
                return await _mutated(asked, variables, context, answer, root)
            if asked.operation.cost.snapshot:
                async with snapshot():
                    result = await answered(plans, context, variables, root)
            else:
                result = await answered(plans, context, variables, root)
            answer.extensions["cost"]["actual"] = context.cost
            return result
    except Exception as error:
        if deadline.expired:
            message = f"The operation took longer than {seconds:g} seconds and was ended."
            raise GraphQLError(message, extensions={"code": "TIMEOUT"}) from None
        if isinstance(error, GraphQLError | DomainError):
            raise
        # It comes from outside any field, so nobody else masks it.
        log.error("operation failed", request_id=context.request_id, exc_info=error)
        raise GraphQLError(
            f"Something went wrong on our side; report {context.request_id}.",
            extensions={"code": "INTERNAL", "requestId": context.request_id},
        ) from error


async def _mutated(
    asked: Asked, variables: VariableValues, context: Context, answer: Answer, root: Any
) -> ExecutionResult:
    async def execute() -> ExecutionResult:
        done = await answered(asked.operation.plans, context, variables, root)
        answer.extensions["cost"]["actual"] = context.cost
        return done

    key = _key(asked, context)
    if key is None:
        return await execute()
    request = [asked.text, asked.name, asked.variables]
    done = await idempotency.once(key, request, context, execute, extensions=answer.extensions)
    answer.extensions = done.extensions or {}
    return done


def executor_of(asked: Asked, context: Context, root: Any = None) -> PlanningExecutor | list[GraphQLError]:
    """Return what executes an operation, or what its variables lack."""
    variables = asked.operation.plans.variables(asked.variables)
    if isinstance(variables, list):
        return variables
    return PlanningExecutor.made(asked.operation.plans, context, variables, root)


def _key(asked: Asked, context: Context) -> str | None:
    if context.identity is None or context.identity.kind is ActorKind.LINK:
        return None
    return idempotency.key_of(asked.operation, asked.variables, context.idempotency_key)


def _told(asked: Asked, throttle: Throttle | None) -> dict[str, Any]:
    told: dict[str, Any] = {"requested": asked.cost, "maximum": settings().max_cost}
    if throttle:
        told["throttle"] = {
            "maximum": throttle.maximum,
            "available": throttle.available,
            "restoreRate": throttle.restore_rate,
        }
    return {"cost": told}


async def spend(context: Context, cost: int) -> Throttle | None:
    """Take a cost from the budget of whoever asks and say how it stands; raises RateLimited."""
    if context.budget is None:
        return None
    who = context.identity.name if context.identity else f"address:{context.address}"
    return await context.budget.spend(who, cost)


def too_costly(cost: int, settings: Settings) -> GraphQLError | None:
    """Return the error for a cost beyond the limit."""
    if cost <= settings.max_cost:
        return None
    return GraphQLError(
        f"The operation costs {cost}; at most {settings.max_cost} is allowed. Ask for smaller pages.",
        extensions={"code": "COST_EXCEEDED", "requested": cost, "maximum": settings.max_cost},
    )


def _max_tokens(context: Context) -> int:
    return settings().max_tokens_anonymous if context.identity is None else settings().max_tokens


def _public(error: GraphQLError, context: Context) -> GraphQLError:
    return public(error, request_id=context.request_id)
