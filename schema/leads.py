"""Leads in the schema: what they show, and how lists of them are filtered and ordered."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from domain import moves, policy
from domain.actors import ALL
from domain.policy import Action
from engine.conditions import EVERYTHING, Compare, Exists, Op
from engine.pages import Order
from models.activities import Activity as ActivityRow
from models.campaigns import Campaign as CampaignRow
from models.catalog import LostReason as LostReasonRow
from models.catalog import Source as SourceRow
from models.catalog import Tag as TagRow
from models.companies import Company as CompanyRow
from models.competitors import Competitor as CompetitorRow
from models.contacts import Contact as ContactRow
from models.custom_fields import CustomFieldOwner
from models.events import Event as EventRow
from models.hand_overs import HandOver as HandOverRow
from models.leads import ContactRole, Grade, LeadStatus, Lifecycle
from models.leads import Lead as LeadRow
from models.leads import LeadCompetitor as LeadCompetitorRow
from models.leads import LeadContact as LeadContactRow
from models.needs import Need as NeedRow
from models.pipelines import Pipeline as PipelineRow
from models.products import Product as ProductRow
from models.stages import MoveRequest as MoveRequestRow
from models.stages import MoveRequestStatus
from models.stages import Stage as StageRow
from models.stages import StageTransition as StageTransitionRow
from models.timeline import TimelineEntry as TimelineEntryRow
from models.users import User as UserRow
from schema import ids
from schema.attachments import attachments
from schema.comments import comments_by
from schema.connections import Connection, connection, few
from schema.context import Info
from schema.contracts import contracts_by
from schema.custom_fields import CustomValue, CustomValueFilter, custom_values_of
from schema.errors import UserError, user_error
from schema.events import HistoryEntry
from schema.external_refs import ExternalRef, external_refs_of
from schema.fields import batch, by_id, column, computed, group, noun, relation
from schema.filters import (
    DateFilter,
    DateTimeFilter,
    DecimalFilter,
    EnumFilter,
    FloatFilter,
    IDFilter,
    IntFilter,
    ListFilter,
    StringFilter,
    by_custom_fields,
    flag,
    junction,
    on,
    through,
)
from schema.follow_ups import follow_ups_by
from schema.invoices import invoices_by
from schema.negotiations import negotiations_by
from schema.nodes import Node
from schema.orders import Direction, by_custom_field, by_what, direction
from schema.proposals import proposals_by
from schema.qualification import LeadQualification, qualification_of
from schema.scalars import Money
from schema.score_models import ScoreHistoryEntry, score_history
from schema.surveys import dispatches_by
from schema.watching import viewer_watches, watchers_of_lead

if TYPE_CHECKING:
    from schema.activities import Activity, ActivityFilter
    from schema.attachments import Attachment
    from schema.campaigns import Campaign
    from schema.catalog import LostReason, Source, Tag, TagFilter
    from schema.comments import Comment
    from schema.companies import Company, CompanyFilter
    from schema.competitors import Competitor, CompetitorFilter, LeadCompetitor
    from schema.contacts import Contact, ContactFilter
    from schema.contracts import Contract
    from schema.follow_ups import FollowUp, FollowUpFilter
    from schema.hand_overs import HandOver
    from schema.invoices import Invoice
    from schema.needs import Need
    from schema.negotiations import Negotiation
    from schema.pipelines import Pipeline
    from schema.products import Product
    from schema.proposals import Proposal, ProposalFilter
    from schema.stages import Stage
    from schema.surveys import SurveyDispatch
    from schema.timeline import TimelineEntry
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)
LATEST = (Order("occurred_at", descending=True),)


def at_most_int(value: int | None) -> int | None:
    """Return a count that may be greater than GraphQL's integers as one of them."""
    return None if value is None else min(value, 2**31 - 1)


@strawberry.type(description="What raised or lowered a lead's score.")
class ScoreFactor:
    label: str = strawberry.field(description="What it is, in words.")
    points: float = strawberry.field(description="How many points it gave or took.")
    direction: str = strawberry.field(description="UP or DOWN.")


def win_probability(win_probability: Decimal | None) -> float | None:
    return None if win_probability is None else float(win_probability)


def score_factors(factors: list[dict[str, Any]]) -> list[ScoreFactor]:
    return [ScoreFactor(**{name: factor[name] for name in ("label", "points", "direction")}) for factor in factors]


@strawberry.type(description="Whether a lead may move to a stage.")
class LeadMove:
    stage_key: strawberry.Private[UUID]
    allowed: bool = strawberry.field(description="Whether moveLead would do it.")
    unmet_requirements: list[UserError] = strawberry.field(
        description="What stands against it, as moveLead would say; empty where it is allowed."
    )

    open_criterion_ids: list[strawberry.ID] = strawberry.field(
        description="The criteria of the checklist that the stage asks for and nobody has answered."
    )

    stage: Annotated["Stage", strawberry.lazy("schema.stages")] = relation(StageRow, "The stage.", by="stage_key")


@strawberry.type(description="What the viewer may do with a lead.")
class LeadPermissions:
    update: bool = strawberry.field(description="Change it, and its contacts and needs.")
    qualify: bool = strawberry.field(description="Answer the checklist.")
    hand_over: bool = strawberry.field(description="Hand it over to who is to sell it.")
    decide_hand_over: bool = strawberry.field(description="Accept or return it once it is handed over.")
    assign: bool = strawberry.field(description="Give it to another owner.")
    move: bool = strawberry.field(description="Move it, as far as the stages' rules allow.")
    approve_move: bool = strawberry.field(description="Approve or reject a requested move.")
    close: bool = strawberry.field(description="Close it.")
    reopen: bool = strawberry.field(description="Reopen it once it is closed.")
    delete: bool = strawberry.field(description="Delete and restore it.")
    log_activity: bool = strawberry.field(description="Log activities on it.")


PERMISSIONS = {
    "update": Action.UPDATE_LEAD,
    "qualify": Action.QUALIFY_LEAD,
    "hand_over": Action.HAND_OVER_LEAD,
    "decide_hand_over": Action.DECIDE_HAND_OVER,
    "assign": Action.ASSIGN_LEAD,
    "move": Action.MOVE_LEAD,
    "approve_move": Action.APPROVE_MOVE,
    "close": Action.CLOSE_LEAD,
    "reopen": Action.REOPEN_LEAD,
    "delete": Action.DELETE_LEAD,
    "log_activity": Action.LOG_ACTIVITY,
}


async def _permissions(leads: list[Any], info: Info) -> list[LeadPermissions]:
    actor = info.context.actor
    return [
        LeadPermissions(**{name: policy.may(actor, action, lead) for name, action in PERMISSIONS.items()})
        for lead in leads
    ]


async def _moves(leads: list[LeadRow], info: Info) -> list[list[LeadMove]]:
    if policy.scope(info.context.actor, StageRow) != ALL:
        return [[] for _ in leads]
    board = await _board(leads, info)
    return [
        [_move(info, lead, stage, board) for stage in board.pipeline(lead.pipeline_id) if stage.id != lead.stage_id]
        for lead in leads
    ]


async def _board(leads: list[LeadRow], info: Info) -> moves.Board:
    """Load what moves of leads are judged by."""
    return await moves.board(info.context.actor.workspace_id, [lead.id for lead in leads])


@noun(LeadContactRow, description="A person in a role on a lead.")
class LeadContact(Node):
    contact: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "The person.", by="contact_id"
    )
    role: ContactRole = column("What they are on the lead.")
    is_primary: bool = column("Whether they are the first to talk to; one of a lead's is.")


@noun(StageTransitionRow, description="A move of a lead from one stage to another.")
class StageTransition(Node):
    from_stage: Annotated["Stage", strawberry.lazy("schema.stages")] | None = relation(
        StageRow, "Where it stood; null where it came in.", by="from_stage_id"
    )
    to_stage: Annotated["Stage", strawberry.lazy("schema.stages")] | None = relation(
        StageRow, "Where it went.", by="to_stage_id"
    )
    user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(UserRow, "Who moved it.", by="user_id")
    moved_at: datetime = column("When it was moved.")
    stayed_seconds: int | None = computed(
        at_most_int,
        "How many seconds it had stayed where it stood.",
        needs=("stayed_seconds",),
    )


@noun(MoveRequestRow, description="A move that waits for a manager's approval, or had it.")
class MoveRequest(Node):
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(LeadRow, "The lead.", by="lead_id")
    from_stage: Annotated["Stage", strawberry.lazy("schema.stages")] | None = relation(
        StageRow, "Where it stood.", by="from_stage_id"
    )
    to_stage: Annotated["Stage", strawberry.lazy("schema.stages")] | None = relation(
        StageRow, "Where it is to go.", by="to_stage_id"
    )
    status: MoveRequestStatus = column("How the request stands.")
    note: str | None = column("What the requester wrote.")
    decision_note: str | None = column("What whoever rejected it wrote.")
    requested_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who asked.", by="requested_by_id"
    )
    decided_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who decided.", by="decided_by_id"
    )
    created_at: datetime = column("When it was asked.")
    decided_at: datetime | None = column("When it was decided.")


@noun(LeadRow, description="A possible sale on its way through the pipeline, from first interest to after the sale.")
class Lead(Node):
    title: str = column("What it is about.")
    description: str | None = column("More about it.")
    value: Money | None = group(
        Money, "What it may be worth; null where nobody knows.", amount="value", currency_code="currency"
    )
    pipeline: Annotated["Pipeline", strawberry.lazy("schema.pipelines")] | None = relation(
        PipelineRow, "The pipeline that it walks.", by="pipeline_id"
    )
    stage: Annotated["Stage", strawberry.lazy("schema.stages")] | None = relation(
        StageRow, "The stage that it stands in, or was closed from.", by="stage_id"
    )
    rank: str = column("Its place in the stage; sorts bytewise.")
    status: LeadStatus = column("How it stands.")
    lifecycle: Lifecycle = column("How far it is qualified.")
    lifecycle_chosen_at: datetime | None = column(
        "When a person last said so; null while the workspace's rules say it."
    )
    probability: float = computed(
        float, "The chance to win, 0 to 1: its stage's, and 1 or 0 once closed.", needs=("probability",)
    )
    score: int | None = column("How promising it is, 0 to 100; null until it is scored.")
    grade: Grade | None = column("The score in four classes.")
    score_factors: list[ScoreFactor] = computed(
        score_factors,
        "What raised and lowered the score. Scores and factors of all leads come as CSV from GET /export/scores.csv, "
        "over HTTP with the same token.",
        needs=("score_factors",),
    )
    engagement: int | None = column(
        "How engaged it is, 1 (most) to 4, beside the grade of how well it fits; null where no model of the "
        "workspace's own scores it."
    )
    win_probability: float | None = computed(
        win_probability,
        "How likely it is to be won, 0 to 1, as a learned model foretells it; null without one, and never an outcome.",
        needs=("win_probability",),
    )
    score_history: list[ScoreHistoryEntry] = batch(score_history, "The scores that it had, the last first.")
    scored_at: datetime | None = column(
        "When its score and its reasons were last set. Finding the same again mostly sets nothing."
    )
    owner: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who works on it.", by="owner_id"
    )
    company: Annotated["Company", strawberry.lazy("schema.companies")] | None = relation(
        CompanyRow, "The company that may buy.", by="company_id"
    )
    product: Annotated["Product", strawberry.lazy("schema.products")] | None = relation(
        ProductRow, "What they are most interested in.", by="product_id"
    )
    source: Annotated["Source", strawberry.lazy("schema.catalog")] | None = relation(
        SourceRow, "Where it came from.", by="source_id"
    )
    campaign: Annotated["Campaign", strawberry.lazy("schema.campaigns")] | None = relation(
        CampaignRow, "The campaign that brought it.", by="campaign_id"
    )
    lost_reason: Annotated["LostReason", strawberry.lazy("schema.catalog")] | None = relation(
        LostReasonRow, "Why it was lost.", by="lost_reason_id"
    )
    lost_to: Annotated["Competitor", strawberry.lazy("schema.competitors")] | None = relation(
        CompetitorRow, "The competitor that it was lost to.", by="lost_to_id"
    )
    close_note: str | None = column("What was written when it was closed.")
    expected_close_date: date | None = column("When it is expected to be decided.")
    term_ends_on: date | None = column("When what they have bought ends, such as a contract or a warranty.")
    next_follow_up_at: datetime | None = column(
        "When the first of its open follow-ups is due; null where no next step is planned."
    )
    engaged_at: datetime | None = column("When selling began: when it first stood in a stage that is no intake.")
    stage_entered_at: datetime = column("Since when it stands in its stage.")
    first_activity_at: datetime | None = column("When the first of its activities happened.")
    last_activity_at: datetime | None = column("When the last of its activities happened.")
    first_response_seconds: int | None = computed(
        at_most_int,
        "How many seconds after its capture the customer was first called, mailed, met or touched otherwise.",
        needs=("first_response_seconds",),
    )
    touches: int = column("How many calls, mails, meetings and other touches it had.")
    closed_at: datetime | None = column("When it was closed.")
    created_at: datetime = column("When it was captured.")
    updated_at: datetime = column("When a person last changed it.")
    version: int = column("Rises with every edit by a person.")
    contacts: Connection[LeadContact] = connection(
        "LeadContact",
        "schema.leads",
        model=LeadContactRow,
        by="lead_id",
        default=(Order("is_primary", descending=True),),
        plain=True,
        where=Exists("contact", EVERYTHING),
        description="The people on it, the primary one first.",
    )
    needs: Connection[Annotated["Need", strawberry.lazy("schema.needs")]] = connection(
        "Need",
        "schema.needs",
        model=NeedRow,
        by="lead_id",
        default=(Order("importance", descending=True),),
        plain=True,
        description="What hurts or interests them, the most important first.",
    )
    activities: Connection[Annotated["Activity", strawberry.lazy("schema.activities")]] = connection(
        "Activity",
        "schema.activities",
        model=ActivityRow,
        by="lead_id",
        default=LATEST,
        description="What was done about it, the latest first.",
    )
    referrer: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "The customer who recommended us to them.", by="referrer_id"
    )
    survey_dispatches: Connection[Annotated["SurveyDispatch", strawberry.lazy("schema.surveys")]] = dispatches_by(
        "lead_id", "The surveys about it, the newest first."
    )
    comments: Connection[Annotated["Comment", strawberry.lazy("schema.comments")]] = comments_by(
        "lead_id", "What people say about it, the newest first."
    )
    follow_ups: Connection[Annotated["FollowUp", strawberry.lazy("schema.follow_ups")]] = follow_ups_by(
        "lead_id", "What is and was to be done for it, the first due first."
    )
    proposals: Connection[Annotated["Proposal", strawberry.lazy("schema.proposals")]] = proposals_by(
        "lead_id", "What it was and is offered, the newest first."
    )
    contracts: Connection[Annotated["Contract", strawberry.lazy("schema.contracts")]] = contracts_by(
        "lead_id", "What it has signed or is to sign, the newest first."
    )
    invoices: Connection[Annotated["Invoice", strawberry.lazy("schema.invoices")]] = invoices_by(
        "lead_id", "What it was invoiced and credited, the newest first."
    )
    negotiations: Connection[Annotated["Negotiation", strawberry.lazy("schema.negotiations")]] = negotiations_by(
        "lead_id", "What is or was negotiated with it, the latest first."
    )
    watchers: Connection[Annotated["User", strawberry.lazy("schema.users")]] = watchers_of_lead()
    viewer_watches: bool = viewer_watches()
    competitors: Connection[Annotated["LeadCompetitor", strawberry.lazy("schema.competitors")]] = connection(
        "LeadCompetitor",
        "schema.competitors",
        model=LeadCompetitorRow,
        by="lead_id",
        default=(Order("created_at"),),
        plain=True,
        description="The competitors in play, the first named first.",
    )
    attachments: Connection[Annotated["Attachment", strawberry.lazy("schema.attachments")]] = attachments("lead_id")
    tags: list[Annotated["Tag", strawberry.lazy("schema.catalog")]] = few(
        TagRow, through=("lead_tag", "lead_id", "tag_id"), default=(Order("name"),), most=50, description="Its tags."
    )
    custom: list[CustomValue] = custom_values_of(CustomFieldOwner.LEAD)
    external_refs: list[ExternalRef] = external_refs_of("lead")
    transitions: Connection[StageTransition] = connection(
        "StageTransition",
        "schema.leads",
        model=StageTransitionRow,
        by="lead_id",
        default=(Order("moved_at"),),
        plain=True,
        description="Its way through the stages, from the first.",
    )
    move_requests: Connection[MoveRequest] = connection(
        "MoveRequest",
        "schema.leads",
        model=MoveRequestRow,
        by="lead_id",
        default=NEWEST,
        plain=True,
        description="Moves that somebody asked a manager for, the newest first.",
    )
    hand_overs: Connection[Annotated["HandOver", strawberry.lazy("schema.hand_overs")]] = connection(
        "HandOver",
        "schema.hand_overs",
        model=HandOverRow,
        by="lead_id",
        default=NEWEST,
        plain=True,
        description="How it went from those who qualify to those who sell, the newest hand-over first.",
    )
    qualification: LeadQualification = batch(qualification_of, "What is known of it by the checklist.")
    timeline: Connection[Annotated["TimelineEntry", strawberry.lazy("schema.timeline")]] = connection(
        "TimelineEntry",
        "schema.timeline",
        model=TimelineEntryRow,
        by="lead_id",
        default=LATEST,
        description="All that happened to it, the latest first: activities, moves, comments, files and the rest.",
    )
    history: Connection[HistoryEntry] = connection(
        "HistoryEntry",
        "schema.events",
        model=EventRow,
        by="subject_id",
        default=(Order("occurred_at", descending=True),),
        plain=True,
        where=Compare("subject_type", Op.EQ, "lead"),
        description="Everything that happened to it, the newest first.",
    )

    viewer_can: LeadPermissions = batch(_permissions, "What the viewer may do with it.", needs=("owner_id",))
    moves: list[LeadMove] = batch(
        _moves, "The stages of its pipeline, each with what stands against moving there.", needs=None
    )


def _move(info: Info, row: LeadRow, stage: StageRow, board: moves.Board) -> LeadMove:
    against = moves.unmet(info.context.actor, row, stage, board)
    allowed = not against and policy.may(info.context.actor, Action.MOVE_LEAD, row)
    return LeadMove(
        stage_key=stage.id,
        allowed=allowed,
        unmet_requirements=[user_error(fault) for fault in against],
        open_criterion_ids=[
            ids.encode("QualificationCriterion", criterion.id) for criterion in moves.unanswered(row, stage, board)
        ],
    )


@strawberry.input(description="Which leads.")
class LeadFilter:
    id: IDFilter | None = on("By id.", "id", noun="Lead")
    title: StringFilter | None = on("By title.", "title")
    status: EnumFilter[LeadStatus] | None = on("By status.", "status")
    lifecycle: EnumFilter[Lifecycle] | None = on("By lifecycle.", "lifecycle")
    grade: EnumFilter[Grade] | None = on("By grade.", "grade")
    score: IntFilter | None = on("By score.", "score")
    engagement: IntFilter | None = on("By engagement, 1 (most) to 4.", "engagement")
    win_probability: FloatFilter | None = on("By how likely they are to be won, 0 to 1.", "win_probability")
    value: DecimalFilter | None = on("By the amount of the value, whatever its currency.", "value")
    currency: StringFilter | None = on("By the currency of the value.", "currency")
    pipeline: IDFilter | None = on("By pipeline.", "pipeline_id", noun="Pipeline")
    stage: IDFilter | None = on("By stage.", "stage_id", noun="Stage")
    owner: IDFilter | None = on("By owner.", "owner_id", noun="User")
    product: IDFilter | None = on("By product.", "product_id", noun="Product")
    source: IDFilter | None = on("By source.", "source_id", noun="Source")
    campaign: IDFilter | None = on("By the campaign that brought it.", "campaign_id", noun="Campaign")
    referrer: IDFilter | None = on("By who recommended us to them.", "referrer_id", noun="Contact")
    lost_reason: IDFilter | None = on("By lost reason.", "lost_reason_id", noun="LostReason")
    lost_to: IDFilter | None = on("By the competitor that it was lost to.", "lost_to_id", noun="Competitor")
    company_id: IDFilter | None = on("By company.", "company_id", noun="Company")
    created_at: DateTimeFilter | None = on("By when it was captured.", "created_at")
    updated_at: DateTimeFilter | None = on("By when a person last changed it.", "updated_at")
    engaged_at: DateTimeFilter | None = on("By when selling began.", "engaged_at")
    stage_entered_at: DateTimeFilter | None = on("By when it came into its stage.", "stage_entered_at")
    first_activity_at: DateTimeFilter | None = on("By its first activity.", "first_activity_at")
    last_activity_at: DateTimeFilter | None = on("By its last activity.", "last_activity_at")
    first_response_seconds: IntFilter | None = on(
        "By the seconds from its capture to the first response; null is: none yet.", "first_response_seconds"
    )
    touches: IntFilter | None = on("By how many touches it had.", "touches")
    closed_at: DateTimeFilter | None = on("By when it was closed.", "closed_at")
    expected_close_date: DateFilter | None = on("By when it is expected to be decided.", "expected_close_date")
    term_ends_on: DateFilter | None = on("By when what they have bought ends.", "term_ends_on")
    next_follow_up_at: DateTimeFilter | None = on(
        "By when its next follow-up is due; null is: no next step is planned.", "next_follow_up_at"
    )
    has_next_step: bool | None = flag(
        "Whether a next step is planned: an open follow-up.", Compare("next_follow_up_at", Op.IS_NULL, value=False)
    )
    company: Annotated["CompanyFilter", strawberry.lazy("schema.companies")] | None = through(
        "By its company.", "company"
    )
    contacts: ListFilter[Annotated["ContactFilter", strawberry.lazy("schema.contacts")]] | None = through(
        "By the people on it.", "contacts"
    )
    tags: ListFilter[Annotated["TagFilter", strawberry.lazy("schema.catalog")]] | None = through("By its tags.", "tags")
    activities: ListFilter[Annotated["ActivityFilter", strawberry.lazy("schema.activities")]] | None = through(
        "By what was done about it.", "activities"
    )
    follow_ups: ListFilter[Annotated["FollowUpFilter", strawberry.lazy("schema.follow_ups")]] | None = through(
        "By what is and was to be done for it.", "followUps"
    )
    proposals: ListFilter[Annotated["ProposalFilter", strawberry.lazy("schema.proposals")]] | None = through(
        "By what it was and is offered.", "proposals"
    )
    competitors: ListFilter[Annotated["CompetitorFilter", strawberry.lazy("schema.competitors")]] | None = through(
        "By the competitors in play.", "competitors"
    )
    team: "OwnerTeamFilter | None" = through("By the owner's team.", "membership")
    custom: list[CustomValueFilter] | None = by_custom_fields("By custom fields: all of these tests pass.")
    and_: "list[LeadFilter] | None" = junction("and", "All of these pass.")
    or_: "list[LeadFilter] | None" = junction("or", "Any of these passes.")
    not_: "LeadFilter | None" = junction("not", "This does not pass.")


@strawberry.input(description="Which teams owners are in.")
class OwnerTeamFilter:
    id: IDFilter | None = on("By team.", "team_id", noun="Team")


@strawberry.enum(description="What leads can be ordered by.")
class LeadOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was captured.")
    UPDATED_AT = strawberry.enum_value("updated_at", description="When a person last changed it.")
    SCORE = strawberry.enum_value("score", description="Its score.")
    WIN_PROBABILITY = strawberry.enum_value("win_probability", description="How likely it is to be won.")
    VALUE = strawberry.enum_value("value", description="The amount of its value, whatever the currency.")
    EXPECTED_CLOSE_DATE = strawberry.enum_value("expected_close_date", description="When it is to be decided.")
    CLOSED_AT = strawberry.enum_value("closed_at", description="When it was closed.")
    LAST_ACTIVITY_AT = strawberry.enum_value("last_activity_at", description="When its last activity happened.")
    NEXT_FOLLOW_UP_AT = strawberry.enum_value("next_follow_up_at", description="When its next follow-up is due.")
    TERM_ENDS_ON = strawberry.enum_value("term_ends_on", description="When what they have bought ends.")
    RANK = strawberry.enum_value("rank", description="Its place in its stage.")
    COMPANY_NAME = strawberry.enum_value(
        "company.name_normalised", description="Its company's name; slow where there are very many leads."
    )
    OWNER_NAME = strawberry.enum_value(
        "owner.name", description="Its owner's name; slow where there are very many leads."
    )
    STAGE_POSITION = strawberry.enum_value(
        "stage.position", description="Its stage's place in the pipeline; slow where there are very many leads."
    )


@strawberry.input(description="An order of leads.")
class LeadOrder:
    field: LeadOrderField | None = by_what()
    custom: str | None = by_custom_field()
    direction: Direction = direction()


@strawberry.type
class LeadQueries:
    leads: Connection[Lead] = connection(
        "Lead", "schema.leads", model=LeadRow, default=NEWEST, description="The leads that the viewer may see."
    )

    lead: Lead | None = by_id(LeadRow, "Lead", "A lead; null where it is missing, deleted or may not be seen.")

    @strawberry.field(description="Whether a lead may move to a stage, and what stands against it.")
    async def can_move_lead(
        self,
        info: Info,
        lead_id: Annotated[strawberry.ID, strawberry.argument(description="The lead.")],
        stage_id: Annotated[strawberry.ID, strawberry.argument(description="The stage.")],
    ) -> LeadMove | None:
        row = await info.context.row(LeadRow, ids.decode(lead_id, "Lead", field="leadId"))
        stage = await info.context.row(StageRow, ids.decode(stage_id, "Stage", field="stageId"))
        return _move(info, row, stage, await _board([row], info)) if row and stage else None
