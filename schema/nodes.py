"""The Relay Node interface, and the way from an id to its object."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import strawberry
from graphql import GraphQLError
from tortoise.models import Model

from engine.reads import MODELS, Key, Some
from engine.records import rows
from schema import ids
from schema.context import Info

MOST_NODES = 100


def _own_id(root: Any, info: Info) -> strawberry.ID:
    return ids.encode(info._raw_info.parent_type.name, root.id)


@strawberry.interface(description="Anything with a global id.")
class Node:
    id: strawberry.ID = strawberry.field(
        resolver=_own_id,
        description="The global id: opaque, and unique among all objects.",
        metadata={"read": Key(ids.prefix)},
    )


def _key(**arguments: strawberry.ID) -> list[tuple[type[Model], UUID]]:
    return [_parsed(arguments["id"])]


def _keys(ids: list[strawberry.ID]) -> list[tuple[type[Model], UUID]]:
    if len(ids) > MOST_NODES:
        raise GraphQLError(f"nodes takes at most {MOST_NODES} ids.", extensions={"code": "BAD_USER_INPUT"})
    return [_parsed(key) for key in ids]


def _parsed(value: strawberry.ID) -> tuple[type[Model], UUID]:
    try:
        name, key = ids.parse(value)
    except ValueError:
        name, key = "", UUID(int=0)
    if name not in MODELS:
        ids.decode(value, "Node")
    return MODELS[name], key


async def _load(keys: Sequence[tuple[type[Model], UUID]], info: Info) -> list[Any]:
    """Return the rows with these keys, in their order; None for what is missing or may not be seen."""
    found = {}
    for model in dict.fromkeys(model for model, _ in keys):
        found[model] = await rows(model, [key for other, key in keys if other is model], info.context.actor)
    return [found[model].get(key) for model, key in keys]


async def _node(info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]) -> Any:
    return (await _load(_key(id=id), info))[0]


async def _nodes(
    info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="Their ids, at most 100.")]
) -> Any:
    return await _load(_keys(ids), info)


@strawberry.type
class NodeQueries:
    node: Node | None = strawberry.field(
        resolver=_node,
        description="The object with this id; null where it is missing or may not be seen.",
        metadata={"read": Some(_key)},
    )
    nodes: list[Node | None] = strawberry.field(
        resolver=_nodes,
        description="The objects with these ids, in their order; null for what may not be seen.",
        metadata={"read": Some(_keys)},
    )
