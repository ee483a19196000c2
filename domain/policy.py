"""Who may do what, and what exists for whom, on one page.

`RULES` answers "may they": an action is allowed where any of its rules says so. `scope` answers "what exists for
them", as data, from which the queryset of `visible`, the reading engine's predicate and the live hub's test are
all derived. An API key needs the scope `noun:write` for an action besides, and `noun:read` to see a noun.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from tortoise.expressions import Q
from tortoise.models import Model
from tortoise.queryset import QuerySet

from domain.actors import ALL, NONE, Actor, ActorKind, Scope
from domain.errors import Forbidden, NotFound, Stale, words_of
from models import rows
from models.activities import Activity, ActivityParticipant, ActivityType
from models.api_keys import ApiKey
from models.attachments import Attachment
from models.bulks import Bulk, BulkRow
from models.calendar_feeds import CalendarFeed
from models.campaigns import Campaign, CampaignMember
from models.catalog import LostReason, Source, Tag
from models.companies import Company
from models.competitors import Competitor
from models.contacts import Contact
from models.contracts import Contract
from models.conversations import Comment, Notification
from models.custom_fields import CustomField
from models.database import remembered
from models.deliveries import Delivery, MailTemplate, Suppression
from models.documents import Document, DocumentTemplate
from models.exchange_rates import ExchangeRate
from models.follow_ups import FollowUp, FollowUpPlan, FollowUpPlanStep, Holiday
from models.hand_overs import HandOver
from models.imports import Import, ImportFault
from models.invoices import Invoice, Payment, PaymentNotice, PaymentProvider
from models.leads import Lead, LeadCompetitor, LeadContact
from models.needs import Need
from models.negotiations import Negotiation, NegotiationComment, Offer
from models.pipelines import Pipeline
from models.products import Product
from models.proposal_links import Evidence, ProposalLink, ProposalQuestion, ProposalView
from models.proposals import Approval, ApprovalRule, Proposal, ProposalLine, ProposalVersion
from models.qualification import QualificationAnswer, QualificationCriterion
from models.reminders import Device, Reminder, ReminderSettings
from models.saved_views import SavedView, Sharing
from models.scoring import ScoreDrift, ScoreModel, ScoreModelVersion, ScoreTraining
from models.selling import SellingSettings
from models.sessions import Invitation
from models.stages import MoveRequest, Stage, StageTransition
from models.surveys import Referral, Survey, SurveyDispatch, SurveyResponse, SurveyVersion
from models.teams import Team
from models.timeline import TimelineEntry
from models.users import Membership, Role, Visibility


class Action(StrEnum):
    """What a member may do, or may not: each with its words, as in "You may not import files"."""

    UPDATE_WORKSPACE = "workspace.update", "change what is set for the whole workspace"
    MANAGE_USERS = "user.manage", "invite members, and change their role and team"
    SET_ABSENCE = "user.set_absence", "say when members are away and who stands in for them"
    MANAGE_TEAMS = "team.manage", "make, change and delete teams"
    MANAGE_API_KEYS = "apikey.manage", "make and revoke API keys"
    MANAGE_PIPELINES = "pipeline.manage", "make and change pipelines and stages"
    MANAGE_CATALOG = "catalog.manage", "make and change sources, lost reasons and types of activities"
    MANAGE_CAMPAIGNS = "campaign.manage", "make and change campaigns, and say who takes part in them"
    MANAGE_CUSTOM_FIELDS = "customfield.manage", "make and change custom fields"
    MANAGE_COMPETITORS = "competitor.manage", "make and change competitors"
    MANAGE_QUALIFICATION = "catalog.qualification", "set the checklist by which leads are qualified"
    MANAGE_PRODUCTS = "product.manage", "make and change products"
    SET_EXCHANGE_RATE = "exchangerate.set", "set exchange rates"
    IMPORT = "import.start", "import files"
    CAPTURE_LEAD = "lead.capture", "capture leads"
    UPDATE_LEAD = "lead.update", "change leads"
    QUALIFY_LEAD = "lead.qualify", "answer the checklist of leads"
    HAND_OVER_LEAD = "lead.hand_over", "hand leads over to sales"
    DECIDE_HAND_OVER = "lead.decide_hand_over", "accept and return leads that are handed over"
    ASSIGN_LEAD = "lead.assign", "hand leads to their owners"
    MOVE_LEAD = "lead.move", "move leads between stages"
    APPROVE_MOVE = "lead.approve_move", "approve and reject requested moves"
    CLOSE_LEAD = "lead.close", "close leads as won, lost or disqualified"
    REOPEN_LEAD = "lead.reopen", "reopen closed leads"
    DELETE_LEAD = "lead.delete", "delete and restore leads"
    CANCEL_BULK = "lead.cancel_bulk", "cancel work on many leads"
    NEGOTIATE = "negotiation.negotiate", "negotiate with customers"
    APPROVE_OFFER = "negotiation.approve", "approve and reject offers beyond the guard rails, and loosen these"
    CREATE_COMPANY = "company.create", "add companies"
    UPDATE_COMPANY = "company.update", "change companies"
    DELETE_COMPANY = "company.delete", "delete and restore companies"
    CREATE_CONTACT = "contact.create", "add contacts"
    UPDATE_CONTACT = "contact.update", "change contacts"
    DELETE_CONTACT = "contact.delete", "delete and restore contacts"
    TAG = "tag.manage", "make tags, and tag leads"
    LOG_ACTIVITY = "activity.log", "log activities"
    LOG_FOR_OTHERS = "activity.log_for_others", "log what others did"
    UPDATE_ACTIVITY = "activity.update", "change, delete and restore activities"
    ATTACH_FILE = "attachment.create", "attach files to leads, companies and contacts"
    DELETE_ATTACHMENT = "attachment.delete", "rename, delete and restore attached files"
    SAVE_VIEW = "savedview.save", "save views"
    UPDATE_VIEW = "savedview.update", "change and delete saved views"
    SHARE_VIEW = "savedview.share", "share views with everybody"
    WATCH_LEAD = "lead.watch", "watch leads"
    COMMENT = "comment.create", "comment on leads, companies and contacts"
    UPDATE_COMMENT = "comment.update", "change comments"
    DELETE_COMMENT = "comment.delete", "delete comments"
    RESTORE_COMMENT = "comment.restore", "restore deleted comments"
    CREATE_FOLLOW_UP = "followup.create", "plan follow-ups"
    UPDATE_FOLLOW_UP = "followup.update", "change, complete and cancel follow-ups"
    APPLY_PLAN = "followup.apply_plan", "lay out plans of follow-ups for leads"
    MANAGE_PLANS = "followup.manage_plans", "make and change plans of follow-ups"
    MANAGE_HOLIDAYS = "catalog.holidays", "say on which days the workspace does not work"
    READ_NOTIFICATIONS = "notification.read", "mark notifications as read"
    MANAGE_MAIL = "mail.manage", "manage the words of mails, suppressed addresses and failed deliveries"
    SET_REMINDERS = "notification.set", "say how they are reminded, and on which devices"
    MANAGE_SURVEYS = "survey.manage", "make, change, publish and archive surveys"
    MANAGE_SCORING = "scoremodel.manage", "make, train and use models that score leads"
    DISPATCH_SURVEY = "survey.dispatch", "send surveys to customers, and cancel those that are on their way"
    MANAGE_DOCUMENTS = "document.manage", "set the templates of documents"
    MANAGE_SELLING = "selling.manage", "set how the workspace sells, and what needs approval"
    CREATE_PROPOSAL = "proposal.create", "make proposals"
    UPDATE_PROPOSAL = "proposal.update", "change proposals, and ask for their approval"
    APPROVE_PROPOSAL = "proposal.approve", "approve and reject proposals, where a rule names their role"
    SEND_PROPOSAL = "proposal.send", "send and withdraw proposals"
    DELETE_PROPOSAL = "proposal.delete", "delete proposals that were never sent"
    SHARE_PROPOSAL = "proposal.share", "make, see and revoke customers' links to proposals"
    ANSWER_QUESTION = "proposal.answer_question", "answer what customers ask about proposals"
    RECORD_ANSWER = "proposal.record_answer", "record what customers answered to proposals"
    CREATE_CONTRACT = "contract.create", "make contracts, and cancel those that are not signed"
    SIGN_CONTRACT = "contract.sign", "sign contracts for the seller"
    ISSUE_INVOICE = "invoice.issue", "issue invoices, and cancel those that are planned"
    CREDIT_INVOICE = "invoice.credit", "credit invoices"
    RECORD_PAYMENT = "payment.record", "record and reverse payments"
    MANAGE_PROVIDERS = "payment.providers", "say who tells of payments, and settle what could not be taken"

    words: str

    def __new__(cls, value: str, words: str) -> "Action":
        action = str.__new__(cls, value)
        action._value_ = value
        action.words = words
        return action

    @property
    def noun(self) -> str:
        return self.value.partition(".")[0]


Rule = Callable[[Actor, Any], bool]


def roles(*allowed: Role) -> Rule:
    return lambda actor, subject: actor.role in allowed


def owner(*allowed: Role) -> Rule:
    """These roles, on what they own."""
    return lambda actor, subject: actor.role in allowed and _is(actor, subject, "owner_id")


def author(*allowed: Role) -> Rule:
    """These roles, on what they did or wrote themselves."""
    return lambda actor, subject: actor.role in allowed and _is(actor, subject, "user_id")


def logger(*allowed: Role) -> Rule:
    """These roles, on what they did themselves, or logged for somebody else."""
    return lambda actor, subject: (
        actor.role in allowed and (_is(actor, subject, "user_id") or _is(actor, subject, "logged_by_id"))
    )


def creator(*allowed: Role) -> Rule:
    """These roles, on what they made, whosever it is."""
    return lambda actor, subject: actor.role in allowed and _is(actor, subject, "created_by_id")


def lead_owner(*allowed: Role) -> Rule:
    """These roles, on what hangs on leads that they own."""
    return lambda actor, subject: actor.role in allowed and _is(actor, subject, "lead_owner_id")


def deleter(*allowed: Role) -> Rule:
    """These roles, on what they wrote and deleted themselves."""
    return lambda actor, subject: author(*allowed)(actor, subject) and _is(actor, subject, "deleted_by_id")


def _is(actor: Actor, subject: Any, column: str) -> bool:
    return subject is not None and actor.user_id is not None and getattr(subject, column) == actor.user_id


ADMIN, MANAGER, REP = Role.ADMIN, Role.MANAGER, Role.REP
QUALIFIER, MARKETER = Role.QUALIFIER, Role.MARKETER

RULES: dict[Action, list[Rule]] = {
    Action.UPDATE_WORKSPACE: [roles(ADMIN)],
    Action.MANAGE_USERS: [roles(ADMIN)],
    Action.SET_ABSENCE: [roles(ADMIN, MANAGER)],
    Action.MANAGE_TEAMS: [roles(ADMIN)],
    Action.MANAGE_API_KEYS: [roles(ADMIN)],
    Action.MANAGE_PIPELINES: [roles(ADMIN)],
    Action.MANAGE_CATALOG: [roles(ADMIN, MANAGER)],
    Action.MANAGE_CAMPAIGNS: [roles(ADMIN, MANAGER, MARKETER)],
    Action.MANAGE_CUSTOM_FIELDS: [roles(ADMIN)],
    Action.MANAGE_COMPETITORS: [roles(ADMIN, MANAGER, REP, QUALIFIER, MARKETER)],
    Action.MANAGE_QUALIFICATION: [roles(ADMIN, MANAGER)],
    Action.MANAGE_PRODUCTS: [roles(ADMIN, MANAGER)],
    Action.SET_EXCHANGE_RATE: [roles(ADMIN)],
    Action.IMPORT: [roles(ADMIN, MANAGER, MARKETER)],
    Action.CAPTURE_LEAD: [roles(ADMIN, MANAGER, REP, QUALIFIER, MARKETER)],
    Action.UPDATE_LEAD: [roles(ADMIN, MANAGER, QUALIFIER), owner(REP, MARKETER)],
    Action.QUALIFY_LEAD: [roles(ADMIN, MANAGER, QUALIFIER, MARKETER), owner(REP)],
    Action.HAND_OVER_LEAD: [roles(ADMIN, MANAGER, QUALIFIER, MARKETER)],
    Action.DECIDE_HAND_OVER: [roles(ADMIN, MANAGER), owner(REP, QUALIFIER, MARKETER)],
    Action.ASSIGN_LEAD: [roles(ADMIN, MANAGER, QUALIFIER)],
    Action.MOVE_LEAD: [roles(ADMIN, MANAGER, QUALIFIER), owner(REP)],
    Action.APPROVE_MOVE: [roles(ADMIN, MANAGER)],
    Action.CLOSE_LEAD: [roles(ADMIN, MANAGER, QUALIFIER), owner(REP)],
    Action.REOPEN_LEAD: [roles(ADMIN, MANAGER), owner(REP)],
    Action.DELETE_LEAD: [roles(ADMIN, MANAGER), owner(REP)],
    Action.CANCEL_BULK: [roles(ADMIN, MANAGER), owner(REP, QUALIFIER, MARKETER)],
    Action.NEGOTIATE: [roles(ADMIN, MANAGER, QUALIFIER), owner(REP)],
    Action.APPROVE_OFFER: [roles(ADMIN, MANAGER)],
    Action.CREATE_COMPANY: [roles(ADMIN, MANAGER, REP, QUALIFIER, MARKETER)],
    Action.UPDATE_COMPANY: [roles(ADMIN, MANAGER, REP, QUALIFIER, MARKETER)],
    Action.DELETE_COMPANY: [roles(ADMIN, MANAGER)],
    Action.CREATE_CONTACT: [roles(ADMIN, MANAGER, REP, QUALIFIER, MARKETER)],
    Action.UPDATE_CONTACT: [roles(ADMIN, MANAGER, REP, QUALIFIER, MARKETER)],
    Action.DELETE_CONTACT: [roles(ADMIN, MANAGER)],
    Action.TAG: [roles(ADMIN, MANAGER, REP, QUALIFIER, MARKETER)],
    Action.LOG_ACTIVITY: [roles(ADMIN, MANAGER, REP, QUALIFIER, MARKETER)],
    Action.LOG_FOR_OTHERS: [roles(ADMIN, MANAGER, QUALIFIER)],
    Action.UPDATE_ACTIVITY: [roles(ADMIN, MANAGER), logger(REP, QUALIFIER, MARKETER)],
    Action.ATTACH_FILE: [roles(ADMIN, MANAGER, REP, QUALIFIER, MARKETER)],
    Action.DELETE_ATTACHMENT: [roles(ADMIN, MANAGER), author(REP, QUALIFIER, MARKETER)],
    Action.SAVE_VIEW: [roles(*Role)],
    Action.UPDATE_VIEW: [roles(ADMIN, MANAGER), owner(*Role)],
    Action.SHARE_VIEW: [roles(ADMIN, MANAGER)],
    Action.WATCH_LEAD: [roles(*Role)],
    Action.COMMENT: [roles(ADMIN, MANAGER, REP, QUALIFIER, MARKETER)],
    Action.UPDATE_COMMENT: [author(ADMIN, MANAGER, REP, QUALIFIER, MARKETER)],
    Action.DELETE_COMMENT: [roles(ADMIN, MANAGER), author(REP, QUALIFIER, MARKETER)],
    Action.RESTORE_COMMENT: [roles(ADMIN, MANAGER), deleter(REP, QUALIFIER, MARKETER)],
    Action.CREATE_FOLLOW_UP: [roles(ADMIN, MANAGER, REP, QUALIFIER, MARKETER)],
    Action.UPDATE_FOLLOW_UP: [
        roles(ADMIN, MANAGER, QUALIFIER),
        owner(REP, MARKETER),
        creator(REP, MARKETER),
        lead_owner(REP, MARKETER),
    ],
    Action.APPLY_PLAN: [roles(ADMIN, MANAGER, QUALIFIER), owner(REP, MARKETER)],
    Action.MANAGE_PLANS: [roles(ADMIN, MANAGER)],
    Action.MANAGE_HOLIDAYS: [roles(ADMIN, MANAGER)],
    Action.READ_NOTIFICATIONS: [roles(*Role)],
    Action.MANAGE_MAIL: [roles(ADMIN, MANAGER)],
    Action.SET_REMINDERS: [roles(*Role)],
    Action.MANAGE_SURVEYS: [roles(ADMIN, MANAGER, MARKETER)],
    Action.MANAGE_SCORING: [roles(ADMIN, MANAGER)],
    Action.DISPATCH_SURVEY: [roles(ADMIN, MANAGER, QUALIFIER, MARKETER), owner(REP)],
    Action.MANAGE_DOCUMENTS: [roles(ADMIN, MANAGER)],
    Action.MANAGE_SELLING: [roles(ADMIN)],
    Action.CREATE_PROPOSAL: [roles(ADMIN, MANAGER, QUALIFIER), owner(REP)],
    Action.UPDATE_PROPOSAL: [roles(ADMIN, MANAGER, QUALIFIER), owner(REP)],
    Action.APPROVE_PROPOSAL: [roles(*Role)],
    Action.SEND_PROPOSAL: [roles(ADMIN, MANAGER, QUALIFIER), owner(REP)],
    Action.DELETE_PROPOSAL: [roles(ADMIN, MANAGER, QUALIFIER), owner(REP)],
    Action.SHARE_PROPOSAL: [roles(ADMIN, MANAGER, QUALIFIER), owner(REP)],
    Action.ANSWER_QUESTION: [roles(ADMIN, MANAGER, QUALIFIER), owner(REP)],
    Action.RECORD_ANSWER: [roles(ADMIN, MANAGER, QUALIFIER), owner(REP)],
    Action.CREATE_CONTRACT: [roles(ADMIN, MANAGER), owner(REP)],
    Action.SIGN_CONTRACT: [roles(ADMIN, MANAGER), owner(REP)],
    Action.ISSUE_INVOICE: [roles(ADMIN, MANAGER), owner(REP)],
    Action.CREDIT_INVOICE: [roles(ADMIN, MANAGER)],
    Action.RECORD_PAYMENT: [roles(ADMIN, MANAGER)],
    Action.MANAGE_PROVIDERS: [roles(ADMIN)],
}

DEFAULT_VISIBILITY: dict[Role, Visibility] = {
    Role.ADMIN: Visibility.ALL,
    Role.MANAGER: Visibility.TEAM,
    Role.REP: Visibility.OWN,
    Role.QUALIFIER: Visibility.ALL,
    Role.MARKETER: Visibility.ALL,
    Role.VIEWER: Visibility.ALL,
}

# The API key scope that shows a noun. Nouns of ROW_VISIBILITY are limited by it as well.
READ_SCOPES: dict[type[Model], str] = {
    Lead: "lead:read",
    LeadContact: "lead:read",
    LeadCompetitor: "lead:read",
    Need: "lead:read",
    TimelineEntry: "lead:read",
    Activity: "activity:read",
    ActivityParticipant: "activity:read",
    StageTransition: "lead:read",
    MoveRequest: "lead:read",
    Attachment: "attachment:read",
    HandOver: "lead:read",
    QualificationAnswer: "lead:read",
    Comment: "comment:read",
    Notification: "notification:read",
    Reminder: "notification:read",
    ReminderSettings: "notification:read",
    Device: "notification:read",
    FollowUp: "followup:read",
    FollowUpPlan: "followup:read",
    FollowUpPlanStep: "followup:read",
    Holiday: "catalog:read",
    CalendarFeed: "notification:read",
    Delivery: "mail:read",
    Suppression: "mail:read",
    MailTemplate: "mail:read",
    Company: "company:read",
    Contact: "contact:read",
    CustomField: "customfield:read",
    Product: "product:read",
    Pipeline: "pipeline:read",
    Stage: "pipeline:read",
    Source: "catalog:read",
    Campaign: "campaign:read",
    CampaignMember: "campaign:read",
    LostReason: "catalog:read",
    Tag: "catalog:read",
    ActivityType: "catalog:read",
    Competitor: "catalog:read",
    QualificationCriterion: "catalog:read",
    ExchangeRate: "catalog:read",
    Team: "user:read",
    Membership: "user:read",
    Invitation: "user:read",
    ApiKey: "apikey:read",
    Import: "import:read",
    ImportFault: "import:read",
    SavedView: "savedview:read",
    Bulk: "lead:read",
    BulkRow: "lead:read",
    Survey: "survey:read",
    SurveyVersion: "survey:read",
    ScoreModel: "scoremodel:read",
    ScoreModelVersion: "scoremodel:read",
    ScoreTraining: "scoremodel:read",
    ScoreDrift: "scoremodel:read",
    SurveyDispatch: "survey:read",
    SurveyResponse: "survey:read",
    Referral: "lead:read",
    Negotiation: "negotiation:read",
    Offer: "negotiation:read",
    NegotiationComment: "negotiation:read",
    SellingSettings: "selling:read",
    ApprovalRule: "selling:read",
    Proposal: "proposal:read",
    ProposalVersion: "proposal:read",
    ProposalLine: "proposal:read",
    Approval: "proposal:read",
    ProposalLink: "proposal:read",
    ProposalView: "proposal:read",
    ProposalQuestion: "proposal:read",
    Evidence: "proposal:read",
    Contract: "contract:read",
    Invoice: "invoice:read",
    Document: "document:read",
    DocumentTemplate: "document:read",
    Payment: "payment:read",
    PaymentProvider: "payment:read",
    PaymentNotice: "payment:read",
}
# Whose rows exist for those who see some people's only: by a column of their own, or of what they hang on.
ROW_VISIBILITY: dict[type[Model], str] = {
    Lead: "owner_id",
    LeadContact: "lead__owner_id",
    LeadCompetitor: "lead__owner_id",
    Need: "lead__owner_id",
    Activity: "lead__owner_id",
    TimelineEntry: "lead__owner_id",
    StageTransition: "lead__owner_id",
    MoveRequest: "lead__owner_id",
    Attachment: "lead__owner_id",
    Bulk: "user_id",
    BulkRow: "user_id",
    HandOver: "lead__owner_id",
    QualificationAnswer: "lead__owner_id",
    Comment: "lead__owner_id",
    FollowUp: "lead__owner_id",
    Notification: "lead__owner_id",
    Reminder: "lead__owner_id",
    SurveyDispatch: "lead__owner_id",
    SurveyResponse: "lead__owner_id",
    Referral: "lead__owner_id",
    Negotiation: "lead__owner_id",
    Offer: "lead__owner_id",
    NegotiationComment: "lead__owner_id",
    Proposal: "lead__owner_id",
    ProposalVersion: "lead__owner_id",
    ProposalLine: "lead__owner_id",
    Approval: "lead__owner_id",
    ProposalLink: "lead__owner_id",
    ProposalView: "lead__owner_id",
    ProposalQuestion: "lead__owner_id",
    Evidence: "lead__owner_id",
    Contract: "lead__owner_id",
    Invoice: "lead__owner_id",
    Document: "lead__owner_id",
    Payment: "lead__owner_id",
}
# Rows of these exist as well for those who see the leads of somebody named here, wherever the lead is by now.
TAKEN_PART: dict[type[Model], tuple[str, ...]] = {HandOver: ("from_user_id", "to_user_id")}
# What exists for its owner, and for those whom they share it with: everybody, or their team and the teams within it.
SHARED: frozenset[type[Model]] = frozenset({SavedView})
# What exists only for whom it is meant: the column that says so.
PERSONAL: dict[type[Model], str] = {
    Notification: "user_id",
    Reminder: "user_id",
    ReminderSettings: "user_id",
    Device: "user_id",
    CalendarFeed: "user_id",
    Delivery: "user_id",
}
# Roles for whom the personal rows of everybody exist: who answers for whether messages arrive.
OVERSEEN: dict[type[Model], frozenset[Role]] = {Delivery: frozenset({ADMIN, MANAGER})}
# What only some roles see. A file's faults quote its rows, whose leads the others may not see.
SEEN_BY: dict[type[Model], frozenset[Role]] = {
    ApiKey: frozenset({ADMIN}),
    Invitation: frozenset({ADMIN}),
    Import: frozenset({ADMIN, MANAGER, MARKETER}),
    ImportFault: frozenset({ADMIN, MANAGER, MARKETER}),
    PaymentProvider: frozenset({ADMIN}),
    PaymentNotice: frozenset({ADMIN}),
    Suppression: frozenset({ADMIN, MANAGER}),
    MailTemplate: frozenset({ADMIN, MANAGER}),
    DocumentTemplate: frozenset({ADMIN, MANAGER}),
}
API_SCOPES = frozenset(set(READ_SCOPES.values()) | {f"{action.noun}:write" for action in Action} - {"apikey:write"})

Subject = TypeVar("Subject", bound=Model)


def may(actor: Actor, action: Action, subject: Any = None) -> bool:
    """Say whether the actor may do this, to this subject where it has one."""
    if actor.kind is ActorKind.SYSTEM:
        return True
    return _is_in_scopes(actor, action) and any(rule(actor, subject) for rule in RULES[action])


def may_own(actor: Actor, action: Action) -> bool:
    """Say whether the actor may do this to what they own."""
    return may(actor, action, _Owned(actor.user_id))


@dataclass(frozen=True, slots=True)
class _Owned:
    """Something that is somebody's in every way that rules ask for."""

    owner_id: UUID | None

    @property
    def user_id(self) -> UUID | None:
        return self.owner_id

    @property
    def deleted_by_id(self) -> UUID | None:
        return self.owner_id

    @property
    def logged_by_id(self) -> UUID | None:
        return self.owner_id

    @property
    def created_by_id(self) -> UUID | None:
        return self.owner_id

    @property
    def lead_owner_id(self) -> UUID | None:
        return self.owner_id


def _is_in_scopes(actor: Actor, action: Action) -> bool:
    return actor.scopes is None or f"{action.noun}:write" in actor.scopes


def require(actor: Actor, action: Action, subject: Any = None) -> None:
    """Raise Forbidden unless the actor may do this."""
    if not may(actor, action, subject):
        raise refusal(actor, action)


def require_own(actor: Actor, action: Action) -> None:
    """Raise Forbidden unless the actor may do this to what they own."""
    if not may_own(actor, action):
        raise refusal(actor, action)


def refusal(actor: Actor, action: Action) -> Forbidden:
    """Return what says that an actor may not do this, and how far they may."""
    return Forbidden(action=_refused(actor, action))


def _refused(actor: Actor, action: Action) -> str:
    """Say in words what the actor may not do, and how far they may."""
    if not _is_in_scopes(actor, action):
        return f"{action.words}, since the API key lacks the scope {action.noun}:write"
    if may_own(actor, action):
        return f"{action.words}, except those that you own"
    return action.words


def scope(actor: Actor, noun: type[Model]) -> Scope:
    """Return what exists of a noun for the actor."""
    if actor.kind is ActorKind.SYSTEM:
        return ALL
    if actor.scopes is not None and READ_SCOPES[noun] not in actor.scopes:
        return NONE
    if actor.role is None or actor.role not in SEEN_BY.get(noun, Role):
        return NONE
    if noun in SHARED:
        return Scope(frozenset({actor.user_id} if actor.user_id else ()), actor.teams)
    if noun not in ROW_VISIBILITY:
        return ALL
    # What hangs on leads tells of them.
    return NONE if actor.scopes is not None and READ_SCOPES[Lead] not in actor.scopes else actor.rows


def visible(actor: Actor, noun: type[Subject]) -> QuerySet[Subject]:
    """Return the rows of a noun that exist for the actor, deleted ones included."""
    rows = noun.filter(workspace_id=actor.workspace_id)
    if (person := whose(actor, noun)) is not None:
        rows = rows.filter(**{person: actor.user_id})
    seen = scope(actor, noun)
    owners = seen.owners
    if owners is None:
        return rows
    if noun in SHARED and owners:
        shared = Q(visibility=Sharing.ALL) | Q(visibility=Sharing.TEAM, team_id__in=seen.teams)
        return rows.filter(Q(owner_id__in=owners) | shared)
    column = ROW_VISIBILITY.get(noun)
    if not column or not owners:
        return rows.filter(id__in=[])
    columns = (column, *TAKEN_PART.get(noun, ()))
    owned = Q(*(Q(**{f"{name}__in": owners}) for name in columns), join_type=Q.OR)  # type: ignore[arg-type]
    return rows.filter(owned if needs_lead(noun) else owned | Q(lead_id=None))


def own_column(noun: type[Model]) -> str | None:
    """Return the column of a noun with row visibility that says whose its rows are, where it has one of its own."""
    column = ROW_VISIBILITY.get(noun)
    return column if column and "__" not in column else None


def whose(actor: Actor, noun: type[Model]) -> str | None:
    """Return the column of a personal noun that must name the actor."""
    oversees = actor.kind is ActorKind.SYSTEM or actor.role in OVERSEEN.get(noun, ())
    return None if oversees else PERSONAL.get(noun)


def needs_lead(noun: type[Model]) -> bool:
    """Say whether a row of a noun with row visibility is nobody's without a lead; else one without exists for all."""
    return own_column(noun) is not None or not noun._meta.fields_map["lead_id"].null


async def get(actor: Actor, noun: type[Subject], key: UUID, *, field: str | None = None) -> Subject:
    """Return a row that exists for the actor; raises NotFound."""
    workspace_id = actor.workspace_id
    row = await remembered((noun, key), lambda: rows.read(noun, key, workspace_id=workspace_id))
    if row is None or getattr(row, "deleted_at", None) is not None or not await _exists(actor, noun, row):
        raise _missing(noun, field)
    return row


def seen(actor: Actor, noun: type[Subject], row: Subject | None, *, field: str | None = None) -> Subject:
    """Return a row of the actor's workspace that was read already, of a noun that all or nothing exists of.

    Raises NotFound.
    """
    if row is None or scope(actor, noun) != ALL:
        raise _missing(noun, field)
    return row


async def locked(
    actor: Actor,
    noun: type[Subject],
    key: UUID,
    *,
    expected_version: int | None = None,
    deleted: bool = False,
    field: str | None = "id",
) -> Subject:
    """Return a row that exists for the actor, locked until the transaction ends.

    Within `in_one_go` it is not locked, but cannot be written once somebody else has changed it. Deleted rows are
    found only with `deleted`. Raises NotFound, and Stale with the current row.
    """
    row = await rows.to_edit(noun, key, workspace_id=actor.workspace_id)
    if row is None or not await _exists(actor, noun, row):
        raise _missing(noun, field)
    if not deleted and getattr(row, "deleted_at", None) is not None:
        raise _missing(noun, field)
    version = getattr(row, "version", None)
    if expected_version is not None and version is not None and version != expected_version:
        stale = Stale(noun=words_of(noun.__name__), version=version, expected=expected_version, field="expectedVersion")
        stale.current = row
        raise stale
    return row


async def _exists(actor: Actor, noun: type[Model], row: Model) -> bool:
    """Say whether a row of the actor's workspace exists for them; what reads or locks it joins nothing."""
    person = whose(actor, noun)
    if person is not None and getattr(row, person) != actor.user_id:
        return False
    seen = scope(actor, noun)
    if seen.owners is None:
        return True
    if (column := own_column(noun)) is not None:
        return seen.includes(getattr(row, column))
    if (noun in ROW_VISIBILITY or noun in SHARED) and seen.owners:
        return await visible(actor, noun).filter(id=row.pk).exists()
    return False


def _missing(noun: type[Model], field: str | None) -> NotFound:
    return NotFound(noun=words_of(noun.__name__), field=field)
