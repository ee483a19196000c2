"""Surveys in the schema: what is asked, whom it went to, what was answered."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain import questionnaires
from domain.policy import Action
from domain.questionnaires import Operator, QuestionType, Texts
from engine.pages import Order
from models.contacts import Contact as ContactRow
from models.leads import Lead as LeadRow
from models.pipelines import Pipeline as PipelineRow
from models.surveys import DispatchStatus, DispatchTrigger, SkipReason, SurveyKind, Verdict
from models.surveys import Referral as ReferralRow
from models.surveys import Survey as SurveyRow
from models.surveys import SurveyDispatch as SurveyDispatchRow
from models.surveys import SurveyResponse as SurveyResponseRow
from models.surveys import SurveyVersion as SurveyVersionRow
from models.users import User as UserRow
from schema.connections import Connection, connection
from schema.enums import described
from schema.fields import by_id, column, computed, noun, relation
from schema.filters import (
    BooleanFilter,
    DateTimeFilter,
    EnumFilter,
    IDFilter,
    IntFilter,
    StringFilter,
    junction,
    on,
    through,
)
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can
from schema.scalars import JSON, LanguageTag

if TYPE_CHECKING:
    from schema.contacts import Contact
    from schema.leads import Lead, LeadFilter
    from schema.pipelines import Pipeline
    from schema.users import User

BY_NAME = (Order("name"),)
NEWEST = (Order("created_at", descending=True),)
LAST_SUBMITTED = (Order("submitted_at", descending=True),)

described(
    SurveyKind,
    "What a survey measures.",
    NPS="Net Promoter Score: would they recommend us, 0 to 10.",
    CSAT="Customer satisfaction: how satisfied are they, 1 to 5.",
    CES="Customer effort score: was it easy for them, 1 to 7.",
    CUSTOM="Whatever it asks.",
)
described(
    QuestionType,
    "What a question is answered with, and how that is written as JSON.",
    SCALE="A whole number from least to most: 9.",
    CHOICE='The key of one of its choices: "too_slow".',
    MULTI_CHOICE='The keys of some of its choices: ["too_slow", "too_dear"].',
    TEXT='Their own words: "Kind people".',
    YES_NO="true or false.",
)
described(
    Operator,
    "How an earlier answer is tested.",
    EQ="It is this.",
    NE="It is another than this; not answered fails.",
    LTE="It is at most this.",
    GTE="It is at least this.",
    CONTAINS="This is among what was chosen.",
    ANSWERED="There is an answer (true), or none (false).",
)
described(
    DispatchTrigger,
    "Why a survey goes to somebody.",
    LEAD_WON="A lead was won, and the survey's rule asks after a sale.",
    MANUAL="Somebody sent it.",
)
described(
    DispatchStatus,
    "How it stands with a survey for one person.",
    SCHEDULED="It goes out when it is due.",
    SENT="It is out, and can be answered.",
    ANSWERED="It was answered.",
    EXPIRED="It was not answered in time.",
    SKIPPED="It did not go out: skipReason says why.",
    CANCELLED="It was cancelled, or the sale that it was about is none any more.",
)
described(
    SkipReason,
    "Why a survey did not go out.",
    SAMPLED_OUT="Only some sales are asked about, and this is none of them.",
    NO_CONTACT="The lead has no primary contact.",
    NO_ADDRESS="The contact has no email address.",
    UNSUBSCRIBED="The address wants no surveys, or no mail reaches it.",
    ASKED_LATELY="They were asked too short a time ago, by this survey or another.",
    SURVEY_ARCHIVED="The survey was archived before it was due.",
)
described(
    Verdict,
    "What a score makes of whoever gave it, by the survey's settings.",
    DETRACTOR="Not satisfied.",
    PASSIVE="Neither.",
    PROMOTER="Happy to recommend us.",
)


def texts(description: str) -> Any:
    """Declare a text in several languages."""
    return strawberry.field(description=f"{description}, by language: {{en: …, de: …}}.")


@strawberry.type(description="What an earlier answer must be for a question to be asked.")
class QuestionCondition:
    question: str = strawberry.field(description="The key of the earlier question.")
    operator: Operator = strawberry.field(description="How its answer is tested.")
    value: JSON | None = strawberry.field(description="Against what.")


@strawberry.type(description="What there is to choose from at a question.")
class QuestionChoice:
    key: str = strawberry.field(description="What answers take.")
    text: JSON = texts("What a person reads")


@strawberry.type(description="One question of a survey.")
class SurveyQuestion:
    key: str = strawberry.field(description="What answers and conditions name it by.")
    type: QuestionType = strawberry.field(description="What it is answered with.")
    text: JSON = texts("What is asked")
    hint: JSON = texts("What helps to answer it")
    required: bool = strawberry.field(description="Whether it has to be answered where it is asked.")
    least: int | None = strawberry.field(description="Where its scale begins.")
    most: int | None = strawberry.field(description="Where its scale ends.")
    least_label: JSON = texts("What the beginning of its scale means")
    most_label: JSON = texts("What the end of its scale means")
    choices: list[QuestionChoice] = strawberry.field(description="What there is to choose from.")
    conditions: list[QuestionCondition] = strawberry.field(description="It is asked where all of these hold.")


@strawberry.type(description="What a survey asks, in all its languages.")
class Questionnaire:
    title: JSON = texts("What stands above it")
    intro: JSON = texts("What is said before the first question")
    thanks: JSON = texts("What is said at the end")
    questions: list[SurveyQuestion] = strawberry.field(description="What is asked, in order.")
    languages: list[LanguageTag] = strawberry.field(description="The languages that every question is asked in.")


def _by_language(texts: Texts) -> JSON:
    return JSON(dict(texts))


def questionnaire(content: Mapping[str, Any]) -> Questionnaire:
    """Return a questionnaire from its JSON."""
    made = questionnaires.load(content)
    return Questionnaire(
        title=_by_language(made.title),
        intro=_by_language(made.intro),
        thanks=_by_language(made.thanks),
        languages=[LanguageTag(language) for language in made.languages],
        questions=[
            SurveyQuestion(
                key=one.key,
                type=one.type,
                text=_by_language(one.text),
                hint=_by_language(one.hint),
                required=one.required,
                least=one.least,
                most=one.most,
                least_label=_by_language(one.least_label),
                most_label=_by_language(one.most_label),
                choices=[QuestionChoice(key=choice.key, text=_by_language(choice.text)) for choice in one.choices],
                conditions=[
                    QuestionCondition(question=test.question, operator=test.operator, value=test.value)
                    for test in one.conditions
                ],
            )
            for one in made.questions
        ],
    )


def _has_draft(draft: int, published: int | None) -> bool:
    return draft != published


@noun(SurveyVersionRow, description="A survey as it was published, which never changes again.")
class SurveyVersion(Node):
    number: int = column("Counts from 1.")
    questionnaire: Questionnaire = computed(questionnaire, "What it asks.", needs=("content",))
    survey: Annotated["Survey", strawberry.lazy("schema.surveys")] | None = relation(
        SurveyRow, "The survey.", by="survey_id"
    )
    published_at: datetime = column("When it was published.")
    published_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who published it.", by="published_by_id"
    )


@noun(SurveyRow, description="What customers are asked, in versions, and the rule by which they are.")
class Survey(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_SURVEYS, delete=Action.MANAGE_SURVEYS)
    name: str = column("What it is called among colleagues.")
    kind: SurveyKind = column("What it measures.")
    questionnaire: Questionnaire = computed(
        questionnaire, "What is worked on: what version draftNumber asks.", needs=("content",)
    )
    draft_number: int = column("The version that is worked on: that published last until somebody edits it.")
    published_number: int | None = column("The version that customers are sent; null before the first.")
    published_at: datetime | None = column("When that was published.")
    has_draft: bool = computed(
        _has_draft, "Whether it was edited since, or never published.", needs=("draft_number", "published_number")
    )
    after_sale: bool = column("Whether won leads ask by themselves.")
    pipeline: Annotated["Pipeline", strawberry.lazy("schema.pipelines")] | None = relation(
        PipelineRow, "The pipeline whose won leads ask; null: all.", by="pipeline_id"
    )
    delay_days: int = column("How many days after the sale.")
    sample_percent: int = column("About how many of a hundred sales are asked about.")
    pause_days: int = column("For how many days nobody is asked who was asked by any survey.")
    most_reminders: int = column("How often somebody is reminded at most.")
    reminder_days: int = column("After how many days.")
    expires_days: int = column("For how many days it can be answered.")
    detractor_most: int | None = column("Up to which score somebody is a detractor; null: nobody is.")
    promoter_least: int | None = column("From which score on somebody is a promoter; null: nobody is.")
    detractor_follow_up: bool = column("Whether a detractor opens a follow-up for the lead's owner.")
    asks_referral: bool = column("Whether a promoter is asked whom they would recommend us to.")
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")


@strawberry.input(description="Which surveys.")
class SurveyFilter:
    id: IDFilter | None = on("By id.", "id", noun="Survey")
    name: StringFilter | None = on("By name.", "name")
    kind: EnumFilter[SurveyKind] | None = on("By what they measure.", "kind")
    after_sale: BooleanFilter | None = on("By whether they ask after sales.", "after_sale")
    published_at: DateTimeFilter | None = on("By when they were published.", "published_at")
    archived_at: DateTimeFilter | None = on("By when they were archived.", "archived_at")
    and_: "list[SurveyFilter] | None" = junction("and", "All of these pass.")
    or_: "list[SurveyFilter] | None" = junction("or", "Any of these passes.")
    not_: "SurveyFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What surveys can be ordered by.")
class SurveyOrderField(Enum):
    NAME = strawberry.enum_value("name", description="Its name.")


@strawberry.input(description="An order of surveys.")
class SurveyOrder:
    field: SurveyOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.input(description="Which versions of surveys.")
class SurveyVersionFilter:
    id: IDFilter | None = on("By id.", "id", noun="SurveyVersion")
    survey: IDFilter | None = on("By survey.", "survey_id", noun="Survey")
    number: IntFilter | None = on("By number.", "number")
    published_at: DateTimeFilter | None = on("By when they were published.", "published_at")
    and_: "list[SurveyVersionFilter] | None" = junction("and", "All of these pass.")
    or_: "list[SurveyVersionFilter] | None" = junction("or", "Any of these passes.")
    not_: "SurveyVersionFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What versions of surveys can be ordered by.")
class SurveyVersionOrderField(Enum):
    PUBLISHED_AT = strawberry.enum_value("published_at", description="When they were published.")


@strawberry.input(description="An order of versions of surveys.")
class SurveyVersionOrder:
    field: SurveyVersionOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type(description="What somebody answered to one question.")
class SurveyAnswer:
    question: str = strawberry.field(description="The key of the question.")
    value: JSON | None = strawberry.field(
        description="The answer, as its type says. A text is plain: markup in it means nothing. Escape it."
    )


def _answers(answers: Mapping[str, Any]) -> list[SurveyAnswer]:
    return [SurveyAnswer(question=key, value=value) for key, value in answers.items()]


@noun(SurveyResponseRow, description="What one person answered; until submittedAt, as far as they got.")
class SurveyResponse(Node):
    answers: list[SurveyAnswer] = computed(
        _answers, "Their answers, in the order of the questions.", needs=("answers",)
    )
    score: int | None = column("What they answered on the survey's scale.")
    verdict: Verdict | None = column("What that makes of them.")
    verbatim: str | None = column("What they wrote in their own words: plain text, in which markup means nothing.")
    language: LanguageTag = column("In which language they were asked.")
    started_at: datetime = column("When they began.")
    submitted_at: datetime | None = column("When they submitted it; null while they may change it.")
    dispatch: Annotated["SurveyDispatch", strawberry.lazy("schema.surveys")] | None = relation(
        SurveyDispatchRow, "What they were sent.", by="dispatch_id"
    )
    survey: Survey | None = relation(SurveyRow, "The survey.", by="survey_id")
    survey_version: SurveyVersion | None = relation(SurveyVersionRow, "What they were asked.", by="survey_version_id")
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(
        LeadRow, "The lead that it is about, if it is about one.", by="lead_id"
    )
    contact: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "Who answered.", by="contact_id"
    )


@noun(SurveyDispatchRow, description="A survey for one person.")
class SurveyDispatch(Node):
    trigger: DispatchTrigger = column("Why it goes to them.")
    status: DispatchStatus = column("How it stands.")
    skip_reason: SkipReason | None = column("Why it did not go out.")
    language: LanguageTag | None = column("In which language it went out.")
    due_at: datetime | None = column("When it goes out, is brought to mind or ends; null once it is over.")
    reminders: int = column("How often they were reminded.")
    sent_at: datetime | None = column("When it went out.")
    expires_at: datetime | None = column("Until when it can be answered.")
    ended_at: datetime | None = column("When it was over: answered, expired, skipped or cancelled.")
    created_at: datetime = column("When it was asked for.")
    survey: Survey | None = relation(SurveyRow, "The survey.", by="survey_id")
    survey_version: SurveyVersion | None = relation(
        SurveyVersionRow, "The version that went out; null before.", by="survey_version_id"
    )
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(
        LeadRow, "The lead that it is about, if it is about one.", by="lead_id"
    )
    contact: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "Who is asked; of a lead, its primary contact when it is due.", by="contact_id"
    )
    created_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who sent it, where somebody did.", by="created_by_id"
    )


@strawberry.input(description="Which dispatches of surveys.")
class SurveyDispatchFilter:
    id: IDFilter | None = on("By id.", "id", noun="SurveyDispatch")
    survey: IDFilter | None = on("By survey.", "survey_id", noun="Survey")
    lead: IDFilter | None = on("By lead.", "lead_id", noun="Lead")
    contact: IDFilter | None = on("By who is asked.", "contact_id", noun="Contact")
    status: EnumFilter[DispatchStatus] | None = on("By how they stand.", "status")
    trigger: EnumFilter[DispatchTrigger] | None = on("By why they go out.", "trigger")
    skip_reason: EnumFilter[SkipReason] | None = on("By why they did not go out.", "skip_reason")
    due_at: DateTimeFilter | None = on("By when they are due.", "due_at")
    sent_at: DateTimeFilter | None = on("By when they went out.", "sent_at")
    created_at: DateTimeFilter | None = on("By when they were asked for.", "created_at")
    and_: "list[SurveyDispatchFilter] | None" = junction("and", "All of these pass.")
    or_: "list[SurveyDispatchFilter] | None" = junction("or", "Any of these passes.")
    not_: "SurveyDispatchFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What dispatches of surveys can be ordered by.")
class SurveyDispatchOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When they were asked for.")


@strawberry.input(description="An order of dispatches of surveys.")
class SurveyDispatchOrder:
    field: SurveyDispatchOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.input(description="Which responses to surveys.")
class SurveyResponseFilter:
    id: IDFilter | None = on("By id.", "id", noun="SurveyResponse")
    survey: IDFilter | None = on("By survey.", "survey_id", noun="Survey")
    dispatch: IDFilter | None = on("By the dispatch that they answer.", "dispatch_id", noun="SurveyDispatch")
    lead: IDFilter | None = on("By lead.", "lead_id", noun="Lead")
    contact: IDFilter | None = on("By who answered.", "contact_id", noun="Contact")
    score: IntFilter | None = on("By score.", "score")
    verdict: EnumFilter[Verdict] | None = on("By what the score makes of them.", "verdict")
    verbatim: StringFilter | None = on("By what they wrote; `search` finds words faster.", "verbatim")
    language: StringFilter | None = on("By the language they were asked in.", "language")
    started_at: DateTimeFilter | None = on("By when they began.", "started_at")
    submitted_at: DateTimeFilter | None = on("By when they submitted; null while they may change it.", "submitted_at")
    of_lead: Annotated["LeadFilter", strawberry.lazy("schema.leads")] | None = through(
        "By the lead that they are about.", "lead"
    )
    and_: "list[SurveyResponseFilter] | None" = junction("and", "All of these pass.")
    or_: "list[SurveyResponseFilter] | None" = junction("or", "Any of these passes.")
    not_: "SurveyResponseFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What responses to surveys can be ordered by.")
class SurveyResponseOrderField(Enum):
    SUBMITTED_AT = strawberry.enum_value("submitted_at", description="When they were submitted.")
    STARTED_AT = strawberry.enum_value("started_at", description="When they were begun.")


@strawberry.input(description="An order of responses to surveys.")
class SurveyResponseOrder:
    field: SurveyResponseOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@noun(ReferralRow, description="Somebody whom a customer recommended us to.")
class Referral(Node):
    referrer: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "Who recommended us.", by="referrer_id"
    )
    referrer_lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(
        LeadRow, "The lead after which they were asked.", by="referrer_lead_id"
    )
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(
        LeadRow, "The lead that was made of it.", by="lead_id"
    )
    dispatch: SurveyDispatch | None = relation(SurveyDispatchRow, "The survey that asked for it.", by="dispatch_id")
    note: str | None = column("What the referrer says about them: plain text, in which markup means nothing.")
    consent: str = column("The sentence that the referrer agreed to, as they read it.")
    created_at: datetime = column("When they were recommended.")


def dispatches_by(column: str, description: str) -> Any:
    """Declare the surveys for a lead or contact, whose key stands in this column of theirs."""
    return connection(
        "SurveyDispatch",
        "schema.surveys",
        model=SurveyDispatchRow,
        by=column,
        default=NEWEST,
        description=description,
    )


@strawberry.type
class SurveyQueries:
    survey: Survey | None = by_id(SurveyRow, "Survey", "A survey; null where it may not be seen.")
    surveys: Connection[Survey] = connection(
        "Survey",
        "schema.surveys",
        model=SurveyRow,
        default=BY_NAME,
        description="The surveys by name, archived ones included.",
    )
    survey_versions: Connection[SurveyVersion] = connection(
        "SurveyVersion",
        "schema.surveys",
        model=SurveyVersionRow,
        default=(Order("published_at", descending=True),),
        description="What was published of surveys, the last first.",
    )
    survey_dispatches: Connection[SurveyDispatch] = connection(
        "SurveyDispatch",
        "schema.surveys",
        model=SurveyDispatchRow,
        default=NEWEST,
        description="Whom surveys went to or go to, of what the viewer may see, the newest first.",
    )
    survey_responses: Connection[SurveyResponse] = connection(
        "SurveyResponse",
        "schema.surveys",
        model=SurveyResponseRow,
        default=LAST_SUBMITTED,
        description="What was answered, of what the viewer may see: the last submitted first, then what is not yet.",
    )
    referrals: Connection[Referral] = connection(
        "Referral",
        "schema.surveys",
        model=ReferralRow,
        default=NEWEST,
        plain=True,
        description="Whom customers recommended us to, the newest first.",
    )
