"""Errors as the API promises them: what a person can mend is in the payload, the rest is top-level with a code."""

from collections.abc import Awaitable, Callable
from enum import Enum
from functools import wraps
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar, cast

import strawberry
import structlog
from graphql import GraphQLError

import domain
from domain.errors import DomainError, Invalid, RateLimited, Stale, Unauthenticated, all_errors
from domain.events import client_mutation_id

if TYPE_CHECKING:
    from schema.schema import Query

log = structlog.get_logger()
P = ParamSpec("P")
R = TypeVar("R", bound="Payload")
G = TypeVar("G")

# Told at the top level, whatever the operation: nothing in an input can mend them.
TOP_LEVEL = (Unauthenticated, RateLimited)


# Demo data is made by a command of its own, and refuses nothing.
for module in iter_modules(domain.__path__):
    if module.name != "demo":
        import_module(f"domain.{module.name}")

if TYPE_CHECKING:

    class ErrorCode(Enum):
        """One value an error class of the domain."""

else:
    ErrorCode = Enum("ErrorCode", {error.code: error.code for error in all_errors()})
    strawberry.enum(ErrorCode, description="Why something was refused.")
    for value, error in zip(ErrorCode.__strawberry_definition__.values, all_errors(), strict=True):
        value.description = " ".join((error.__doc__ or "").split())


@strawberry.type(description="Something in the input that a person can mend.")
class UserError:
    code: ErrorCode = strawberry.field(description="Why it was refused.")
    message: str = strawberry.field(description="The same in words, and what to do.")
    field: list[str] | None = strawberry.field(description="The path of the input field that it is about.")


@strawberry.type(description="What every mutation answers.")
class Payload:
    user_errors: list[UserError] = strawberry.field(
        description="What was refused, and why; empty where all went well.", default_factory=list
    )
    client_mutation_id: str | None = strawberry.field(description="What the client sent along.", default=None)

    @strawberry.field(description="The query root, to read on in the same request.")
    def query(self) -> Annotated["Query", strawberry.lazy("schema.schema")]:
        from schema.schema import Query

        return Query()


@strawberry.input(description="What every mutation takes.")
class MutationInput:
    client_mutation_id: str | None = strawberry.field(
        default=None,
        description="Returned as it is, and borne by the events that follow; at most 255 characters.",
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="Repeating the mutation under the same key within 24 hours returns the first answer; "
        "at most 255 characters. The header Idempotency-Key does the same.",
    )


Given = Annotated[G, strawberry.argument(description="What the mutation needs to know.")]


def reports_user_errors(resolver: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Turn what the domain refuses into the payload's `userErrors`.

    The payload's class is the resolver's return annotation. A payload with a field `current` is given the current
    object where the edit was stale.
    """

    @wraps(resolver)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        mutation_id = getattr(kwargs.get("input"), "client_mutation_id", None)
        if mutation_id is not None and (len(mutation_id) > 255 or not mutation_id.isprintable()):
            raise GraphQLError(
                "clientMutationId has at most 255 printable characters.", extensions={"code": "BAD_USER_INPUT"}
            )
        token = client_mutation_id.set(mutation_id)
        try:
            payload = await resolver(*args, **kwargs)
        except TOP_LEVEL:
            raise
        except DomainError as error:
            payload = refused(cast(type[R], payload_class(resolver)), error)
        finally:
            client_mutation_id.reset(token)
        # What an earlier mutation of the same document has loaded is out of date now.
        if (info := kwargs.get("info")) is not None:
            cast(Any, info).context.loaders.clear()
        payload.client_mutation_id = mutation_id
        return payload

    return wrapped


def payload_class(resolver: Callable[..., Any]) -> type[Payload]:
    annotation = resolver.__annotations__["return"]
    return cast(type[Payload], resolver.__globals__[annotation] if isinstance(annotation, str) else annotation)


def refused(payload: type[R], error: DomainError) -> R:
    """Return a payload that says only why; a stale edit's bears the current object in the field of its type."""
    faults = error.faults if isinstance(error, Invalid) else [error]
    answer = payload()
    answer.user_errors = [user_error(fault) for fault in faults]
    stale = getattr(payload, "stale_field", None)
    if isinstance(error, Stale) and stale is not None:
        setattr(answer, stale, error.current)
    return answer


def user_errors(kept: list[dict[str, Any]] | None) -> list[UserError]:
    """Return faults that a row keeps by their code, message and field."""
    return [
        UserError(code=ErrorCode(fault["code"]), message=fault["message"], field=fault["field"]) for fault in kept or ()
    ]


def user_error(fault: DomainError) -> UserError:
    return UserError(
        code=ErrorCode(fault.code), message=fault.message, field=list(fault.field) if fault.field else None
    )


def public(error: GraphQLError, *, request_id: str) -> GraphQLError:
    """Return an error as clients may see it: with a code, and without what went wrong inside."""
    if error.extensions and "code" in error.extensions:
        return error
    cause: BaseException | None = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if isinstance(cause, GraphQLError) and cause.extensions and "code" in cause.extensions:
        return _coded(error, error.message, cause.extensions["code"])
    if isinstance(cause, DomainError):
        return _coded(error, cause.message, cause.code, **_more(cause))
    if cause is None or isinstance(cause, GraphQLError) or error.path is None:
        return _coded(error, error.message, "BAD_USER_INPUT")
    log.error("request failed", request_id=request_id, path=error.path, exc_info=cause)
    return _coded(error, f"Something went wrong on our side; report {request_id}.", "INTERNAL", requestId=request_id)


def _more(cause: DomainError) -> dict[str, Any]:
    return {"retryAfter": cause.facts["seconds"]} if isinstance(cause, RateLimited) else {}


def _coded(error: GraphQLError, message: str, code: Any, **more: Any) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        original_error=error.original_error,
        extensions={"code": code, **more},
    )
