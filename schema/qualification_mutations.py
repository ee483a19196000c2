"""What can be done with the checklist and its answers, in the schema: translate in, translate out."""

from typing import Annotated

import strawberry

from domain import answers, criteria, lifecycle
from domain.criteria import Choice, Draft, Preset, PresetOrCriteria
from models.leads import Lifecycle
from models.qualification import AnswerSource, CriterionType
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import shown
from schema.inputs import about, expected_version
from schema.lead_mutations import LeadPayload
from schema.qualification import QualificationCriterion
from schema.qualification_inputs import QualificationAnswerInput, answers_of


@strawberry.input(description="What there is to choose from at a criterion.")
class QualificationChoiceInput:
    key: str = strawberry.field(description="What answers take: 1 to 50 letters, digits, dots, dashes and underscores.")
    label: str = strawberry.field(description="What a person reads, at most 200 characters.")
    qualifies: bool = strawberry.field(default=True, description="Whether it speaks for the lead.")


@strawberry.input(description="A criterion of the checklist as it is to be.")
class QualificationCriterionInput:
    id: strawberry.ID | None = strawberry.field(
        default=None, description="A known criterion, archived or not; left out, one is added."
    )
    label: str = strawberry.field(description="What it is called, at most 200 characters; no two share one.")
    question: str | None = strawberry.field(default=None, description="What to ask, at most 20,000 characters.")
    type: CriterionType = strawberry.field(
        default=CriterionType.TEXT, description="What answers to it are; it stays once there are some."
    )
    choices: list[QualificationChoiceInput] = strawberry.field(
        default_factory=list,
        description="What there is to choose from, for the types CHOICE and MULTI_CHOICE; at most 100. Choices that "
        "are left out are offered no more.",
    )
    required_for_mql: bool = strawberry.field(
        default=False, description="Whether a lead needs an answer that speaks for it to become MQL by the rules."
    )
    required_for_sql: bool = strawberry.field(
        default=False, description="Whether a lead needs an answer that speaks for it to become SQL by the rules."
    )
    expected_version: int | None = expected_version()


@strawberry.input(description="The whole checklist, by a preset or criterion by criterion.")
class SetQualificationCriteriaInput(MutationInput):
    preset: Preset | None = strawberry.field(
        default=None, description="A checklist that is known by its name; what came from it before is brought back."
    )
    criteria: list[QualificationCriterionInput] | None = strawberry.field(
        default=None,
        description="All criteria in their order, at most 50: those with an id are edited, others added, and what is "
        "left out is archived. Answers are kept.",
    )


@strawberry.input(description="Answers to the checklist about a lead.")
class AnswerQualificationInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    answers: list[QualificationAnswerInput] = strawberry.field(
        description="The answers, at most 100; criteria that are left out keep theirs."
    )
    source: AnswerSource | None = strawberry.field(
        default=None, description="How they came in; a form's if left out by an API key, else a person's."
    )


@strawberry.input(description="How far a lead is qualified, by hand.")
class SetLeadLifecycleInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    lifecycle: Lifecycle | None = strawberry.field(
        description="How far it is, which the rules then leave as it is; null leaves it to the rules again."
    )
    note: str | None = strawberry.field(default=None, description="Why, at most 20,000 characters.")
    expected_version: int | None = expected_version()


@strawberry.type(description="The checklist after a mutation.")
class SetQualificationCriteriaPayload(Payload):
    qualification_criteria: list[QualificationCriterion] = strawberry.field(
        default_factory=list, description="The checklist in its order, without archived criteria; empty on errors."
    )


def _draft(input: QualificationCriterionInput) -> Draft:
    return Draft(
        id=ids.decode_maybe(input.id, "QualificationCriterion", field="criteria.id"),
        label=input.label,
        question=input.question,
        type=input.type,
        choices=[Choice(choice.key, choice.label, choice.qualifies) for choice in input.choices],
        required_for_mql=input.required_for_mql,
        required_for_sql=input.required_for_sql,
        expected_version=input.expected_version,
    )


@strawberry.type
class QualificationMutations:
    @strawberry.mutation(description="Set the whole checklist by which leads are qualified.")
    @reports_user_errors
    async def set_qualification_criteria(
        self, info: Info, input: Annotated[SetQualificationCriteriaInput, about("The checklist.")]
    ) -> SetQualificationCriteriaPayload:
        actor, now = info.context.actor, info.context.now
        if (input.preset is None) == (input.criteria is None):
            raise PresetOrCriteria(field="criteria")
        if input.preset is not None:
            rows = await criteria.set_preset(actor, input.preset, now=now)
        else:
            rows = await criteria.set_all(actor, [_draft(each) for each in input.criteria or ()], now=now)
        return SetQualificationCriteriaPayload(qualification_criteria=shown(rows))

    @strawberry.mutation(description="Answer the checklist about a lead; its lifecycle rises where the rules say so.")
    @reports_user_errors
    async def answer_qualification(
        self, info: Info, input: Annotated[AnswerQualificationInput, about("The answers.")]
    ) -> LeadPayload:
        row = await answers.answer(
            info.context.actor,
            ids.decode(input.lead_id, "Lead", field="leadId"),
            answers_of(input.answers),
            source=input.source,
            now=info.context.now,
        )
        return LeadPayload(lead=shown(row))

    @strawberry.mutation(description="Say by hand how far a lead is qualified, or leave it to the rules again.")
    @reports_user_errors
    async def set_lead_lifecycle(
        self, info: Info, input: Annotated[SetLeadLifecycleInput, about("How far.")]
    ) -> LeadPayload:
        row = await lifecycle.choose(
            info.context.actor,
            ids.decode(input.lead_id, "Lead", field="leadId"),
            input.lifecycle,
            note=input.note,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return LeadPayload(lead=shown(row))
