"""Answers to the checklist as mutations take them."""

from collections.abc import Sequence

import strawberry

from domain.answers import Answer
from schema import ids
from schema.scalars import JSON


@strawberry.input(description="An answer to a criterion, in place of the one that it had.")
class QualificationAnswerInput:
    criterion_id: strawberry.ID = strawberry.field(description="The criterion.")
    value: JSON | None = strawberry.field(description="The answer, as the criterion's type says; null takes it back.")
    note: str | None = strawberry.field(default=None, description="What there is to say, at most 20,000 characters.")


def answers_of(given: Sequence[QualificationAnswerInput] | None) -> list[Answer]:
    """Return answers as the domain takes them."""
    return [
        Answer(
            ids.decode(each.criterion_id, "QualificationCriterion", field="answers.criterionId"), each.value, each.note
        )
        for each in given or ()
    ]
