"""The Relay Node interface, and the way from an id to its object."""

from typing import Any
from uuid import UUID

import strawberry

from engine.pages import by_keys
from schema import ids
from schema.context import Info
from schema.fields import NOUN_TYPES

MOST_NODES = 100


@strawberry.interface(description="Anything with a global id.")
class Node:
    @strawberry.field(description="The global id: opaque, and unique among all objects.")
    def id(self, info: Info) -> strawberry.ID:
        row: Any = self
        return ids.encode(info._raw_info.parent_type.name, row.id)


async def load(keys: list[strawberry.ID], info: Info) -> list[Any]:
    """Return the objects with these ids, in their order; null for what is missing or may not be seen."""
    wanted: dict[str, list[UUID]] = {}
    parsed: list[tuple[str, UUID]] = []
    for key in keys:
        try:
            name, uuid = ids.parse(key)
        except ValueError:
            name, uuid = "", UUID(int=0)
        if name not in NOUN_TYPES:
            ids.decode(key, "Node")
        parsed.append((name, uuid))
        wanted.setdefault(name, []).append(uuid)
    found = {
        name: await by_keys(NOUN_TYPES[name][1], uuids, info.context.actor, live=True) for name, uuids in wanted.items()
    }
    return [found[name].get(uuid) for name, uuid in parsed]
