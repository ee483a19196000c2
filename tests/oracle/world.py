"""Two workspaces full of chance: every status, every null, every odd text, and people who see different parts of it.

A seed decides everything, keys included, so that a document that names an id can be tried again another day.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from json import dumps
from random import Random
from typing import Any
from uuid import UUID

from tortoise.connection import get_connection
from tortoise.models import Model

from domain import follow_up_series, local_times, push_keys, questionnaires, survey_presets
from domain.actors import Actor, ActorKind
from domain.demo.rows import Keys
from domain.policy import API_SCOPES
from models.activities import (
    Activity,
    ActivityDirection,
    ActivityKind,
    ActivityParticipant,
    ActivityType,
)
from models.api_keys import ApiKey
from models.attachments import Attachment
from models.bulks import Bulk, BulkKind, BulkRow, BulkStatus
from models.calendar_feeds import CalendarFeed
from models.campaigns import Campaign, CampaignKind, CampaignMember, CampaignMemberStatus
from models.catalog import LostReason, Source, SourceKind, Tag
from models.companies import Company, Relationship
from models.competitors import Competitor, Threat
from models.contacts import Contact
from models.contracts import Contract
from models.conversations import Comment, CommentMention, LeadWatcher, Notification, NotificationKind
from models.custom_fields import CustomField, CustomFieldOwner, CustomFieldType, IndexState
from models.database import transaction
from models.deliveries import Channel, Delivery, DeliveryStatus, Suppression, SuppressionReason
from models.documents import Document, DocumentTemplate
from models.events import Event, EventHead
from models.exchange_rates import ExchangeRate
from models.external_refs import ExternalRef
from models.files import File, UploadPurpose
from models.follow_ups import (
    FollowUp,
    FollowUpKind,
    FollowUpPlan,
    FollowUpPlanStep,
    FollowUpStatus,
    Holiday,
    PlanAnchor,
    PlanTrigger,
    Priority,
)
from models.hand_overs import HandOver, HandOverStatus
from models.imports import Import, ImportFault, ImportKind, ImportStatus
from models.invoices import Invoice, Payment, PaymentNotice, PaymentProvider
from models.leads import ContactRole, Grade, Lead, LeadCompetitor, LeadContact, LeadStatus, LeadTag, Lifecycle
from models.needs import Need, NeedKind
from models.negotiations import Negotiation, NegotiationComment, Offer
from models.pipelines import Pipeline
from models.products import Product
from models.proposal_links import Evidence, ProposalLink, ProposalQuestion, ProposalView
from models.proposals import (
    Approval,
    ApprovalKind,
    ApprovalRule,
    ApprovalState,
    Proposal,
    ProposalLine,
    ProposalState,
    ProposalVersion,
)
from models.qualification import AnswerSource, CriterionType, QualificationAnswer, QualificationCriterion
from models.reminders import Device, DeviceEnd, DevicePlatform, Reminder, ReminderKind
from models.saved_views import SavedView, Sharing, ViewNoun
from models.scoring import ScoreDrift, ScoreModel, ScoreModelVersion, ScoreTraining
from models.selling import Rounding, SellingSettings
from models.sessions import Invitation
from models.stages import MoveRequest, MoveRequestStatus, Stage, StageKind, StageTransition
from models.surveys import (
    DispatchStatus,
    DispatchTrigger,
    Referral,
    SkipReason,
    Survey,
    SurveyDispatch,
    SurveyKind,
    SurveyResponse,
    SurveyVersion,
    Verdict,
)
from models.teams import Team
from models.timeline import TimelineEntry, TimelineKind
from models.users import Membership, Role, User
from models.workspaces import Workspace
from schema import ids
from tests.factories import again
from tests.oracle.selling import Selling

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SEED = 7
HOME, ABROAD = "home", "abroad"
LEADS = {HOME: 40, ABROAD: 14}
CURRENCIES = ("EUR", "USD", "JPY", "CHF", "XXX")

# Texts that have broken somebody's SQL, format string, template or JSON before.
ODD_TEXTS = (
    "Solar roof",
    "solar Roof 12 kWp",
    "O'Brien & Söhne",
    'says "hello"',
    "100%",
    "50 % off_season",
    "a_b",
    "C:\\temp\\new",
    "back\\slash\\",
    "{alias}",
    "{0} {alias.__class__}",
    "%s %(name)s %%",
    "$1",
    "$$; DROP TABLE lead; --",
    "'; DELETE FROM company; --",
    "Ünïcödé straße İstanbul",
    "日本語の見積もり",
    "עברית من اليمين",
    "👩‍🚀🚀 emoji",
    "e\u0301 combining",
    "line\nbreak\ttab",
    "\u2028\u2029\u200b",
    "\x7f\x1f\x01",
    " leading and trailing ",
    "",
    "null",
    "None",
    "true",
    "0",
    "</script><b>",
    "x" * 300,
)
EXTREME_INSTANTS = (
    datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
)
REQUIREMENTS: tuple[dict[str, Any], ...] = (
    {},
    {"fields": ["value", "owner"]},
    {"fields": ["primaryContact", "tags", "description"], "min_needs": 2},
    {"no_skipping": True},
    {"no_going_back": True, "roles_out": ["ADMIN"]},
    {"needs_approval": True},
    {"proposal_accepted": True, "contract_signed": True},
    {"terms_agreed": True, "invoice_paid": True, "fields": ["owner"]},
    {"roles_in": ["MANAGER", "ADMIN"], "no_skipping": True, "fields": ["company"]},
)
# Who asks: the workspace, the role, and the team; None is nobody's.
PEOPLE: dict[str, tuple[str, Role, str | None]] = {
    "admin": (HOME, Role.ADMIN, None),
    "manager": (HOME, Role.MANAGER, "North"),
    "rep": (HOME, Role.REP, "North"),
    "other rep": (HOME, Role.REP, "North coast"),
    "lonely rep": (HOME, Role.REP, None),
    "viewer": (HOME, Role.VIEWER, "South"),
    "marketer": (HOME, Role.MARKETER, None),
    "admin abroad": (ABROAD, Role.ADMIN, None),
    "manager abroad": (ABROAD, Role.MANAGER, "North"),
    "rep abroad": (ABROAD, Role.REP, "North"),
}
PARTNERS: dict[str, tuple[str, Role, frozenset[str]]] = {
    "partner": (HOME, Role.QUALIFIER, API_SCOPES),
    "reading partner": (HOME, Role.QUALIFIER, frozenset({"lead:read", "company:read"})),
    "blind partner": (ABROAD, Role.ADMIN, frozenset({"lead:write"})),
}
NOBODY = "nobody"
ACTORS = (*PEOPLE, *PARTNERS, NOBODY)

CUSTOM_OPTIONS: tuple[dict[str, Any], ...] = (
    {"key": "gold", "label": "'; DROP TABLE lead; --", "archived": False},
    {"key": "tin", "label": "Ünï {0} %s", "archived": False},
    {"key": "clay", "label": "Clay", "archived": True},
)
CUSTOM_NUMBERS = ("0", "-1", "12.5", "999999999999999999", "0.00000001", "12.50000001", "-999999999999999999")

# Whole numbers beyond 64 bits, which JSON columns can hold and Tortoise does not write.
BEYOND = """UPDATE event SET data = '{"changes": {"count": [1e30, 1000000000000000000000000000000]}}' WHERE id = $1"""

Columns = dict[str, Any]


@dataclass
class World:
    """What the tables hold, by workspace and model, in the order in which it was made."""

    seed: int = SEED
    rows: dict[str, dict[type[Model], list[Columns]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._keys = Keys(Random(f"keys {self.seed}"))
        self._shared: Columns | None = None
        for at in (HOME, ABROAD):
            self.rows[at] = defaultdict(list)
            _Filling(self, at, Random(f"world {self.seed} {at}")).fill()
        self._entangle()
        for at in (HOME, ABROAD):
            self.rows[at][TimelineEntry] = list(self._timeline(at))

    def of(self, at: str, model: type[Model]) -> list[Columns]:
        """Return the rows of a model in a workspace."""
        return self.rows[at][model]

    def gids(self, at: str, noun: str) -> list[str]:
        """Return the global ids of a noun in a workspace."""
        model = NOUN_MODELS[noun]
        return [str(ids.encode(noun, row["id"])) for row in self.of(at, model)]

    def values(self, at: str, noun: str, column: str) -> list[Any]:
        """Return what a column holds in a workspace; nothing for a column that is left to its default."""
        return [row[column] for row in self.of(at, NOUN_MODELS[noun]) if row.get(column) is not None]

    def home_of(self, actor: str) -> str:
        """Return the workspace that somebody asks in."""
        return (PEOPLE | PARTNERS)[actor][0] if actor != NOBODY else HOME

    def user_of(self, actor: str) -> Columns:
        """Return the user of a person or of a partner."""
        return next(row for row in self.of(self.home_of(actor), User) if row["name"] == actor)

    def take(self) -> UUID:
        return self._keys.take()

    def _timeline(self, at: str) -> Iterator[Columns]:
        """Return what the view shows of the other tables."""
        for model, (kind, when, key) in TIMELINE.items():
            for row in self.of(at, model):
                told = {"id": row["id"], "workspace_id": row["workspace_id"], "kind": kind, "occurred_at": row[when]}
                told |= dict.fromkeys(TIMELINE_KEYS) | {key: row["id"]}
                user, lead_id = row.get("user_id"), row.get("lead_id")
                if model is Event:
                    user = row["actor"].get("user")
                    lead_id = row["subject_id"] if row["subject_type"] == "lead" else None
                if lead_id is not None and row.get("deleted_at") is None:
                    yield told | {"user_id": user and UUID(str(user)), "lead_id": lead_id}

    def _entangle(self) -> None:
        """Let some rows refer to what does not exist for who asks: deleted, of the other workspace, of no member."""
        home, abroad = self.rows[HOME], self.rows[ABROAD]
        leads, companies = home[Lead], home[Company]
        leads[0]["company_id"] = abroad[Company][0]["id"]
        leads[1]["owner_id"] = next(row for row in abroad[User] if row["name"] == "rep abroad")["id"]
        leads[2]["company_id"] = next(row for row in companies if row["deleted_at"])["id"]
        companies[3]["parent_id"] = next(row for row in companies if row["deleted_at"])["id"]
        companies[4]["owner_id"] = abroad[User][0]["id"]
        # The same person is a member of both.
        shared = next(row for row in home[User] if row["name"] == "admin")
        abroad[Membership].append(
            {
                "id": self.take(),
                "workspace_id": abroad[Workspace][0]["id"],
                "user_id": shared["id"],
                "role": Role.VIEWER,
                "team_id": None,
                "active": False,
                "created_at": NOW,
            }
        )

    async def settle(self) -> dict[str, Actor | None]:
        """Write everything into the open database unless it is there, and return who may ask."""
        # It is made where it is asked for first, and would be another one for each executor.
        await push_keys.private(now=NOW)
        if not await Workspace.filter(id=self.of(HOME, Workspace)[0]["id"]).exists():
            async with transaction():
                # Lines are written after their versions, which are frozen already.
                await get_connection("default").execute_script("ALTER TABLE proposal_line DISABLE TRIGGER USER")
                for model in ORDER:
                    rows = [row for at in (HOME, ABROAD) for row in self.of(at, model)]
                    await model.bulk_create([model(**row) for row in rows])
                await get_connection("default").execute_script("ALTER TABLE proposal_line ENABLE TRIGGER USER")
                await get_connection("default").execute_query(BEYOND, [self.of(HOME, Event)[0]["id"]])
        actors: dict[str, Actor | None] = {NOBODY: None}
        for name, (at, _, _) in PEOPLE.items():
            home = self.of(at, Workspace)[0]["id"]
            actors[name] = await again(Actor(ActorKind.USER, home, user_id=self.user_of(name)["id"]))
        for name, (at, role, scopes) in PARTNERS.items():
            home, user = self.of(at, Workspace)[0]["id"], self.user_of(name)["id"]
            seen = await again(Actor(ActorKind.USER, home, user_id=user))
            key = next(row for row in self.of(at, ApiKey) if row["user_id"] == user)["id"]
            actors[name] = Actor(
                ActorKind.API_KEY, home, user_id=user, role=role, rows=seen.rows, scopes=scopes, key_id=key
            )
        return actors


CUSTOM_OWNERS: dict[CustomFieldOwner, type[Model]] = {
    CustomFieldOwner.LEAD: Lead,
    CustomFieldOwner.COMPANY: Company,
    CustomFieldOwner.CONTACT: Contact,
}


def custom_key(kind: CustomFieldType) -> str:
    """Return the key of the custom fields of a type, which is the same for all that have them."""
    return f"c_{kind.value.lower()}"


TIMELINE: dict[type[Model], tuple[TimelineKind, str, str]] = {
    Activity: (TimelineKind.ACTIVITY, "occurred_at", "activity_id"),
    StageTransition: (TimelineKind.MOVE, "moved_at", "transition_id"),
    Comment: (TimelineKind.COMMENT, "created_at", "comment_id"),
    Attachment: (TimelineKind.ATTACHMENT, "created_at", "attachment_id"),
    Event: (TimelineKind.EVENT, "occurred_at", "event_id"),
}
TIMELINE_KEYS = ("activity_id", "transition_id", "comment_id", "attachment_id", "event_id")
# Every noun that has global ids.
NOUN_MODELS: dict[str, type[Model]] = {
    model.__name__: model
    for model in (
        Activity, ActivityType, CustomField, Comment, Notification, Bulk, BulkRow,
        Campaign, CampaignMember,
        ApiKey, Attachment, Company, Competitor, Contact, ExchangeRate, File, Import, ImportFault, Invitation, Lead,
        LeadCompetitor, LeadContact, LostReason,
        HandOver, QualificationCriterion,
        MoveRequest, Need, Pipeline, Product, SavedView, Source, Stage, StageTransition, Tag, Team, User, Workspace,
        TimelineEntry, CalendarFeed, Delivery, Suppression, Device, Reminder,
        Survey, SurveyVersion, SurveyDispatch, SurveyResponse, Referral,
        FollowUp, FollowUpPlan, Holiday,
        Proposal, ProposalVersion, ProposalLine, ApprovalRule, Approval,
        ProposalLink, ProposalView, ProposalQuestion, Evidence, Document,
        Negotiation, Offer, NegotiationComment, Contract, Invoice, Payment, PaymentProvider, PaymentNotice,
        ScoreModel, ScoreModelVersion, ScoreTraining, ScoreDrift,
    )
}  # fmt: skip
# The order in which tables refer to each other.
ORDER: tuple[type[Model], ...] = (
    Workspace, QualificationCriterion,
    File, User, Team, Membership, ApiKey, Invitation, Pipeline, Stage, Source, LostReason, Tag, Product,
    Campaign, Competitor, ExchangeRate, Company, Contact, CampaignMember,
    Lead, LeadContact, LeadTag, LeadCompetitor, Attachment, Need,
    StageTransition, MoveRequest, ExternalRef,
    Event, EventHead, Import, ImportFault, SavedView,
    ActivityType, Activity, ActivityParticipant, CustomField,
    Comment, CommentMention, LeadWatcher, Notification, Bulk, BulkRow,
    HandOver, QualificationAnswer, CalendarFeed, Delivery, Suppression, Device, Reminder,
        Survey, SurveyVersion, SurveyDispatch, SurveyResponse, Referral,
    FollowUpPlan, FollowUpPlanStep, FollowUp, Holiday,
    ApprovalRule, Proposal, ProposalVersion, ProposalLine, Approval,
    SellingSettings, DocumentTemplate, ProposalLink, ProposalView, ProposalQuestion, Evidence,
    Negotiation, Offer, NegotiationComment, Contract, PaymentProvider, Invoice, Payment, PaymentNotice, Document,
    ScoreModel, ScoreModelVersion, ScoreTraining, ScoreDrift,
)  # fmt: skip


class _Filling:
    """The rows of one workspace."""

    def __init__(self, world: World, at: str, chance: Random) -> None:
        self.world, self.at, self.chance = world, at, chance
        self.workspace_id = world.take()
        self._aside = Random(f"{SEED} {at} aside")

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Draw from a chance of its own, so that everything else stays as it is whatever is added here."""
        own, self.chance = self.chance, self._aside
        try:
            yield
        finally:
            self.chance = own

    def fill(self) -> None:
        self._workspace()
        self._people()
        with self.aside():
            self._checklist()
        self._pipelines()
        self._catalog()
        self._companies()
        self._contacts()
        for number in range(LEADS[self.at]):
            self._lead(number)
        self._talk()
        self._files()
        with self.aside():
            self._plans()
        self._log()
        self._imports()
        self._bulks()
        self._views()
        self._activities()
        with self.aside():
            self._deliveries()
        self._custom(Random(f"custom {self.world.seed} {self.at}"))
        with self.aside():
            self._surveys()
            self._proposals()
            Selling(self).sell()

    def add(self, model: type[Model], **columns: Any) -> Columns:
        """Add a row of the workspace under a key of its own."""
        row = {"id": self.world.take(), "workspace_id": self.workspace_id, **columns}
        self.world.rows[self.at][model].append(row)
        return row

    def rows(self, model: type[Model]) -> list[Columns]:
        return self.world.of(self.at, model)

    def one(self, model: type[Model]) -> UUID:
        """Return the key of one of the workspace's rows."""
        key: UUID = self.chance.choice(self.rows(model))["id"]
        return key

    def maybe(self, value: Any, chance: float = 0.6) -> Any:
        return value if self.chance.random() < chance else None

    def text(self) -> str:
        return self.chance.choice(ODD_TEXTS)

    def name(self) -> str:
        """Return a text that a name may be: some are alike, so that ids must break ties."""
        return self.chance.choice(("Alpha", "alpha", "Beta", self.text() or "Nameless"))

    def instant(self) -> datetime:
        """Return an instant: some are alike, some have microseconds, few are at the end of time."""
        if self.chance.random() < 0.03:
            return self.chance.choice(EXTREME_INSTANTS)
        passed = timedelta(hours=self.chance.randrange(24 * 40))
        if self.chance.random() < 0.3:
            passed += timedelta(microseconds=self.chance.randrange(10**6))
        return NOW - passed

    def day(self) -> date:
        return self.instant().date()

    def amount(self) -> Decimal:
        return Decimal(self.chance.choice(("0", "0.0001", "100", "1250.5", "99.9900", "123456789012345.6789", "-5")))

    def stamps(self) -> Columns:
        made = self.instant()
        later = made if made.year in (1, 9999) else made + timedelta(minutes=self.chance.randrange(3))
        return {"version": self.chance.randrange(1, 9), "created_at": made, "updated_at": later}

    def _workspace(self) -> None:
        home = self.at == HOME
        row = {
            "id": self.workspace_id,
            "name": "Oracle" if home else 'Abroad "Ltd"',
            "base_currency": "EUR" if home else "JPY",
            "time_zone": "Europe/Berlin" if home else "UTC",
            "locale": "de" if home else "en",
            "wins_window_days": 20,
            "role_visibility": {} if home else {"REP": "ALL", "MANAGER": "OWN"},
            **self.stamps(),
        }
        self.world.rows[self.at][Workspace].append(row)
        self.world.rows[self.at][EventHead].append({"workspace_id": self.workspace_id, "position": 41 if home else 0})

    def _people(self) -> None:
        teams: dict[str | None, UUID | None] = {None: None}
        for name, parent, deleted in (
            ("North", None, False),
            ("South", None, False),
            ("North coast", "North", False),
            ("Islands", "North coast", False),
            ("Gone", "South", True),
        ):
            teams[name] = self.add(
                Team, name=name, parent_id=teams[parent], deleted_at=NOW if deleted else None, **self.stamps()
            )["id"]
        for name, (at, role, team) in PEOPLE.items():
            if at == self.at:
                self._member(name, role, teams[team])
        for number in range(4):
            self._member(
                f"Colleague {number}", self.chance.choice(list(Role)), self.chance.choice(list(teams.values()))
            )
        for name, (at, role, scopes) in PARTNERS.items():
            if at == self.at:
                self._key(self._member(name, role, None, is_service=True), sorted(scopes))
        self._key(self.rows(User)[0], [])
        for email in ("new@example.com", "Ünï@example.com", "late@example.com", "off@example.com"):
            self.add(
                Invitation,
                email=email,
                email_normalised=email.lower(),
                role=self.chance.choice(list(Role)),
                team_id=self.maybe(self.one(Team)),
                invited_by_id=self.maybe(self.one(User)),
                expires_at=self.instant(),
                accepted_at=self.maybe(self.instant(), 0.3),
                revoked_at=self.maybe(self.instant(), 0.3),
                created_at=self.instant(),
            )

    def _member(self, name: str, role: Role, team_id: UUID | None, *, is_service: bool = False) -> Columns:
        address = f"{name.replace(' ', '.')}@{self.at}.oracle.example"
        email = None if is_service else self.maybe(address, 0.9)
        user = self.add(
            User,
            name=name,
            email=email,
            email_normalised=email,
            time_zone=self.maybe("Asia/Tokyo", 0.3),
            locale=self.maybe("fr", 0.3),
            is_service=is_service,
            avatar_id=self.maybe(self._file(None, UploadPurpose.AVATAR), 0.3),
            **self.stamps(),
        )
        del user["workspace_id"]
        self.add(
            Membership,
            user_id=user["id"],
            role=role,
            team_id=team_id,
            active=not name.startswith("Colleague") or self.chance.random() < 0.5,
            created_at=self.instant(),
        )
        return user

    def _key(self, user: Columns, scopes: list[str]) -> None:
        self.add(
            ApiKey,
            user_id=user["id"],
            created_by_id=self.maybe(self.one(User)),
            name=self.text(),
            prefix="sck_ab",
            key_hash=f"{self.at} {user['name']}",
            scopes=scopes,
            expires_at=self.maybe(self.instant()),
            last_used_at=self.maybe(self.instant()),
            revoked_at=self.maybe(self.instant(), 0.3),
            created_at=self.instant(),
        )

    def _pipelines(self) -> None:
        for position, (name, archived) in enumerate((("Sales", False), ("Second", False), ("Old", True))):
            pipeline = self.add(
                Pipeline,
                name=name,
                position=0 if archived else position,
                is_default=position == 0,
                archived_at=NOW if archived else None,
                **self.stamps(),
            )
            for place, kind in enumerate([StageKind.PROSPECT, *StageKind]):
                self.add(
                    Stage,
                    pipeline_id=pipeline["id"],
                    name=f"{kind.value.title()} {place}" if place else self.text() or "Intake",
                    kind=kind,
                    position=place,
                    probability=Decimal(self.chance.choice(("0", "0.1", "0.3333", "1"))),
                    rot_days=self.maybe(self.chance.randrange(1, 30)),
                    is_intake=place == 0,
                    requirements=self.chance.choice(REQUIREMENTS) | self._asked(),
                    archived_at=self.maybe(NOW, 0.15) if 0 < place < 6 else None,
                    **self.stamps(),
                )

    def _checklist(self) -> None:
        for place, type_ in enumerate((*CriterionType, CriterionType.TEXT)):
            choices = [
                {"key": "a", "label": self.text(), "qualifies": True, "archived": False},
                {"key": "b", "label": self.text(), "qualifies": False, "archived": self.chance.random() < 0.3},
            ]
            self.add(
                QualificationCriterion,
                label=self.name(),
                question=self.maybe(self.text()),
                type=type_,
                choices=choices if type_.value.endswith("CHOICE") else [],
                required_for_mql=self.chance.random() < 0.3,
                required_for_sql=self.chance.random() < 0.5,
                position=place // 2,
                preset_key=f"BANT.{place}" if self.chance.random() < 0.3 else None,
                archived_at=self.maybe(self.instant(), 0.2),
                **self.stamps(),
            )

    def _asked(self) -> Columns:
        """Return what a stage asks of the checklist."""
        with self.aside():
            asked = [self.one(QualificationCriterion).hex for _ in range(2)]
            return self.chance.choice(({}, {}, {"all_criteria": True}, {"criteria": asked}))

    def _answers(self, lead: Columns) -> None:
        # Texts twice as JSON, since the model takes them for JSON once more.
        values: Columns = {
            "TEXT": dumps(dumps("because")),
            "NUMBER": self.chance.choice((0, 2.5, -3)),
            "MONEY": {"amount": "12.5", "currencyCode": "EUR"},
            "DATE": dumps(dumps("2026-03-31")),
            "YES_NO": self.chance.random() < 0.5,
            "CHOICE": dumps(dumps(self.chance.choice(("a", "b", "gone")))),
            "MULTI_CHOICE": self.chance.choice((["a"], ["b", "gone"])),
        }
        for criterion in self.chance.sample(self.rows(QualificationCriterion), self.chance.randrange(5)):
            self.add(
                QualificationAnswer,
                lead_id=lead["id"],
                criterion_id=criterion["id"],
                value=values[criterion["type"].value],
                note=self.maybe(self.text()),
                source=self.chance.choice(list(AnswerSource)),
                user_id=self.maybe(self.one(User)),
                answered_at=self.instant(),
            )

    def _campaign(self, number: int, archived: datetime | None) -> None:
        costly = self.chance.random() < 0.7
        self.add(
            Campaign,
            name=f"{self.name()} {number}",
            kind=self.chance.choice(list(CampaignKind)),
            description=self.maybe(self.text()),
            starts_on=self.maybe(self.day()),
            ends_on=self.maybe(self.day()),
            cost=self.amount() if costly else None,
            cost_currency=self.chance.choice(CURRENCIES) if costly else None,
            archived_at=archived,
            **self.stamps(),
        )

    def _members(self, contact: Columns) -> None:
        for campaign in self.chance.sample(self.rows(Campaign), self.chance.randrange(3)):
            status = self.chance.choice(list(CampaignMemberStatus))
            self.add(
                CampaignMember,
                campaign_id=campaign["id"],
                contact_id=contact["id"],
                status=status,
                responded_at=self.instant() if status is CampaignMemberStatus.RESPONDED else None,
                created_at=self.instant(),
            )

    def _catalog(self) -> None:
        for number in range(6):
            archived = self.maybe(self.instant(), 0.3)
            stamps = self.stamps()
            self.add(
                Source,
                name=f"{self.name()} {number}",
                kind=self.chance.choice(list(SourceKind)),
                archived_at=archived,
                **stamps,
            )
            with self.aside():
                self._campaign(number, archived)
            self.add(LostReason, name=f"{self.name()} {number}", archived_at=archived, **stamps)
            self.add(
                Competitor,
                name=f"{self.name()} {number}",
                website=self.maybe("https://rival.example/?q='"),
                strengths=self.maybe(self.text()),
                weaknesses=self.maybe(self.text()),
                description=self.maybe(self.text()),
                archived_at=archived,
                **stamps,
            )
            self.add(Tag, name=f"{self.name()} {number}", color=self.maybe("#00ff7f"), archived_at=archived, **stamps)
        for number in range(9):
            name = f"{self.name()} {number}"
            priced = self.chance.random() < 0.7
            product = self.add(
                Product,
                name=name,
                name_normalised=name.casefold(),
                sku=self.maybe(f"SKU-{number}%"),
                family=self.maybe(self.text()),
                description=self.maybe(self.text()),
                price=self.amount() if priced else None,
                price_currency=self.maybe("EUR", 0.9) if priced else None,
                archived_at=self.maybe(self.instant(), 0.3),
                **self.stamps(),
            )
            self._references("product", product, 0.4)
        for currency in ("USD", "CHF") if self.at == HOME else ("EUR", "USD"):
            for days in (400, 30, 1, -10):
                self.add(
                    ExchangeRate,
                    currency=currency,
                    rate=Decimal(self.chance.choice(("1.08", "0.000000000001", "150.123456789012", "2"))),
                    valid_on=(NOW - timedelta(days=days)).date(),
                    created_at=NOW,
                )

    def _references(self, subject: str, row: Columns, chance: float) -> None:
        for system in ("erp", "Ünï'system"):
            if self.chance.random() < chance:
                key = f"{self.text()[:40]} {self.world.take().hex[-6:]}"
                self.add(ExternalRef, system=system, external_id=key, subject_type=subject, subject_id=row["id"])

    def _address(self) -> Columns | None:
        return self.chance.choice(
            (
                None,
                {},
                {"street": "Straße 1", "city": "Köln", "region": None, "postalCode": "50667", "country": "DE"},
                {"street": '5 "Main" St', "country": ""},
            )
        )

    def _companies(self) -> None:
        for number in range(14):
            name = self.name()
            revenue = self.maybe(self.amount())
            company = self.add(
                Company,
                name=name,
                name_normalised=name.casefold(),
                domain=self.maybe(f"c{number}.example"),
                website=self.maybe("https://example.com/?q=%20'"),
                phone=self.maybe("+49 221 123"),
                industry=self.maybe(self.text()),
                country=self.maybe(self.chance.choice(("DE", "US", "JP"))),
                location=self.maybe(self.text()),
                employees=self.maybe(self.chance.choice((0, 7, 250, 2**31 - 1))),
                revenue=revenue,
                revenue_currency=None if revenue is None else self.maybe("USD", 0.9),
                founded_year=self.maybe(self.chance.choice((1850, 1999, 2020))),
                tax_number=self.maybe("DE 123"),
                billing_address=self._address(),
                shipping_address=self._address(),
                relationship=self.chance.choice(list(Relationship)),
                parent_id=self.one(Company) if number > 3 and self.chance.random() < 0.5 else None,
                owner_id=self.maybe(self.one(User)),
                deleted_at=NOW if number in (2, 9) else None,
                **self.stamps(),
            )
            self._references("company", company, 0.3)

    def _contacts(self) -> None:
        for number in range(22):
            email = self.maybe(f"Person{number}@Example.com")
            contact = self.add(
                Contact,
                name=self.name(),
                company_id=self.maybe(self.one(Company)),
                job_title=self.maybe(self.text()),
                email=email,
                email_normalised=email and email.lower(),
                phone=self.maybe("0221 / 123"),
                phone_normalised=self.maybe("+49221123"),
                language=self.maybe("de"),
                relationship=self.chance.choice(list(Relationship)),
                owner_id=self.maybe(self.one(User)),
                deleted_at=NOW if number in (5, 12) else None,
                **self.stamps(),
            )
            self._references("contact", contact, 0.3)
            with self.aside():
                self._members(contact)

    def _lead(self, number: int) -> None:
        stage = self.chance.choice(self.rows(Stage))
        wins = stage["kind"] is StageKind.FOLLOW_UP
        closed = (LeadStatus.LOST, LeadStatus.DISQUALIFIED, LeadStatus.OPEN, LeadStatus.OPEN, LeadStatus.OPEN)
        status = LeadStatus.WON if wins else self.chance.choice(closed)
        over = status is not LeadStatus.OPEN
        scored = self.chance.random() < 0.6
        lead = self.add(
            Lead,
            title=self.text() or "Untitled",
            description=self.maybe(self.text()),
            pipeline_id=stage["pipeline_id"],
            stage_id=stage["id"],
            rank=self.chance.choice(("a", "B", "m", f"{number:04x}8")),
            status=status,
            lifecycle=self.chance.choice(list(Lifecycle)),
            lifecycle_chosen_at=self._aside.choice((None, None, NOW)),
            value=self.maybe(self.amount(), 0.8),
            currency=self.chance.choice(CURRENCIES),
            closing_rate=self.maybe(Decimal("1.25"), 0.5) if over else None,
            probability=stage["probability"],
            score=self.chance.choice((0, 40, 55, 55, 100)) if scored else None,
            grade=self.chance.choice(list(Grade)) if scored else None,
            score_factors=self._factors() if scored else [],
            scored_at=self.instant() if scored else None,
            owner_id=self._owner(),
            company_id=self.maybe(self.one(Company), 0.9),
            product_id=self.maybe(self.one(Product)),
            source_id=self.maybe(self.one(Source)),
            lost_reason_id=self.maybe(self.one(LostReason)) if status is LeadStatus.LOST else None,
            lost_to_id=self.maybe(self.one(Competitor)) if status is LeadStatus.LOST else None,
            close_note=self.maybe(self.text()) if over else None,
            expected_close_date=self.maybe(self.day()),
            engaged_at=self.maybe(self.instant(), 0.8),
            stage_entered_at=self.instant(),
            first_activity_at=NOW if number % 5 else None,
            last_activity_at=self.maybe(self.instant()),
            first_response_seconds=(None, 0, 60, 2**40)[number % 4],
            touches=number % 3,
            closed_at=self.instant() if over else None,
            deleted_at=NOW if number % 11 == 10 else None,
            **self.stamps(),
        )
        with self.aside():
            lead["campaign_id"] = self.maybe(self.one(Campaign))
        lead["win_probability"] = None if lead["score"] is None else Decimal(lead["score"]) / 100
        self._hang_on(lead)

    def _owner(self) -> UUID | None:
        """Return an owner: mostly one of those who ask, so that each has leads of their own, but for one."""
        askers = [row for row in self.rows(User) if row["name"] in PEOPLE and row["name"] != "lonely rep"]
        people = [row for row in self.rows(User) if row["name"] != "lonely rep"]
        chosen = self.chance.choice(askers if self.chance.random() < 0.7 else people)
        return self.maybe(chosen["id"], 0.85)  # type: ignore[no-any-return]

    def _factors(self) -> list[Columns]:
        return [
            {"label": self.text(), "points": self.chance.choice((1, -2.5, 0, 12.125)), "direction": "UP", "more": 1}
            for _ in range(self.chance.randrange(3))
        ]

    def _hang_on(self, lead: Columns) -> None:
        lead_id = lead["id"]
        for place, contact in enumerate(self.chance.sample(self.rows(Contact), self.chance.randrange(4))):
            self.add(
                LeadContact,
                lead_id=lead_id,
                contact_id=contact["id"],
                role=self.chance.choice(list(ContactRole)),
                is_primary=place == 0,
                created_at=self.instant(),
            )
        for tag in self.chance.sample(self.rows(Tag), self.chance.randrange(4)):
            self.add(LeadTag, lead_id=lead_id, tag_id=tag["id"])
        for rival in self.chance.sample(self.rows(Competitor), self.chance.randrange(3)):
            self.add(
                LeadCompetitor,
                lead_id=lead_id,
                competitor_id=rival["id"],
                threat=self.chance.choice(list(Threat)),
                strengths=self.maybe(self.text()),
                weaknesses=self.maybe(self.text()),
                notes=self.maybe(self.text()),
                created_at=self.instant(),
            )
        for _ in range(self.chance.randrange(3)):
            self.add(
                Need,
                lead_id=lead_id,
                kind=self.chance.choice(list(NeedKind)),
                product_id=self.maybe(self.one(Product), 0.3),
                title=self.name(),
                description=self.maybe(self.text()),
                importance=self.chance.randrange(1, 6),
                answer=self.maybe(self.text()),
                deleted_at=self.maybe(NOW, 0.15),
                **self.stamps(),
            )
        for _ in range(self.chance.randrange(4)):
            self.add(
                StageTransition,
                lead_id=lead_id,
                from_stage_id=self.maybe(self.one(Stage), 0.8),
                to_stage_id=self.one(Stage),
                user_id=self.maybe(self.one(User)),
                moved_at=self.instant(),
                stayed_seconds=self.maybe(self.chance.choice((0, 86_400, 2**31, 2**40))),
            )
        for status in self.chance.sample(list(MoveRequestStatus), self.chance.randrange(3)):
            self.add(
                MoveRequest,
                lead_id=lead_id,
                from_stage_id=self.one(Stage),
                to_stage_id=self.one(Stage),
                status=status,
                note=self.maybe(self.text()),
                decision_note=self.maybe(self.text()),
                requested_by_id=self.maybe(self.one(User)),
                decided_by_id=self.maybe(self.one(User)),
                created_at=self.instant(),
                decided_at=self.maybe(self.instant()),
            )
        with self.aside():
            self._hand_overs(lead_id)
            self._answers(lead)
        self._references("lead", lead, 0.4)

    def _talk(self) -> None:
        """Comment on leads, companies and contacts, deleted ones among them, and tell people of it."""
        for column, model in (("lead_id", Lead), ("company_id", Company), ("contact_id", Contact)):
            for subject in self.rows(model):
                for _ in range(self.chance.randrange(3)):
                    self._comment(**{"lead_id": None, "company_id": None, "contact_id": None, column: subject["id"]})
        for lead in self.rows(Lead):
            for user in self.chance.sample(self.rows(User), self.chance.randrange(3)):
                self.add(LeadWatcher, lead_id=lead["id"], user_id=user["id"], created_at=self.instant())
        comments = self.rows(Comment)
        for user in self.rows(User):
            for _ in range(self.chance.randrange(6)):
                comment = self.chance.choice(comments)
                several = self.chance.random() < 0.2
                self.add(
                    Notification,
                    user_id=user["id"],
                    kind=self.chance.choice(list(NotificationKind)),
                    lead_id=None if several else comment["lead_id"],
                    comment_id=None if several else self.maybe(comment["id"]),
                    actor_id=self.maybe(self.one(User)),
                    event_id=self.world.take(),
                    data={"events": 3} if several else {},
                    created_at=self.instant(),
                    read_at=self.maybe(self.instant(), 0.5),
                )

        for user in self.rows(User):
            for _ in range(self.chance.randrange(3)):
                at = self.instant()
                facts: Columns = {"user_id": user["id"], "name": self.text() or "Phone", "created_at": at}
                self.add(CalendarFeed, **facts, read_at=self.maybe(at), revoked_at=self.maybe(at, 0.2))
            self._remind(user["id"])

    def _remind(self, user_id: UUID) -> None:
        """Devices of somebody, some of which have ended, and reminders of leads, some of which they no longer see."""
        for number in range(self.chance.randrange(1, 4)):
            at = self.instant()
            self.add(
                Device,
                user_id=user_id,
                platform=DevicePlatform.FCM,
                address=f"{user_id}{number}{self.at}",
                name=self.maybe(self.name()),
                created_at=at,
                updated_at=at,
                ended_at=at if number else None,
                end_reason=DeviceEnd.GONE if number else None,
            )
        for _ in range(self.chance.randrange(1, 5)):
            at = self.instant()
            facts: Columns = {"user_id": user_id, "due_at": at, "created_at": at}
            key = self.add(
                Reminder,
                **facts,
                kind=self.chance.choice(list(ReminderKind)),
                occasion=str(self.world.take()),
                lead_id=self.maybe(self.one(Lead), 0.8),
            )["id"]
            for channel in Channel:
                sent = self.chance.random() < 0.7
                self.add(
                    Delivery,
                    **facts,
                    channel=channel,
                    kind="reminder",
                    occasion=f"reminder:{key}:{channel}",
                    about_id=key,
                    status=DeliveryStatus.SENT if sent else DeliveryStatus.SKIPPED,
                    reason=None if sent else self.text(),
                    ended_at=at,
                )

    def _surveys(self) -> None:
        """Surveys with and without versions, for leads that may be deleted and for contacts, answered and not."""
        content = questionnaires.dump(survey_presets.preset(SurveyKind.NPS))
        for number in range(5):
            numbers = range(1, number + 1)
            survey = self.add(
                Survey,
                name=f"{self.name()} {number}",
                kind=self.chance.choice(list(SurveyKind)),
                content=content,
                draft_number=number + self.chance.randrange(2),
                published_number=number or None,
                published_at=self.instant() if number else None,
                pipeline_id=self.maybe(self.one(Pipeline), 0.5),
                archived_at=self.maybe(self.instant(), 0.2),
                **self.stamps(),
            )
            for at in numbers:
                self.add(
                    SurveyVersion,
                    survey_id=survey["id"],
                    number=at,
                    content=content,
                    published_at=self.instant(),
                    published_by_id=self.maybe(self.one(User)),
                )
        for number in range(60):
            self._dispatch(number)

    def _proposals(self) -> None:
        """Proposals to leads that may be deleted, in several versions of several lines, and what they wait for."""
        for _ in range(4):
            self.add(
                ApprovalRule,
                kind=self.chance.choice(list(ApprovalKind)),
                threshold=abs(self.amount()),
                roles=["MANAGER"],
                archived_at=self.maybe(self.instant(), 0.3),
                **self.stamps(),
            )
        for number in range(24):
            self._proposal(number)

    def _proposal(self, number: int) -> None:
        lead = self.chance.choice(self.rows(Lead))
        said = {"title": self.name(), "language": "de", "currency": self.chance.choice(CURRENCIES)}
        offer = self.add(
            Proposal,
            lead_id=lead["id"],
            contact_id=self.maybe(self.one(Contact), 0.7),
            number=f"P-2026-{number:04}",
            **said,
            state=self.chance.choice(list(ProposalState)),
            net=abs(self.amount()),
            total=abs(self.amount()),
            valid_until=self.maybe(self.day(), 0.7),
            sent_at=self.maybe(self.instant(), 0.5),
            viewed_at=self.maybe(self.instant(), 0.3),
            ended_at=self.maybe(self.instant(), 0.3),
            created_by_id=self.maybe(self.one(User), 0.7),
            deleted_at=self.maybe(self.instant(), 0.1),
            **self.stamps(),
        )
        for at in range(1, 2 + number % 3):
            self._version(offer, lead, at, said)
        own = [row["id"] for row in self.rows(ProposalVersion) if row["proposal_id"] == offer["id"]]
        offer["current_id"], offer["sent_id"] = own[-1], self.maybe(own[0], 0.5)

    def _version(self, offer: Columns, lead: Columns, at: int, said: Columns) -> None:
        needs = [row for row in self.rows(Need) if row["lead_id"] == lead["id"]]
        section = {"heading": self.name(), "text": self.maybe(self.text()), "need": None, "difference": self.text()}
        section["need_id"] = str(self.chance.choice(needs)["id"]) if needs and self.chance.random() < 0.7 else None
        tax = {"rate": "19", "net": "100.00", "tax": "19.00"}
        buyer = {"name": self.text(), "company": self.maybe(self.text()), "address": {"city": "Bern", "country": "CH"}}
        version = self.add(
            ProposalVersion,
            proposal_id=offer["id"],
            lead_id=lead["id"],
            number=at,
            state=self.chance.choice(list(ProposalState)),
            **said,
            rounding=self.chance.choice(list(Rounding)),
            tax_inclusive=self.chance.random() < 0.3,
            valid_until=self.maybe(self.day(), 0.7),
            sections=[section] * self.chance.randrange(3),
            terms=self.maybe(self.text()),
            discount_percent=self.maybe(Decimal("12.5"), 0.3),
            discount_amount=self.maybe(abs(self.amount()), 0.2),
            **{name: abs(self.amount()) for name in ("subtotal", "discount", "net", "tax", "total")},
            taxes=[tax] * self.chance.randrange(3),
            cost=self.maybe(abs(self.amount())),
            parties=self.chance.choice(({}, {"seller": {"name": self.text()}, "buyer": buyer})),
            sha256=self.maybe("ab" * 32, 0.5),
            created_at=self.instant(),
            frozen_at=self.instant(),
        )
        of = {"version_id": version["id"], "lead_id": lead["id"]}
        for place in range(self.chance.randrange(4)):
            self.add(
                ProposalLine,
                **of,
                key=self.world.take(),
                position=place,
                currency=said["currency"],
                product_id=self.maybe(self.one(Product), 0.6),
                name=self.name(),
                description=self.maybe(self.text()),
                unit=self.maybe("piece", 0.5),
                quantity=Decimal(self.chance.choice(("1", "2.5", "0.0001"))),
                unit_price=abs(self.amount()),
                list_price=self.maybe(abs(self.amount())),
                discount_percent=self.maybe(Decimal("0.125"), 0.3),
                discount_amount=self.maybe(abs(self.amount()), 0.2),
                tax_rate=Decimal(self.chance.choice(("0", "8.1", "19"))),
                unit_cost=self.maybe(abs(self.amount())),
                optional=self.chance.random() < 0.3,
                chosen=self.chance.random() < 0.8,
                amount=abs(self.amount()),
            )
        for rule in self.chance.sample(self.rows(ApprovalRule), self.chance.randrange(3)):
            reason = {"kind": rule["kind"].value, "threshold": "10", "value": self.maybe("12.5"), "currency": "EUR"}
            self.add(
                Approval,
                **of,
                rule_id=self.maybe(rule["id"], 0.8),
                kind=rule["kind"],
                reason=reason,
                roles=rule["roles"],
                state=self.chance.choice(list(ApprovalState)),
                requested_by_id=self.maybe(self.one(User), 0.8),
                decided_by_id=self.maybe(self.one(User), 0.5),
                note=self.maybe(self.text()),
                created_at=self.instant(),
                decided_at=self.maybe(self.instant(), 0.5),
            )

    def _dispatch(self, number: int) -> None:
        version, lead = self.chance.choice(self.rows(SurveyVersion)), self.maybe(self.one(Lead), 0.8)
        score = self.maybe(self.chance.randrange(11), 0.8)
        alike = {
            "survey_id": version["survey_id"],
            "survey_version_id": version["id"],
            "lead_id": lead,
            "contact_id": self.one(Contact) if lead is None else self.maybe(self.one(Contact), 0.8),
        }
        asked = self.add(
            SurveyDispatch,
            **alike,
            created_by_id=self.maybe(self.one(User), 0.5),
            trigger=self.chance.choice(list(DispatchTrigger)),
            status=self.chance.choice(list(DispatchStatus)),
            skip_reason=self.maybe(self.chance.choice(list(SkipReason)), 0.3),
            language=self.maybe("de", 0.5),
            due_at=None,
            sent_at=self.maybe(self.instant(), 0.5),
            created_at=self.instant(),
        )
        if number % 2:
            self.add(
                SurveyResponse,
                **alike,
                dispatch_id=asked["id"],
                answers={} if score is None else {"score": score, "reason": self.text()},
                score=score,
                verdict=None if score is None else self.chance.choice(list(Verdict)),
                verbatim=self.maybe(self.text(), 0.5),
                language=self.chance.choice(("en", "de")),
                started_at=self.instant(),
                updated_at=self.instant(),
                submitted_at=self.maybe(self.instant(), 0.7),
            )
        if number % 7 == 0 and number < len(self.rows(Lead)):
            self.add(
                Referral,
                dispatch_id=asked["id"],
                referrer_id=self.maybe(self.one(Contact), 0.8),
                referrer_lead_id=lead,
                lead_id=self.rows(Lead)[number]["id"],
                identity=f"{number}@example.com",
                note=self.maybe(self.text(), 0.5),
                consent="They agreed.",
                created_at=self.instant(),
            )

    def _comment(self, **on: UUID | None) -> None:
        gone = self.chance.random() < 0.15
        comment = self.add(
            Comment,
            **on,
            user_id=self.maybe(self.one(User), 0.9),
            text=self.text() or "…",
            deleted_at=NOW if gone else None,
            deleted_by_id=self.one(User) if gone else None,
            **self.stamps(),
        )
        for user in self.chance.sample(self.rows(User), self.chance.randrange(3)):
            self.add(CommentMention, comment_id=comment["id"], user_id=user["id"])

    def _plans(self) -> None:
        """Plans of follow-ups, what is and was to be done, and days off."""
        for number in range(4):
            stage = self.chance.choice(self.rows(Stage))
            enters = number % 2 == 0
            plan = self.add(
                FollowUpPlan,
                name=f"Plan {number}",
                trigger=PlanTrigger.STAGE_ENTERED if enters else PlanTrigger.LEAD_WON,
                stage_id=stage["id"] if enters else None,
                pipeline_id=None if enters else self.maybe(stage["pipeline_id"]),
                since=NOW,
                archived_at=self.maybe(NOW, 0.3),
                **self.stamps(),
            )
            for step in range(self.chance.randrange(4)):
                self.add(
                    FollowUpPlanStep,
                    plan_id=plan["id"],
                    number=step + 1,
                    kind=self.chance.choice(list(FollowUpKind)),
                    title=self.name(),
                    note=self.maybe(self.text()),
                    priority=self.chance.choice(list(Priority)),
                    anchor=self.chance.choice(list(PlanAnchor)),
                    days=self.chance.randrange(60),
                    at=self.maybe("09:30"),
                    removed_at=self.maybe(NOW, 0.2),
                    **self.stamps(),
                )
        for column, model in (("lead_id", Lead), ("company_id", Company), ("contact_id", Contact)):
            for subject in self.chance.sample(self.rows(model), 8):
                for _ in range(self.chance.randrange(1, 4)):
                    self._follow_up(**dict.fromkeys(("lead_id", "company_id", "contact_id")) | {column: subject["id"]})
        for lead in self.rows(Lead):
            due = [row["due_at"] for row in self.rows(FollowUp) if row["lead_id"] == lead["id"]]
            lead["next_follow_up_at"] = min(due, default=None)
            lead["term_ends_on"] = self.maybe(self.day(), 0.4)
        for number in range(6):
            self.add(Holiday, day=NOW.date() + timedelta(days=number), name=self.name(), **self.stamps())

    def _follow_up(self, **on: UUID | None) -> None:
        status = self.chance.choice(list(FollowUpStatus))
        ended = status is not FollowUpStatus.OPEN
        due_at = self.instant()
        recurs = self.chance.random() < 0.2 and due_at not in EXTREME_INSTANTS
        row = self.add(
            FollowUp,
            **on,
            owner_id=self.maybe(self.one(User), 0.9),
            created_by_id=self.maybe(self.one(User), 0.8),
            kind=self.chance.choice(list(FollowUpKind)),
            title=self.name(),
            note=self.maybe(self.text()),
            priority=self.chance.choice(list(Priority)),
            status=status,
            due_at=due_at,
            due_on=self.maybe(due_at.date(), 0.5),
            time_zone=self.chance.choice(("UTC", "Europe/Berlin")),
            remind_minutes_before=self.maybe(15),
            remind_at=None,
            escalate_at=None,
            snoozed_until=None,
            recurrence="FREQ=DAILY" if recurs else None,
            series_id=None,
            series=None,
            occurrence=1,
            plan_id=self.maybe(self.one(FollowUpPlan), 0.3),
            plan_step_id=None,
            plan_key=None,
            occasion=None,
            outcome=self.maybe(self.text()) if status is FollowUpStatus.DONE else None,
            cancel_reason=self.maybe(self.text()) if status is FollowUpStatus.CANCELLED else None,
            ended_at=due_at if ended else None,
            ended_by_id=self.maybe(self.one(User)) if ended else None,
            **self.stamps(),
        )
        if recurs:
            start = local_times.local_of(due_at, row["time_zone"])
            if row["due_on"]:
                start = datetime.combine(row["due_on"], time())
            alike = {name: row[name] for name in follow_up_series.ALIKE}
            row |= {"series_id": row["id"], "series": {"start": start.isoformat(), "alike": alike}}

    def _files(self) -> None:
        """Files on what may be deleted, some of which have lost their bytes, and uploads that wait for their use."""
        for column, model in (("lead_id", Lead), ("company_id", Company), ("contact_id", Contact)):
            for subject in self.chance.sample(self.rows(model), 8):
                self.add(
                    Attachment,
                    **dict.fromkeys(("lead_id", "company_id", "contact_id")) | {column: subject["id"]},
                    file_id=self.maybe(self._file(None), 0.9),
                    user_id=self.maybe(self.one(User), 0.9),
                    name=self.name(),
                    content_type=self.chance.choice(("application/pdf", "text/html", "text/plain")),
                    size=self.chance.choice((1, 2**40)),
                    deleted_at=self.maybe(NOW, 0.15),
                    **self.stamps(),
                )
        for hours in (-1, 1, 24, 24):
            self._file(NOW + timedelta(hours=hours))

    def _file(self, expires_at: datetime | None, purpose: UploadPurpose = UploadPurpose.ATTACHMENT) -> UUID:
        file = self.add(
            File,
            name=self.name(),
            content_type="text/plain",
            size=3,
            purpose=purpose,
            sha256="0",
            user_id=self.one(User) if self.rows(User) else None,
            created_at=NOW,
            expires_at=expires_at,
            completed_at=self.maybe(NOW, 0.9),
        )
        return file["id"]  # type: ignore[no-any-return]

    def _hand_overs(self, lead_id: UUID) -> None:
        for status in self.chance.sample(list(HandOverStatus), self.chance.randrange(3)):
            created = self.instant()
            self.add(
                HandOver,
                lead_id=lead_id,
                status=status,
                from_user_id=self.maybe(self.one(User)),
                to_user_id=self.one(User),
                former_owner_id=self.maybe(self.one(User)),
                note=self.maybe(self.text()),
                reason=self.maybe(self.text()),
                decided_by_id=self.maybe(self.one(User)),
                created_at=created,
                decided_at=self.maybe(self.instant()),
            )

    def _log(self) -> None:
        for lead in self.rows(Lead):
            for _ in range(self.chance.randrange(4)):
                self._event("lead", lead["id"])
        # Not part of any lead's history, though it bears a lead's id.
        self._event("company", self.rows(Lead)[0]["id"])

    def _activities(self) -> None:
        for name in ("Site visit", "site visit", "Memo"):
            self.add(
                ActivityType,
                name=name,
                is_touch=name != "Memo",
                archived_at=NOW if name == "site visit" else None,
                **self.stamps(),
            )
        for number in range(LEADS[self.at] + 20):
            kind = self.chance.choice(list(ActivityKind))
            about = [self.maybe(self.one(noun)) for noun in (Lead, Company, Contact)]
            about[number % 3] = about[number % 3] or self.one((Lead, Company, Contact)[number % 3])
            activity = self.add(
                Activity,
                kind=kind,
                type_id=self.one(ActivityType) if kind is ActivityKind.CUSTOM else None,
                is_touch=self.chance.random() < 0.5,
                lead_id=about[0],
                company_id=about[1],
                contact_id=about[2],
                direction=self.maybe(self.chance.choice(list(ActivityDirection))),
                outcome=self.maybe(self.text()),
                subject=self.maybe(self.text()),
                text=self.maybe(self.text()),
                duration_seconds=self.maybe(self.chance.choice((0, 60, 2**31 - 1))),
                occurred_at=self.instant(),
                user_id=self.maybe(self.one(User)),
                logged_by_id=self.maybe(self.one(User)),
                deleted_at=self.maybe(NOW, 0.15),
                **self.stamps(),
            )
            self._participants(activity["id"])
            self._references("activity", activity, 0.2)

    def _participants(self, activity_id: UUID) -> None:
        for _ in range(self.chance.randrange(3)):
            self.add(
                ActivityParticipant,
                activity_id=activity_id,
                user_id=self.maybe(self.one(User)),
                contact_id=self.maybe(self.one(Contact)),
                name=self.maybe(self.text()),
                email=self.maybe("eve@example.com"),
            )

    def _event(self, subject: str, subject_id: UUID) -> None:
        task = self.chance.random() < 0.2
        actor: Columns = {"kind": "SYSTEM", "task": "score"} if task else {"kind": "USER", "user": str(self.one(User))}
        self.add(
            Event,
            name=f"{subject}.updated",
            subject_type=subject,
            subject_id=subject_id,
            actor=self.chance.choice((actor, actor, {"kind": "LINK"}, {})),
            client_mutation_id=self.maybe(self.text(), 0.3),
            data=self.chance.choice(({}, {"changes": {}}, {"changes": self._changes()}, {"changes": self._changes()})),
            occurred_at=self.instant(),
        )

    def _changes(self) -> Columns:
        known: Columns = {
            "title": ["old 'title'", self.text()],
            "value": [None, "12.5"],
            "owner_id": [str(self.one(User)), None],
            "stage_id": [str(self.one(Stage)), str(self.one(Stage))],
            "tag_ids": [[], [str(self.one(Tag)), str(self.one(Tag))]],
            "score": [1, 2.5],
            "count": [2**53 + 1, 2**64 - 1],
            "custom": [{"a": [1, None, True, {"b": 1.0}]}, {}],
            "is_hot": [False, True],
        }
        return {name: known[name] for name in self.chance.sample(list(known), self.chance.randrange(4))}

    def _custom(self, chance: Random) -> None:
        """Add a field of every type to leads, companies and contacts, and values for some of them."""
        for owner, model in CUSTOM_OWNERS.items():
            for position, kind in enumerate(CustomFieldType):
                field = self.add(
                    CustomField,
                    owner=owner,
                    key=custom_key(kind),
                    label=chance.choice(ODD_TEXTS) or "Field",
                    description=chance.choice((None, *ODD_TEXTS)),
                    type=kind,
                    options=list(CUSTOM_OPTIONS)
                    if kind in (CustomFieldType.CHOICE, CustomFieldType.MULTI_CHOICE)
                    else [],
                    position=position,
                    is_indexed=kind is not CustomFieldType.URL,
                    index_state=IndexState.NONE if kind is CustomFieldType.URL else IndexState.READY,
                    version=1,
                    deleted_at=None,
                    created_at=NOW,
                    updated_at=NOW,
                )
                for row in self.rows(model):
                    if chance.random() < 0.6:
                        row.setdefault("custom", {})[field["id"].hex] = self.custom_value(kind, chance)
            self.add(
                CustomField,
                owner=owner,
                key="c_old",
                label="Old",
                type=CustomFieldType.TEXT,
                position=99,
                archived_at=NOW,
                version=1,
                deleted_at=None,
                created_at=NOW,
                updated_at=NOW,
            )

    def custom_value(self, kind: CustomFieldType, chance: Random) -> Any:
        """Return a value of a custom field, as it is kept."""
        match kind:
            case CustomFieldType.NUMBER:
                return chance.choice(CUSTOM_NUMBERS)
            case CustomFieldType.MONEY:
                return {
                    "amount": chance.choice(("0", "0.0001", "100", "99.99")),
                    "currencyCode": chance.choice(("EUR", "USD")),
                }
            case CustomFieldType.DATE:
                return (NOW - timedelta(days=chance.randrange(9))).date().isoformat()
            case CustomFieldType.CHOICE:
                return chance.choice(CUSTOM_OPTIONS)["key"]
            case CustomFieldType.MULTI_CHOICE:
                chosen = [option["key"] for option in CUSTOM_OPTIONS if chance.random() < 0.5]
                return chosen or [CUSTOM_OPTIONS[0]["key"]]
            case CustomFieldType.YES_NO:
                return chance.random() < 0.5
            case CustomFieldType.USER:
                return str(chance.choice(self.rows(User))["id"])
            case _:
                return chance.choice([text for text in ODD_TEXTS if text])

    def _imports(self) -> None:
        for status in (*ImportStatus, ImportStatus.COMPLETED):
            total = self.maybe(self.chance.choice((0, 12, 2**40)), 0.8)
            made = self.add(
                Import,
                kind=self.chance.choice(list(ImportKind)),
                status=status,
                file_name=self.text() or "a.csv",
                fingerprint="0",
                next_row=self.chance.choice((0, 5, 2**53)),
                total_rows=total,
                created_rows=3,
                skipped_rows=self.chance.randrange(3),
                error=self.maybe(self.text(), 0.4),
                user_id=self.maybe(self.one(User)),
                created_at=self.instant(),
                started_at=self.maybe(self.instant()),
                finished_at=self.maybe(self.instant()),
            )
            for _ in range(self.chance.randrange(5)):
                self.add(
                    ImportFault,
                    of_import_id=made["id"],
                    line=self.chance.choice((2, 2, 3, 2**40)),
                    column=self.maybe(self.text()),
                    value=self.maybe(self.text()),
                    reason=self.text(),
                )

    def _bulks(self) -> None:
        """Keep work on many leads, some of which are gone or of nobody who asks."""
        for status in BulkStatus:
            made = self.add(
                Bulk,
                kind=self.chance.choice(list(BulkKind)),
                status=status,
                total=4,
                done=self.chance.randrange(5),
                failed=self.chance.randrange(3),
                errors=self.maybe([{"code": "ASKER_LEFT", "message": self.text(), "field": None}], 0.4),
                user_id=self._owner(),
                created_at=self.instant(),
                started_at=self.maybe(self.instant()),
                completed_at=self.maybe(self.instant()),
            )
            for number in range(1, 5):
                refused = [{"code": "NOT_FOUND", "message": self.text(), "field": ["ids"]}]
                self.add(
                    BulkRow,
                    bulk_id=made["id"],
                    user_id=made["user_id"],
                    number=number,
                    lead_id=self.one(Lead),
                    errors=self.maybe(refused, 0.6),
                )

    def _deliveries(self) -> None:
        """Send messages to members and contacts, not all of which arrive."""
        kinds, reasons = ("invitation", "reminder", "survey"), ("451 later", "550 nobody", "ünsubscribed", None)
        for number in range(40):
            status = self.chance.choice(list(DeliveryStatus))
            at = self.instant()
            self.add(
                Delivery,
                channel=self.chance.choice(list(Channel)),
                kind=self.chance.choice(kinds),
                occasion=f"occasion {number}",
                user_id=self.maybe(self.one(User), 0.6),
                contact_id=self.maybe(self.one(Contact), 0.6),
                address=self.maybe(f"{number}@example.com", 0.6),
                status=status,
                due_at=at,
                attempts=self.chance.randrange(4),
                at_risk=self.chance.random() < 0.2,
                reason=self.chance.choice(reasons),
                ended_at=None if status is DeliveryStatus.PENDING else at,
                created_at=at,
            )
        for number in range(20):
            self.add(
                Suppression,
                email_normalised=f"{self.chance.choice('abc')}{number}@example.com",
                kind=self.maybe(self.chance.choice(kinds), 0.5),
                reason=self.chance.choice(list(SuppressionReason)),
                note=self.maybe(self.text(), 0.5),
                created_at=self.instant(),
            )

    def _views(self) -> None:
        """Keep views, some of which ask for what no list has (any more)."""
        kept = ({"score": {"gte": 55}}, {"name": {"startsWith": "a"}}, {"colour": {"eq": 1}}, {"and": 7}, None)
        orders = ([{"field": "CREATED_AT"}], {"field": "NAME", "direction": "DESC"}, [{"field": "COLOUR"}], None)
        for number in range(24):
            sharing = self.chance.choice(list(Sharing))
            self.add(
                SavedView,
                owner_id=self._owner() or self.one(User),
                team_id=self.one(Team) if sharing is Sharing.TEAM else None,
                name=f"{self.name()} {number}",
                noun=self.chance.choice(list(ViewNoun)),
                visibility=sharing,
                passing=self.chance.choice(kept),
                order_by=self.chance.choice(orders),
                search=self.maybe(self.text(), 0.3),
                columns=self.chance.choice((["title", "owner"], ["name"], ["nope"], [])),
                position=self.chance.randrange(4),
                deleted_at=NOW if number % 9 == 8 else None,
                **self.stamps(),
            )


def columns_of(rows: Sequence[Columns], name: str) -> list[Any]:
    """Return what a column holds in these rows, nulls left out."""
    return [row[name] for row in rows if row.get(name) is not None]
