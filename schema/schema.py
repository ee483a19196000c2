"""The whole schema, put together from its nouns."""

import strawberry
from strawberry.schema.config import StrawberryConfig

import schema.enums  # noqa: F401  (declares the enums before a type uses them)
from schema.activities import ActivityQueries
from schema.activity_mutations import ActivityMutations
from schema.api_keys import ApiKeyMutations, ApiKeyQueries
from schema.approval_rule_mutations import ApprovalRuleMutations
from schema.approval_rules import ApprovalRuleQueries
from schema.approvals import ApprovalQueries
from schema.attachment_mutations import AttachmentMutations
from schema.attachments import AttachmentQueries
from schema.building import build_inputs_fast
from schema.bulk_mutations import BulkMutations
from schema.bulks import BulkQueries
from schema.calendar_feeds import CalendarFeedMutations, CalendarFeedQueries
from schema.campaign_mutations import CampaignMutations
from schema.campaigns import CampaignQueries
from schema.catalog import CatalogQueries
from schema.catalog_mutations import CatalogMutations
from schema.comment_mutations import CommentMutations
from schema.comments import CommentQueries
from schema.companies import CompanyQueries
from schema.company_mutations import CompanyMutations
from schema.competitor_mutations import CompetitorMutations
from schema.competitors import CompetitorQueries
from schema.contact_mutations import ContactMutations
from schema.contacts import ContactQueries
from schema.contract_mutations import ContractMutations
from schema.contracts import ContractQueries
from schema.custom_field_mutations import CustomFieldMutations
from schema.custom_fields import CustomFieldQueries
from schema.deliveries import DeliveryMutations, DeliveryQueries
from schema.device_mutations import DeviceMutations
from schema.devices import DeviceQueries
from schema.documents import DocumentMutations, DocumentQueries
from schema.exchange_rates import ExchangeRateMutations, ExchangeRateQueries
from schema.execution import Schema
from schema.field_definitions import FieldDefinitionQueries
from schema.files import FileMutations
from schema.follow_up_mutations import FollowUpMutations
from schema.follow_up_plan_mutations import FollowUpPlanMutations, HolidayMutations
from schema.follow_up_plans import FollowUpPlanQueries
from schema.follow_ups import FollowUpQueries
from schema.hand_over_mutations import HandOverMutations
from schema.hand_overs import HandOverQueries
from schema.imports import ImportMutations, ImportQueries
from schema.invoice_mutations import InvoiceMutations
from schema.invoices import InvoiceQueries
from schema.lead_mutations import LeadMutations
from schema.leads import LeadQueries
from schema.live import LiveQueries, LiveSubscriptions
from schema.live_negotiations import NegotiationSubscriptions
from schema.live_notifications import NotificationSubscriptions
from schema.mail_templates import MailTemplateMutations, MailTemplateQueries
from schema.need_mutations import NeedMutations
from schema.negotiation_mutations import NegotiationMutations
from schema.negotiations import NegotiationQueries
from schema.nodes import NodeQueries
from schema.notifications import NotificationMutations, NotificationQueries
from schema.payment_provider_mutations import PaymentProviderMutations
from schema.payment_providers import PaymentProviderQueries
from schema.pipeline_mutations import PipelineMutations, StageMutations
from schema.pipelines import PipelineQueries
from schema.product_mutations import ProductMutations
from schema.products import ProductQueries
from schema.proposal_mutations import ProposalMutations
from schema.proposals import ProposalQueries
from schema.public_negotiations import PublicNegotiationQueries
from schema.public_proposals import PublicProposalMutations, PublicProposalQueries
from schema.qualification import QualificationQueries
from schema.qualification_mutations import QualificationMutations
from schema.reminder_settings import ReminderSettingsMutations, ReminderSettingsQueries
from schema.reminders import ReminderQueries
from schema.saved_view_mutations import SavedViewMutations
from schema.saved_views import SavedViewQueries
from schema.scalars import SCALARS
from schema.score_model_mutations import ScoreModelMutations
from schema.score_models import ScoreModelQueries
from schema.search import SearchQueries
from schema.selling_settings import SellingSettingsMutations, SellingSettingsQueries
from schema.sessions import SessionMutations, SessionQueries
from schema.stages import StageQueries
from schema.summaries import SummaryQueries
from schema.suppressions import SuppressionMutations, SuppressionQueries
from schema.survey_forms import SurveyFormMutations, SurveyFormQueries
from schema.survey_mutations import SurveyMutations
from schema.survey_results import SurveyResultQueries
from schema.surveys import SurveyQueries
from schema.teams import TeamMutations, TeamQueries
from schema.users import UserMutations, UserQueries
from schema.watching import WatchMutations
from schema.workspaces import WorkspaceMutations, WorkspaceQueries


@strawberry.type(description="What can be read.")
class Query(
    ActivityQueries,
    ApiKeyQueries,
    BulkQueries,
    AttachmentQueries,
    CalendarFeedQueries,
    CampaignQueries,
    CatalogQueries,
    CommentQueries,
    CompanyQueries,
    CompetitorQueries,
    ContactQueries,
    CustomFieldQueries,
    DeviceQueries,
    DeliveryQueries,
    ExchangeRateQueries,
    FieldDefinitionQueries,
    FollowUpPlanQueries,
    FollowUpQueries,
    HandOverQueries,
    ImportQueries,
    LeadQueries,
    LiveQueries,
    MailTemplateQueries,
    NegotiationQueries,
    NodeQueries,
    NotificationQueries,
    PipelineQueries,
    ProductQueries,
    ProposalQueries,
    ApprovalQueries,
    ApprovalRuleQueries,
    PublicProposalQueries,
    ContractQueries,
    InvoiceQueries,
    PaymentProviderQueries,
    PublicNegotiationQueries,
    ReminderQueries,
    ReminderSettingsQueries,
    SavedViewQueries,
    SearchQueries,
    SellingSettingsQueries,
    DocumentQueries,
    QualificationQueries,
    SessionQueries,
    StageQueries,
    SummaryQueries,
    SuppressionQueries,
    ScoreModelQueries,
    SurveyFormQueries,
    SurveyQueries,
    SurveyResultQueries,
    TeamQueries,
    UserQueries,
    WorkspaceQueries,
):
    pass


@strawberry.type(description="What can be changed.")
class Mutation(
    ActivityMutations,
    ApiKeyMutations,
    BulkMutations,
    AttachmentMutations,
    CalendarFeedMutations,
    CampaignMutations,
    CatalogMutations,
    CommentMutations,
    CompanyMutations,
    CompetitorMutations,
    ContactMutations,
    CustomFieldMutations,
    DeviceMutations,
    DeliveryMutations,
    ExchangeRateMutations,
    FileMutations,
    FollowUpMutations,
    FollowUpPlanMutations,
    HolidayMutations,
    HandOverMutations,
    ImportMutations,
    LeadMutations,
    MailTemplateMutations,
    NeedMutations,
    NegotiationMutations,
    NotificationMutations,
    PipelineMutations,
    ProductMutations,
    ProposalMutations,
    ApprovalRuleMutations,
    PublicProposalMutations,
    ContractMutations,
    InvoiceMutations,
    PaymentProviderMutations,
    ReminderSettingsMutations,
    SavedViewMutations,
    SellingSettingsMutations,
    DocumentMutations,
    QualificationMutations,
    SessionMutations,
    StageMutations,
    SuppressionMutations,
    ScoreModelMutations,
    SurveyFormMutations,
    SurveyMutations,
    TeamMutations,
    UserMutations,
    WatchMutations,
    WorkspaceMutations,
):
    pass


@strawberry.type(description="What happens, as it happens.")
class Subscription(LiveSubscriptions, NegotiationSubscriptions, NotificationSubscriptions):
    pass


graphql_schema = Schema(
    query=Query, mutation=Mutation, subscription=Subscription, config=StrawberryConfig(scalar_map=SCALARS)
)
build_inputs_fast(graphql_schema)
