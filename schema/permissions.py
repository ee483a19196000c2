"""What the viewer may do with an object, from the same table that refuses it."""

from typing import Any

import strawberry

from domain import policy
from domain.policy import Action
from schema.context import Info
from schema.fields import batch


@strawberry.type(description="What the viewer may do with an object.")
class ObjectPermissions:
    update: bool = strawberry.field(description="Change it.")
    delete: bool = strawberry.field(description="Delete or archive it, and bring it back.")


def viewer_can(*, update: Action, delete: Action, needs: tuple[str, ...] = ()) -> Any:
    """Declare what the viewer may do with an object; `needs` are the columns that the rules look at."""

    async def allowed(rows: list[Any], info: Info) -> list[ObjectPermissions]:
        actor = info.context.actor
        return [
            ObjectPermissions(update=policy.may(actor, update, row), delete=policy.may(actor, delete, row))
            for row in rows
        ]

    return batch(allowed, "What the viewer may do with it.", needs=needs)
