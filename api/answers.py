"""What live messages are answered with: an event is executed once for all who ask the same and see the same."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from inspect import isawaitable
from secrets import token_hex
from sys import intern
from typing import Any, TypeAlias

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    create_source_event_stream,
    execute_subscription_event,
    visit,
)
from graphql.language.visitor import SKIP

from api.live import Message
from domain.actors import Actor
from engine.executor import written
from schema.context import Context
from schema.errors import public
from schema.execution import Asked, executor_of

WHO = frozenset({"user_id", "key_id", "session_id"})
WHAT = frozenset({"rows"})
# Stands where each scope has a cursor of its own.
CURSOR = f"cursor-{token_hex(8)}"

Memo: TypeAlias = dict[Any, Any]


class Personal(Exception):
    """An answer depends on something of its reader that others need not share."""


class Reader(Actor):
    """Any of those who may do the same; an answer that asks for more of them than that raises Personal."""

    __slots__ = ("_hidden",)

    @classmethod
    def like(cls, actor: Actor, hidden: frozenset[str]) -> "Reader":
        made = cls(actor.kind, actor.workspace_id, role=actor.role, rows=actor.rows, scopes=actor.scopes)
        object.__setattr__(made, "_hidden", hidden)
        return made

    def __getattribute__(self, name: str) -> Any:
        if name in WHO or (name in WHAT and name in object.__getattribute__(self, "_hidden")):
            raise Personal
        return object.__getattribute__(self, name)


class Unscoped(Message):
    """A message as all scopes that see its lead are told of it."""

    __slots__ = ()

    @property
    def cursor(self) -> str:
        return CURSOR


class Answers:
    """The answers of a subscription.

    They are shared with everybody of the same role first, with those of the same scope where a field asks for the
    scope, and with nobody where a field asks who reads it: `viewerCan` may, a title does not.
    """

    def __init__(self, asked: Asked, context: Context) -> None:
        self._asked = asked
        self._context = context
        used = used_variables(asked.prepared.document)
        variables = {name: value for name, value in asked.variables.items() if name in used}
        self._asks = intern(asked.text), asked.name, as_json(variables, sort=True)
        actor = context.identity
        self._like = (actor.kind, actor.role, actor.scopes) if actor else None
        self._who = (actor.user_id, actor.key_id) if actor else None
        self._by_role = self._by_scope = True

    async def to(self, message: Any) -> str:
        """Return the payload that answers a message."""
        if not isinstance(message, Message):
            return await self._execute(message, self._context)
        if self._by_role and await message.in_sight():
            try:
                return await self._shared_by_role(message)
            except Personal:
                self._by_role = False
        if self._by_scope:
            try:
                return await self._once(message.memo, (self._asks, self._like), message, WHO)
            except Personal:
                self._by_scope = False
        return await self._once(message.memo, (self._asks, self._who), message, None)

    async def _shared_by_role(self, message: Message) -> str:
        key = self._asks, self._like, message.step
        if key not in message.memo:
            unscoped = Unscoped(message.step, message.occurrence, message.scope)
            answer = await self._once(message.occurrence.memo, key, unscoped, WHO | WHAT)
            message.memo[key] = answer.replace(CURSOR, message.cursor)
        shared: str = message.memo[key]
        return shared

    async def _once(self, memo: Memo, key: Any, message: Message, hidden: frozenset[str] | None) -> str:
        made: asyncio.Future[str] | None = memo.get(key)
        if made is None:
            made = memo[key] = asyncio.ensure_future(self._execute(message, self._reader(memo, hidden)))
        # Whoever is first may go away, which must not take the others' answer along.
        return made.result() if made.done() else await asyncio.shield(made)

    def _reader(self, memo: Memo, hidden: frozenset[str] | None) -> Context:
        # A customer's link is an actor as well, who sees what their subscription is of.
        actor, request_id = self._context.identity or self._context.actor, self._context.request_id
        if hidden is None:
            return Context(identity=actor, request_id=request_id)
        loaders = memo.setdefault(self._like, {})
        return Context(identity=Reader.like(actor, hidden), request_id=request_id, loaders=loaders)

    async def _execute(self, message: Any, context: Context) -> str:
        # An executor remembers what it collected for every event, so each event gets one of its own.
        executor = executor_of(self._asked, context, message)
        assert not isinstance(executor, list)
        result: Any = execute_subscription_event(executor)
        if isawaitable(result):
            result = await result
        errors = result.errors or []
        if any(isinstance(error.original_error, Personal) for error in errors):
            raise Personal
        return payload_of(result.data, [public(error, request_id=context.request_id) for error in errors])


async def subscribed(asked: Asked, context: Context) -> AsyncGenerator[str, None] | list[GraphQLError]:
    """Begin a subscription; return its payloads as they come, or why there are none."""
    executor = executor_of(asked, context)
    if isinstance(executor, list):
        return [public(error, request_id=context.request_id) for error in executor]
    source: Any = create_source_event_stream(executor)
    if isawaitable(source):
        source = await source
    if isinstance(source, ExecutionResult):
        return [public(error, request_id=context.request_id) for error in source.errors or ()]
    return _payloads(source, Answers(asked, context))


async def _payloads(source: Any, answers: Answers) -> AsyncGenerator[str, None]:
    async with aclosing(aiter(source)) as messages:
        async for message in messages:
            yield await answers.to(message)


def used_variables(document: DocumentNode) -> frozenset[str]:
    """Return the variables that an answer depends on: arguments of a root field say what is watched, and no more."""
    found: set[str] = set()
    watched = {
        argument
        for operation in document.definitions
        if isinstance(operation, OperationDefinitionNode)
        for field in operation.selection_set.selections
        if isinstance(field, FieldNode)
        for argument in map(id, field.arguments or ())
    }

    class Collector(Visitor):
        def enter(self, node: Any, *_: Any) -> Any:
            if id(node) in watched or isinstance(node, VariableDefinitionNode):
                return SKIP
            if isinstance(node, VariableNode):
                found.add(node.name.value)
            return None

    visit(document, Collector())
    return frozenset(found)


def payload_of(data: Any, errors: Any = None, extensions: Any = None) -> str:
    """Return a GraphQL answer as JSON."""
    payload: dict[str, Any] = {"data": data}
    if errors:
        payload["errors"] = [error.formatted for error in errors]
    if extensions:
        payload["extensions"] = extensions
    return written(payload).decode()


def as_json(value: Any, *, sort: bool = False) -> str:
    """Return a value as JSON."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort else None).decode()
    except TypeError:
        # Whole numbers beyond 64 bits, which JSON columns may hold.
        return json.dumps(value, separators=(",", ":"), sort_keys=sort)
