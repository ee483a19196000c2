"""The domain's enums in the schema, each value with its description."""

from enum import Enum
from typing import TypeVar

import strawberry

from domain.pipelines import Template
from domain.policy import Action
from models.activities import ActivityDirection, ActivityKind
from models.bulks import BulkKind, BulkStatus
from models.campaigns import CampaignKind, CampaignMemberStatus
from models.catalog import SourceKind
from models.companies import Relationship
from models.competitors import Threat
from models.files import UploadPurpose
from models.follow_ups import FollowUpKind, FollowUpStatus, PlanAnchor, PlanTrigger, Priority
from models.imports import ImportKind, ImportStatus
from models.leads import ContactRole, Grade, LeadStatus, Lifecycle
from models.needs import NeedKind
from models.proposal_links import Party
from models.selling import Rounding
from models.stages import MoveRequestStatus, StageKind
from models.timeline import TimelineKind
from models.users import Role, Visibility

E = TypeVar("E", bound=type[Enum])


def described(cls: E, description: str, **values: str) -> E:
    """Make an enum of the schema; every value needs its description."""
    missing = {value.name for value in cls} ^ values.keys()
    if missing:
        raise TypeError(f"{cls.__name__}: describe exactly its values, see {sorted(missing)}")
    strawberry.enum(cls, description=description)
    for value in cls.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[value.name]
    return cls


described(
    StageKind,
    "The six phases of the sales cycle.",
    PROSPECT="Interest is being found.",
    QUALIFY="Need, budget and authority are being found out.",
    PROPOSAL="An offer is being made.",
    NEGOTIATION="Terms are being negotiated.",
    CLOSING="The contract is being signed.",
    FOLLOW_UP="Won: after the sale.",
)
described(
    LeadStatus,
    "How a lead stands.",
    OPEN="It is being worked on.",
    WON="It became a sale.",
    LOST="It went elsewhere, for a reason.",
    DISQUALIFIED="It never was one.",
)
described(
    Lifecycle,
    "How far a lead is qualified.",
    RAW="Not qualified yet.",
    MQL="Marketing qualified.",
    SQL="Sales qualified.",
)
described(
    Grade,
    "A lead's score in four classes.",
    A="80 to 100.",
    B="60 to 79.",
    C="40 to 59.",
    D="0 to 39.",
)
described(
    ContactRole,
    "What a person is on a lead.",
    DECISION_MAKER="Decides.",
    INFLUENCER="Is listened to.",
    CHAMPION="Speaks for us.",
    USER="Will use it.",
    PAYER="Pays for it.",
    BLOCKER="Is against it.",
    OTHER="Anything else.",
)
described(
    Role,
    "What a member may do.",
    ADMIN="Everything.",
    MANAGER="Leads of their team, catalogues, approvals.",
    REP="Their own leads.",
    QUALIFIER="Qualifies and hands out leads.",
    MARKETER="Captures and imports leads.",
    VIEWER="Reads.",
)
described(
    Visibility,
    "Which leads exist for a role.",
    ALL="All of the workspace.",
    TEAM="Those of the member's team and its sub-teams.",
    OWN="Those that the member owns.",
)
described(
    Relationship,
    "What a company or contact is to the workspace; it follows from their leads.",
    LEAD="Interest, not qualified yet.",
    PROSPECT="A qualified lead is open.",
    CUSTOMER="Bought.",
    FORMER="Bought once, but every sale to them was undone: reopened, and not won again.",
)
described(
    SourceKind,
    "A kind of source.",
    WEB_FORM="A form on a web page.",
    TRADE_SHOW="A trade show.",
    REFERRAL="Somebody's recommendation.",
    SOCIAL="Social media.",
    CHANNEL_PARTNER="A manufacturer, distributor or other partner.",
    CAMPAIGN="A campaign.",
    COLD_OUTREACH="We wrote or called first.",
    IMPORT="An imported file.",
    OTHER="Anything else.",
)
described(
    CampaignKind,
    "A kind of campaign.",
    EMAIL="Mails to many.",
    EVENT="A gathering of one's own, such as a seminar or an open day.",
    TRADE_SHOW="A stand at a trade show.",
    WEBINAR="A talk or course over the web.",
    ADVERTISING="Advertisements in print, on air or on web pages.",
    SEARCH="Advertisements beside the results of search engines.",
    SOCIAL="Social media.",
    CONTENT="What is worth reading, watching or downloading.",
    DIRECT_MAIL="Letters and parcels to many.",
    TELEMARKETING="Calls to many.",
    REFERRAL="Customers are asked to recommend us.",
    PARTNER="Together with a manufacturer, distributor or other partner.",
    OTHER="Anything else.",
)
described(
    CampaignMemberStatus,
    "How a person took part in a campaign.",
    INVITED="They were written to, called or invited.",
    RESPONDED="They answered: came, called, wrote or filled in a form.",
)
described(
    ActivityKind,
    "A kind of activity.",
    CALL="A call; a touch.",
    EMAIL="A mail; a touch.",
    MEETING="A meeting; a touch.",
    NOTE="Something written down.",
    PAGE_VISIT="A visit of a web page.",
    FORM_SUBMISSION="A form that was filled in.",
    CUSTOM="A kind of the workspace's own: its type says which.",
)
described(
    TimelineKind,
    "What an entry of a timeline tells of.",
    ACTIVITY="An activity.",
    MOVE="A move to another stage, or the entry into the first.",
    COMMENT="A comment.",
    ATTACHMENT="A file that was attached.",
    SCORE="A new score.",
    EVENT="Anything else that happened.",
)
described(
    FollowUpKind,
    "What is to be done.",
    CALL="A call.",
    EMAIL="A mail.",
    MEETING="A meeting.",
    TODO="Anything else.",
)
described(
    FollowUpStatus,
    "How a follow-up stands.",
    OPEN="It is to be done.",
    DONE="It is done.",
    CANCELLED="It is not to be done any more.",
)
described(Priority, "How much something matters.", LOW="Little.", NORMAL="As usual.", HIGH="Much.")
described(
    PlanTrigger,
    "When a plan of follow-ups is laid out.",
    STAGE_ENTERED="When a lead comes into a stage.",
    LEAD_WON="When a lead is won.",
)
described(
    PlanAnchor,
    "From what the days of a plan's step are counted.",
    TRIGGER="From the day on which the plan is laid out.",
    TERM_END="From the day on which the lead's term ends, once that is known.",
)
described(
    ActivityDirection,
    "Who turned to whom.",
    INBOUND="They to us.",
    OUTBOUND="We to them.",
)
described(
    MoveRequestStatus,
    "How a requested move stands.",
    PENDING="Nobody has decided yet.",
    APPROVED="Approved, and the lead was moved.",
    REJECTED="Rejected.",
    OBSOLETE="The lead went elsewhere meanwhile.",
)
described(
    ImportKind,
    "What a file holds.",
    LEADS="Leads.",
    COMPANIES="Companies.",
    PRODUCTS="Products.",
    USERS="Users and their teams.",
)
described(
    ImportStatus,
    "How an import stands.",
    PENDING="Waiting for a worker.",
    RUNNING="Rows are being taken.",
    COMPLETED="Every row was taken or reported.",
    FAILED="It could not go on; the error says why.",
)
described(
    BulkKind,
    "What is done with many leads.",
    UPDATE="They are changed, as by updateLead.",
    MOVE="They are moved, as by moveLead.",
    ASSIGN="They get an owner, as by assignLead.",
    TAG="They get tags.",
    UNTAG="They lose tags.",
    CLOSE="They are closed, as by closeLead.",
    DELETE="They are deleted, as by deleteLead.",
    TRANSFER="The open leads of a member go to another one.",
)
described(
    BulkStatus,
    "How work on many leads stands.",
    PENDING="Waiting for a worker.",
    RUNNING="A worker does it.",
    COMPLETED="Every lead was done, or told among the faults.",
    FAILED="It could not go on; the errors say why, and what was left is among the faults.",
    CANCELLED="Somebody cancelled it; what was done stays done.",
)
described(
    UploadPurpose,
    "What an upload is for.",
    IMPORT="To be imported, by importLeads.",
    ATTACHMENT="To be attached, by attachFile.",
    AVATAR="To be one's picture, by updateMe: a PNG, JPEG, WebP or GIF, of which a small square is kept.",
    LOGO="To be the logo of documents, by updateSellingSettings: a PNG, JPEG, WebP or GIF, of which a PNG is kept.",
)
described(
    Threat,
    "How dangerous a competitor is on a lead.",
    LOW="Hardly in play.",
    MEDIUM="To be reckoned with.",
    HIGH="Likely to win.",
)
described(
    NeedKind,
    "What kind of need it is.",
    PAIN="What hurts.",
    WISH="What they want.",
)
described(
    Action,
    "What a member may do, or may not.",
    **{action.name: f"{action.words[0].upper()}{action.words[1:]}." for action in Action},
)
described(
    Template,
    "A kind of business, for which a pipeline can be made ready.",
    B2B="Companies that sell to companies.",
    CONSUMER="Sales to consumers.",
    DISTRIBUTOR="Distributors who are given leads by manufacturers, to be looked through first.",
    SUBSCRIPTION="Software and other subscriptions, from trial to onboarding.",
    SERVICES="Agencies and other services, project by project.",
)
described(
    Rounding,
    "Where halves of a currency's smallest unit go.",
    HALF_UP="Away from zero.",
    HALF_EVEN="To the even neighbour.",
)
described(Party, "A side of a contract or proposal.", SELLER="Who sells.", BUYER="Who buys.")
