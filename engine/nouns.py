"""What the engine may read: tables, columns, links and orders, derived from the models and checked at import."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tortoise import fields
from tortoise.models import Model

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
from models.conversations import Comment, CommentMention, LeadWatcher, Notification
from models.custom_fields import CustomField
from models.deliveries import Delivery, MailTemplate, Suppression
from models.documents import Document, DocumentTemplate
from models.events import Event
from models.exchange_rates import ExchangeRate
from models.external_refs import ExternalRef
from models.follow_ups import FollowUp, FollowUpPlan, FollowUpPlanStep, Holiday
from models.hand_overs import HandOver
from models.imports import Import, ImportFault
from models.invoices import Invoice, Payment, PaymentNotice, PaymentProvider
from models.leads import Lead, LeadCompetitor, LeadContact, LeadTag
from models.needs import Need
from models.negotiations import Negotiation, NegotiationComment, Offer
from models.pipelines import Pipeline
from models.products import Product
from models.proposal_links import Evidence, ProposalLink, ProposalQuestion, ProposalView
from models.proposals import Approval, ApprovalRule, Proposal, ProposalLine, ProposalVersion
from models.qualification import QualificationAnswer, QualificationCriterion
from models.reminders import Device, Reminder, ReminderSettings
from models.saved_views import SavedView
from models.scoring import ScoreDrift, ScoreModel, ScoreModelVersion, ScoreTraining
from models.selling import SellingSettings
from models.sessions import Invitation
from models.stages import MoveRequest, Stage, StageTransition
from models.surveys import Referral, Survey, SurveyDispatch, SurveyResponse, SurveyVersion
from models.teams import Team
from models.timeline import TimelineEntry
from models.users import Membership, User
from models.workspaces import Workspace

CASTS: dict[type[fields.Field[Any]], str] = {
    fields.UUIDField: "uuid",
    fields.DatetimeField: "timestamptz",
    fields.DateField: "date",
    fields.DecimalField: "numeric",
    fields.BigIntField: "bigint",
    fields.SmallIntField: "int",
    fields.IntField: "int",
    fields.BooleanField: "boolean",
    fields.BinaryField: "bytea",
    fields.JSONField: "jsonb",
}


@dataclass(frozen=True)
class Link:
    """How rows of another noun hang on this one: `<other>.<theirs> = <this>.<ours>`, perhaps through a third table."""

    to: type[Model]
    ours: str = "id"
    theirs: str = "id"
    through: type[Model] | None = None
    through_ours: str = ""
    through_theirs: str = ""


@dataclass(frozen=True)
class Noun:
    """A readable noun: its search expression, its links, and the condition on rows that live.

    `searched` are the columns that the search looks into, the name first. `derived` are values that are read with a
    row like its columns, each by an expression.
    """

    model: type[Model]
    search: str = ""
    searched: tuple[str, ...] = ()
    links: dict[str, Link] = field(default_factory=dict)
    live: str = ""
    derived: dict[str, str] = field(default_factory=dict)

    @property
    def table(self) -> str:
        return f'"{self.model._meta.db_table}"'

    def cast(self, column: str) -> str:
        """Return the SQL type of a column; raises KeyError for a name that is none."""
        return columns(self.model)[column]

    def nullable(self, column: str) -> bool:
        """Say whether a column may be null."""
        meta = self.model._meta
        return bool(meta.fields_map[meta.fields_db_projection_reverse[column]].null)


@cache
def columns(model: type[Model]) -> dict[str, str]:
    """Return the SQL type of each column of a model; raises RuntimeError before the models know their relations."""
    if not model._meta._inited:
        raise RuntimeError(f"{model.__name__} lacks the keys of other rows until the database is opened.")
    found = {}
    for name, column in model._meta.fields_db_projection.items():
        kind = model._meta.fields_map[name]
        found[column] = next((cast for base, cast in CASTS.items() if isinstance(kind, base)), "text")
    return found


LIVE = "{alias}.deleted_at IS NULL"
# A column that PostgreSQL keeps: the words of what is searched, which no model knows of.
WORDS = "{alias}.words"
KEPT = "{alias}.archived_at IS NULL"
# What may be about a lead goes with it when that is deleted.
WITH_LEAD = (
    "({alias}.lead_id IS NULL OR EXISTS (SELECT FROM lead ll WHERE ll.id = {alias}.lead_id AND ll.deleted_at IS NULL))"
)
LIVE_WITH_LEAD = f"{LIVE} AND {WITH_LEAD}"
# The same of a company and a contact.
WITH_ITS_SUBJECT = " AND ".join(WITH_LEAD.replace("lead", noun) for noun in ("lead", "company", "contact"))
LIVE_WITH_ITS_SUBJECT = f"{LIVE} AND {WITH_ITS_SUBJECT}"
# What is about several goes with its lead, and without one when nothing is left that it is about.
LIVE_WITH_ANY_SUBJECT = (
    f"{LIVE_WITH_LEAD} AND ({{alias}}.lead_id IS NOT NULL"
    " OR EXISTS (SELECT FROM company ll WHERE ll.id = {alias}.company_id AND ll.deleted_at IS NULL)"
    " OR EXISTS (SELECT FROM contact ll WHERE ll.id = {alias}.contact_id AND ll.deleted_at IS NULL))"
)

NOUNS: dict[type[Model], Noun] = {
    noun.model: noun
    for noun in (
        Noun(
            Lead,
            search=WORDS,
            searched=("title", "description"),
            links={
                "company": Link(Company, ours="company_id"),
                "stage": Link(Stage, ours="stage_id"),
                "pipeline": Link(Pipeline, ours="pipeline_id"),
                "source": Link(Source, ours="source_id"),
                "campaign": Link(Campaign, ours="campaign_id"),
                "product": Link(Product, ours="product_id"),
                "membership": Link(Membership, ours="owner_id", theirs="user_id"),
                "owner": Link(User, ours="owner_id"),
                "contacts": Link(Contact, through=LeadContact, through_ours="lead_id", through_theirs="contact_id"),
                "tags": Link(Tag, through=LeadTag, through_ours="lead_id", through_theirs="tag_id"),
                "competitors": Link(
                    Competitor, through=LeadCompetitor, through_ours="lead_id", through_theirs="competitor_id"
                ),
                "needs": Link(Need, theirs="lead_id"),
                "activities": Link(Activity, theirs="lead_id"),
                "comments": Link(Comment, theirs="lead_id"),
                "followUps": Link(FollowUp, theirs="lead_id"),
                "proposals": Link(Proposal, theirs="lead_id"),
                "contracts": Link(Contract, theirs="lead_id"),
                "invoices": Link(Invoice, theirs="lead_id"),
                "watchers": Link(User, through=LeadWatcher, through_ours="lead_id", through_theirs="user_id"),
            },
            live=LIVE,
        ),
        Noun(
            Company,
            search=WORDS,
            searched=("name", "domain", "industry"),
            links={
                "leads": Link(Lead, theirs="company_id"),
                "contacts": Link(Contact, theirs="company_id"),
                "parent": Link(Company, ours="parent_id"),
            },
            live=LIVE,
        ),
        Noun(
            Contact,
            search=WORDS,
            searched=("name", "email", "job_title"),
            links={
                "company": Link(Company, ours="company_id"),
                "leads": Link(Lead, through=LeadContact, through_ours="contact_id", through_theirs="lead_id"),
            },
            live=LIVE,
        ),
        Noun(
            Product,
            search=WORDS,
            searched=("name", "sku", "family"),
        ),
        Noun(
            User,
            search="search_words({alias}.name || ' ' || coalesce({alias}.email, ''))",
            searched=("name", "email"),
            links={"membership": Link(Membership, theirs="user_id")},
        ),
        Noun(Workspace),
        Noun(Invitation),
        Noun(ApiKey),
        Noun(CalendarFeed, live="{alias}.revoked_at IS NULL"),
        Noun(CustomField, live=LIVE),
        Noun(Need, live=LIVE),
        Noun(
            Activity,
            search="search_words(coalesce({alias}.subject, '') || ' ' || coalesce({alias}.text, ''))",
            links={
                "lead": Link(Lead, ours="lead_id"),
                "participants": Link(ActivityParticipant, theirs="activity_id"),
            },
            live=LIVE_WITH_ANY_SUBJECT,
        ),
        Noun(ActivityParticipant),
        Noun(ActivityType),
        Noun(TimelineEntry, live="{alias}.is_live"),
        Noun(SavedView, live=LIVE),
        Noun(
            Comment,
            search="search_words({alias}.text)",
            links={
                "lead": Link(Lead, ours="lead_id"),
                "company": Link(Company, ours="company_id"),
                "contact": Link(Contact, ours="contact_id"),
                "mentions": Link(User, through=CommentMention, through_ours="comment_id", through_theirs="user_id"),
            },
            live=LIVE_WITH_ITS_SUBJECT,
        ),
        Noun(Notification, live=WITH_LEAD),
        Noun(Delivery),
        Noun(Suppression),
        Noun(MailTemplate),
        Noun(Document, live=WITH_LEAD),
        Noun(DocumentTemplate),
        Noun(
            FollowUp,
            search=WORDS,
            searched=("title", "note"),
            links={
                "lead": Link(Lead, ours="lead_id"),
                "company": Link(Company, ours="company_id"),
                "contact": Link(Contact, ours="contact_id"),
                "plan": Link(FollowUpPlan, ours="plan_id"),
            },
            live=WITH_ITS_SUBJECT,
        ),
        Noun(FollowUpPlan),
        Noun(FollowUpPlanStep, live="{alias}.removed_at IS NULL"),
        Noun(Holiday),
        Noun(Team, live=LIVE),
        Noun(Membership),
        Noun(
            Pipeline,
            # Where the event log stands, in the same snapshot.
            derived={"head": "(SELECT h.position FROM event_head h WHERE h.workspace_id = {alias}.workspace_id)"},
        ),
        Noun(Stage),
        Noun(Source),
        Noun(Campaign, search="search_words({alias}.name)"),
        Noun(CampaignMember, links={"contact": Link(Contact, ours="contact_id")}),
        Noun(LostReason),
        Noun(Tag),
        Noun(Competitor),
        Noun(LeadCompetitor, links={"competitor": Link(Competitor, ours="competitor_id")}),
        Noun(
            Attachment,
            links={
                "lead": Link(Lead, ours="lead_id"),
                "company": Link(Company, ours="company_id"),
                "contact": Link(Contact, ours="contact_id"),
            },
            live=LIVE_WITH_ITS_SUBJECT,
        ),
        Noun(ExchangeRate),
        Noun(LeadContact, links={"contact": Link(Contact, ours="contact_id")}),
        Noun(StageTransition),
        Noun(MoveRequest),
        Noun(HandOver, live=WITH_LEAD),
        Noun(QualificationCriterion),
        Noun(QualificationAnswer),
        Noun(Event),
        Noun(ExternalRef),
        Noun(Import),
        Noun(ImportFault),
        Noun(Bulk),
        Noun(BulkRow),
        Noun(Reminder, live=WITH_LEAD),
        Noun(ReminderSettings),
        Noun(Device),
        Noun(Survey),
        Noun(SurveyVersion),
        Noun(ScoreModel),
        Noun(ScoreModelVersion),
        Noun(ScoreTraining),
        Noun(ScoreDrift),
        Noun(
            SurveyDispatch,
            links={
                "survey": Link(Survey, ours="survey_id"),
                "lead": Link(Lead, ours="lead_id"),
                "contact": Link(Contact, ours="contact_id"),
            },
            live=WITH_LEAD,
        ),
        Noun(
            SurveyResponse,
            search="search_words({alias}.verbatim)",
            links={
                "survey": Link(Survey, ours="survey_id"),
                "lead": Link(Lead, ours="lead_id"),
                "contact": Link(Contact, ours="contact_id"),
            },
            live=WITH_LEAD,
        ),
        Noun(Referral, live=WITH_LEAD),
        Noun(
            Negotiation,
            links={"lead": Link(Lead, ours="lead_id"), "proposal": Link(Proposal, ours="proposal_id")},
            live=WITH_LEAD,
        ),
        Noun(Offer, live=WITH_LEAD),
        Noun(NegotiationComment, live=WITH_LEAD),
        Noun(SellingSettings),
        Noun(
            Proposal,
            search="search_words({alias}.number || ' ' || {alias}.title)",
            searched=("number", "title"),
            links={
                "lead": Link(Lead, ours="lead_id"),
                "company": Link(Company, ours="lead_id", through=Lead, through_ours="id", through_theirs="company_id"),
                "contact": Link(Contact, ours="contact_id"),
            },
            live=LIVE_WITH_LEAD,
        ),
        Noun(ProposalVersion, live=WITH_LEAD),
        Noun(ProposalLine, live=WITH_LEAD),
        Noun(ApprovalRule),
        Noun(Approval, live=WITH_LEAD),
        Noun(ProposalLink, live=WITH_LEAD),
        Noun(ProposalView, live=WITH_LEAD),
        Noun(ProposalQuestion, live=WITH_LEAD),
        Noun(Evidence, live=WITH_LEAD),
        Noun(Contract, links={"lead": Link(Lead, ours="lead_id")}, live=WITH_LEAD),
        Noun(
            Invoice,
            search="search_words(coalesce({alias}.number, '') || ' ' || {alias}.title)",
            searched=("number", "title"),
            links={"lead": Link(Lead, ours="lead_id"), "payments": Link(Payment, theirs="invoice_id")},
            live=WITH_LEAD,
        ),
        Noun(Payment, links={"invoice": Link(Invoice, ours="invoice_id")}, live=WITH_LEAD),
        Noun(PaymentProvider),
        Noun(PaymentNotice),
    )
}
