"""What the viewer may do with an object, from the same table that refuses it."""

from typing import Any

import strawberry

from domain import policy
from domain.policy import Action
from schema.context import Info


@strawberry.type(description="What the viewer may do with an object.")
class ObjectPermissions:
    update: bool = strawberry.field(description="Change it.")
    delete: bool = strawberry.field(description="Delete or archive it, and bring it back.")


def viewer_can(*, update: Action, delete: Action) -> Any:
    """Declare what the viewer may do with an object."""

    def resolve(root: Any, info: Info) -> ObjectPermissions:
        actor = info.context.actor
        return ObjectPermissions(update=policy.may(actor, update, root), delete=policy.may(actor, delete, root))

    return strawberry.field(resolver=resolve, description="What the viewer may do with it.")
