"""What other systems call our objects."""

from collections.abc import Sequence
from typing import Any

import strawberry

from domain.external_refs import MOST_REFS, Ref
from engine.conditions import Compare, Op
from engine.pages import Order
from models.external_refs import ExternalRef as ExternalRefRow
from schema.connections import few
from schema.fields import column, noun


@noun(ExternalRefRow, description="What another system calls an object.")
class ExternalRef:
    system: str = column("The other system.")
    external_id: str = column("The object's id there; unique per system.")


def external_refs_of(subject_type: str) -> Any:
    """Declare what other systems call a row of this table."""
    return few(
        ExternalRefRow,
        by="subject_id",
        default=(Order("system"), Order("external_id")),
        most=MOST_REFS,
        where=Compare("subject_type", Op.EQ, subject_type),
        description="What other systems call it.",
    )


@strawberry.input(description="What another system calls an object.")
class ExternalRefInput:
    system: str = strawberry.field(description="The other system, at most 100 characters.")
    external_id: str = strawberry.field(description="The object's id there, at most 500 characters.")


def refs(given: Sequence[ExternalRefInput] | None) -> list[Ref]:
    """Return references as the domain takes them."""
    return [Ref(ref.system, ref.external_id) for ref in given or ()]
