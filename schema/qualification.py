"""Qualification in the schema: the checklist, and what is known of a lead by it."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from domain import answers, lifecycle, policy
from domain.actors import ALL
from domain.criteria import Choice, Preset
from domain.policy import Action
from engine.pages import Order
from models.leads import Lead as LeadRow
from models.qualification import AnswerSource, CriterionType
from models.qualification import QualificationCriterion as QualificationCriterionRow
from models.users import User as UserRow
from schema.connections import Connection, connection
from schema.context import Info
from schema.enums import described
from schema.fields import column, computed, noun, relation, shown
from schema.filters import BooleanFilter, DateTimeFilter, EnumFilter, IDFilter, StringFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.users import User

described(
    CriterionType,
    "What answers to a criterion are, and how they are written as JSON.",
    TEXT='A text: "Their boiler is 30 years old".',
    NUMBER="A number: 12.5.",
    MONEY='An amount: {"amount": "1500", "currencyCode": "EUR"}.',
    DATE='A day: "2026-03-31".',
    YES_NO="true or false.",
    CHOICE='The key of a choice: "approved".',
    MULTI_CHOICE='The keys of some choices: ["search", "trade_show"].',
)
described(
    AnswerSource,
    "How an answer came in.",
    PERSON="Somebody wrote it down.",
    FORM="The customer filled in a form.",
)
described(
    Preset,
    "A checklist that is known by its name.",
    BANT="Budget, authority, need, timeline.",
    MEDDIC="Metrics, economic buyer, decision criteria, decision process, identified pain, champion.",
    DISTRIBUTOR="Why do they ask, how did they find us, is there an approved project or budget.",
)


@strawberry.type(description="What there is to choose from at a criterion.")
class QualificationChoice:
    key: str = strawberry.field(description="What answers take; it stays when the label changes.")
    label: str = strawberry.field(description="What a person reads.")
    qualifies: bool = strawberry.field(description="Whether it speaks for the lead.")
    archived: bool = strawberry.field(description="Whether it is offered no more; answers that chose it keep it.")


def choices(data: list[dict[str, Any]]) -> list[QualificationChoice]:
    """Return a criterion's choices from their JSON."""
    known = (Choice.parse(choice) for choice in data)
    return [
        QualificationChoice(key=each.key, label=each.label, qualifies=each.qualifies, archived=each.archived)
        for each in known
    ]


@noun(QualificationCriterionRow, description="A question of the checklist by which leads are qualified.")
class QualificationCriterion(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_QUALIFICATION, delete=Action.MANAGE_QUALIFICATION)
    label: str = column("What it is called.")
    question: str | None = column("What to ask.")
    type: CriterionType = column("What answers to it are.")
    choices: list[QualificationChoice] = computed(
        choices, "What there is to choose from; empty for other types.", needs=("choices",)
    )
    required_for_mql: bool = column("Whether a lead needs an answer that speaks for it to become MQL by the rules.")
    required_for_sql: bool = column("Whether a lead needs an answer that speaks for it to become SQL by the rules.")
    position: int = column("Its place in the checklist.")
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was added.")
    archived_at: datetime | None = column("When it was archived; null while it is asked.")


@strawberry.input(description="Which criteria.")
class QualificationCriterionFilter:
    id: IDFilter | None = on("By id.", "id", noun="QualificationCriterion")
    label: StringFilter | None = on("By label.", "label")
    type: EnumFilter[CriterionType] | None = on("By type.", "type")
    required_for_mql: BooleanFilter | None = on("By whether MQL requires it.", "required_for_mql")
    required_for_sql: BooleanFilter | None = on("By whether SQL requires it.", "required_for_sql")
    archived_at: DateTimeFilter | None = on("By when it was archived.", "archived_at")
    and_: "list[QualificationCriterionFilter] | None" = junction("and", "All of these pass.")
    or_: "list[QualificationCriterionFilter] | None" = junction("or", "Any of these passes.")
    not_: "QualificationCriterionFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What criteria can be ordered by.")
class QualificationCriterionOrderField(Enum):
    POSITION = strawberry.enum_value("position", description="Its place in the checklist.")
    LABEL = strawberry.enum_value("label", description="Its label.")


@strawberry.input(description="An order of criteria.")
class QualificationCriterionOrder:
    field: QualificationCriterionOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type(description="What is known of a lead by one criterion.")
class QualificationAnswer:
    criterion_key: strawberry.Private[UUID]
    user_key: strawberry.Private[UUID | None]

    value: JSON = strawberry.field(description="The answer, as its criterion's type says.")
    text: str = strawberry.field(description="The answer in words.")
    note: str | None = strawberry.field(description="What there is to say about it.")
    qualifies: bool = strawberry.field(description="Whether it speaks for the lead.")
    source: AnswerSource = strawberry.field(description="How it came in.")
    answered_at: datetime = strawberry.field(description="When it was given.")

    criterion: QualificationCriterion | None = relation(
        QualificationCriterionRow, "What was asked; it may be archived by now.", by="criterion_key"
    )
    answered_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who gave it, or the service user of the form's API key.", by="user_key"
    )


@strawberry.type(description="How far a lead is through the checklist. What is archived of it counts in no number.")
class LeadQualification:
    total: int = strawberry.field(description="How many criteria there are.")
    answered: int = strawberry.field(description="How many are answered.")
    qualifying: int = strawberry.field(description="How many are answered in a way that speaks for the lead.")
    required: int = strawberry.field(description="How many are required for MQL or SQL.")
    required_qualifying: int = strawberry.field(
        description="How many of the required ones are answered in a way that speaks for the lead."
    )
    progress: float = strawberry.field(description="The part that is answered, 0 to 1; 0 where nothing is asked.")
    answers: list[QualificationAnswer] = strawberry.field(
        description="The answers in the order of the checklist, those to archived criteria included."
    )
    open: list[QualificationCriterion] = strawberry.field(description="What is not answered, in the same order.")


async def qualification_of(leads: list[LeadRow], info: Info) -> list[LeadQualification]:
    """Return how far leads are through the checklist, in two statements."""
    actor = info.context.actor
    checklist, known = await answers.of_leads(actor.workspace_id, [lead.id for lead in leads])
    is_seen = policy.scope(actor, QualificationCriterionRow) == ALL
    return [_qualification(checklist, known[lead.id], is_seen) for lead in leads]


def _qualification(
    checklist: list[QualificationCriterionRow], known: dict[UUID, answers.Known], is_seen: bool
) -> LeadQualification:
    live = [row for row in checklist if row.archived_at is None]
    met = {row.id for row in checklist if row.id in known and lifecycle.meets(row, known[row.id].value)}
    required = [row for row in live if row.required_for_mql or row.required_for_sql]
    answered = sum(row.id in known for row in live)
    return LeadQualification(
        total=len(live),
        answered=answered,
        qualifying=sum(row.id in met for row in live),
        required=len(required),
        required_qualifying=sum(row.id in met for row in required),
        progress=answered / len(live) if live else 0.0,
        answers=[_answer(row, known[row.id], row.id in met) for row in checklist if row.id in known],
        open=[shown(row) for row in live if is_seen and row.id not in known],
    )


def _answer(criterion: QualificationCriterionRow, known: answers.Known, qualifies: bool) -> QualificationAnswer:
    return QualificationAnswer(
        criterion_key=criterion.id,
        user_key=known.user_id,
        value=known.value,
        text=answers.text_of(criterion, known.value),
        note=known.note,
        qualifies=qualifies,
        source=known.source,
        answered_at=known.answered_at,
    )


@strawberry.type
class QualificationQueries:
    qualification_criteria: Connection[QualificationCriterion] = connection(
        "QualificationCriterion",
        "schema.qualification",
        model=QualificationCriterionRow,
        default=(Order("position"),),
        description="The checklist in its order, archived criteria included.",
    )
