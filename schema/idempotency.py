"""Mutations under an idempotency key: done once, answered as often as they are sent."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from graphql import GraphQLError, value_from_ast_untyped
from strawberry.types import ExecutionContext, ExecutionResult

from domain import idempotency
from models.database import transaction
from schema.context import Context
from schema.documents import Operation, refused
from settings import settings

# What these answer must not lie in a table for a day, since whoever holds it may sign in.
SECRET_ANSWERS = frozenset(
    {"signUp", "signIn", "refreshToken", "acceptInvitation", "resetPassword", "switchWorkspace", "createApiKey"}
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


@asynccontextmanager
async def once(
    key: str, execution: ExecutionContext, context: Context, *, extensions: dict[str, Any]
) -> AsyncIterator[None]:
    """Execute the mutation in the block, or put its first answer in place of its execution.

    The answer is kept in the transaction that does the work: a process that dies leaves both or neither.
    """
    claimed = await idempotency.claim(
        context.actor,
        key,
        request_hash=_hash(execution),
        abandoned_after=timedelta(seconds=settings().mutation_timeout),
        now=context.now,
    )
    if isinstance(claimed, bytes):
        _give_again(claimed, execution)
        yield
        return
    try:
        with suppress(_NothingDone):
            async with transaction():
                yield
                await _keep(claimed, execution, context, extensions)
            return
    except BaseException:
        await idempotency.release(claimed)
        raise
    await idempotency.release(claimed)


def key_of(operation: Operation, variables: Mapping[str, Any] | None, header: str | None) -> str | None:
    """Return the key that a mutation was sent under, in the header or in its inputs."""
    if any(name in SECRET_ANSWERS for name, _ in operation.roots):
        return None
    given = {header} if header else set()
    known = {**operation.cost.defaults, **(variables or {})}
    for _, node in operation.roots:
        value = value_from_ast_untyped(node, known) if node else None
        if isinstance(value, dict) and value.get("idempotencyKey") is not None:
            given.add(value["idempotencyKey"])
    if len(given) > 1:
        raise refused("An operation has one idempotency key: send one, in the header or in the input.")
    key = given.pop() if given else None
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= idempotency.LONGEST_KEY and key.isprintable()):
        raise refused(f"An idempotency key has 1 to {idempotency.LONGEST_KEY} printable characters.")
    return key


async def _keep(claimed: UUID, execution: ExecutionContext, context: Context, extensions: dict[str, Any]) -> None:
    result = execution.result
    if result is None or not result.data or all(value is None for value in result.data.values()):
        raise _NothingDone
    answer = {
        "data": result.data,
        "errors": [error.formatted for error in result.errors or ()],
        "extensions": extensions,
    }
    await idempotency.complete(claimed, orjson.dumps(answer), now=context.now)


def _give_again(answer: bytes, execution: ExecutionContext) -> None:
    kept = orjson.loads(answer)
    execution.result = ExecutionResult(kept["data"], [ToldBefore(error) for error in kept["errors"]] or None)
    execution.extensions_results = kept["extensions"]


def _hash(execution: ExecutionContext) -> str:
    request = [execution.query, execution.operation_name, execution.variables or {}]
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest()
