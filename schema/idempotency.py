"""Mutations under an idempotency key: done once, answered as often as they are sent."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from graphql import ExecutionResult, GraphQLError, value_from_ast_untyped

from domain import idempotency
from engine.documents import Operation, refused
from engine.executor import written
from models.database import transaction
from schema.context import Context
from schema.errors import public
from settings import settings

# What these answer must not lie in a table for a day, since whoever holds it may sign in, or tell of payments.
SECRET_ANSWERS = frozenset(
    {
        "signUp",
        "signIn",
        "refreshToken",
        "acceptInvitation",
        "resetPassword",
        "switchWorkspace",
        "createApiKey",
        "createPaymentProvider",
        "rotatePaymentProvider",
    }
)


class ToldBefore(GraphQLError):
    """An error of a first answer, told again as it was."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(told["message"], path=told.get("path"), extensions=told.get("extensions"))
        self.told = told

    @property
    def formatted(self) -> Any:
        return self.told


class _NothingDone(Exception):
    """Every field of the mutation failed, so that a repetition may try again."""

    def __init__(self, result: ExecutionResult) -> None:
        super().__init__()
        self.result = result


async def once(
    key: str,
    request: list[Any],
    context: Context,
    execute: Callable[[], Awaitable[ExecutionResult]],
    *,
    extensions: dict[str, Any],
) -> ExecutionResult:
    """Execute a mutation, or return its first answer; `extensions` are what belongs to that.

    The answer is kept in the transaction that does the work: a process that dies leaves both or neither.
    """
    claimed = await idempotency.claim(
        context.actor,
        key,
        request_hash=hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        abandoned_after=timedelta(seconds=settings().mutation_timeout),
        now=context.now,
    )
    if isinstance(claimed, bytes):
        kept = orjson.loads(claimed)
        told: list[GraphQLError] = [ToldBefore(error) for error in kept["errors"]]
        return ExecutionResult(kept["data"], told or None, kept["extensions"])
    try:
        async with transaction():
            result = await execute()
            result.extensions = extensions
            if not result.data or all(value is None for value in result.data.values()):
                raise _NothingDone(result)
            await _keep(claimed, result, context)
        return result
    except _NothingDone as nothing:
        await idempotency.release(claimed)
        return nothing.result
    except BaseException:
        await idempotency.release(claimed)
        raise


def key_of(operation: Operation, variables: Mapping[str, Any] | None, header: str | None) -> str | None:
    """Return the key that a mutation was sent under, in the header or in its inputs."""
    if any(name in SECRET_ANSWERS for name, _ in operation.roots):
        return None
    given = {header} if header else set()
    for _, node in operation.roots:
        value = value_from_ast_untyped(node, {**operation.cost.defaults, **(variables or {})}) if node else None
        key = value.get("idempotencyKey") if isinstance(value, dict) else value
        if key is not None:
            given.add(key)
    if len(given) > 1:
        raise refused("An operation has one idempotency key: send one, in the header or in the input.")
    key = given.pop() if given else None
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= idempotency.LONGEST_KEY and key.isprintable()):
        raise refused(f"An idempotency key has 1 to {idempotency.LONGEST_KEY} printable characters.")
    return key


async def _keep(claimed: UUID, result: ExecutionResult, context: Context) -> None:
    errors = [public(error, request_id=context.request_id).formatted for error in result.errors or ()]
    answer = {"data": result.data, "errors": errors, "extensions": result.extensions}
    await idempotency.complete(claimed, written(answer), now=context.now)
