"""A workspace in which everything has several of everything: each of the first rows of each list has its own.

Only numbers matter here, so that rows are written as they are, whatever the rules say.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from tortoise.models import Model

from domain import questionnaires, survey_presets
from domain.actors import Actor
from models.activities import Activity, ActivityKind, ActivityParticipant, ActivityType
from models.api_keys import ApiKey
from models.attachments import Attachment
from models.base import uuid7
from models.bulks import Bulk, BulkKind, BulkRow
from models.calendar_feeds import CalendarFeed
from models.campaigns import Campaign, CampaignMember
from models.catalog import LostReason, Source, Tag
from models.companies import Company
from models.competitors import Competitor
from models.contacts import Contact
from models.conversations import Comment, CommentMention, LeadWatcher, Notification, NotificationKind
from models.custom_fields import CustomField, CustomFieldOwner
from models.database import transaction
from models.deliveries import Channel, Delivery, DeliveryStatus, Suppression, SuppressionReason
from models.events import Event
from models.exchange_rates import ExchangeRate
from models.external_refs import ExternalRef
from models.follow_ups import FollowUp, FollowUpKind, FollowUpPlan, FollowUpPlanStep, Holiday, PlanTrigger
from models.hand_overs import HandOver, HandOverStatus
from models.imports import Import, ImportFault, ImportKind
from models.leads import Lead, LeadCompetitor, LeadContact, LeadTag
from models.needs import Need
from models.pipelines import Pipeline
from models.products import Product
from models.proposals import Approval, ApprovalKind, ApprovalRule, Proposal, ProposalLine, ProposalVersion
from models.qualification import CriterionType, QualificationAnswer, QualificationCriterion
from models.reminders import Device, DevicePlatform, Reminder, ReminderKind
from models.saved_views import SavedView, Sharing, ViewNoun
from models.sessions import Invitation
from models.stages import MoveRequest, MoveRequestStatus, Stage, StageKind, StageTransition
from models.surveys import (
    DispatchStatus,
    DispatchTrigger,
    Referral,
    Survey,
    SurveyDispatch,
    SurveyKind,
    SurveyResponse,
    SurveyVersion,
)
from models.teams import Team
from models.users import Membership, Role, User
from tests.engine.crowd_sales import Sales
from tests.factories import NOW, member

M = TypeVar("M", bound=Model)
# How many there are of what is not inside anything else, and of what hangs on each.
MANY, FEW, LEADS = 5, 2, 60
REJECTED = MoveRequestStatus.REJECTED
STAMPS: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}


async def crowd() -> Actor:
    """Fill a workspace of its own and return its admin."""
    admin = await member(name="Zoe")
    async with transaction():
        await _Crowd(admin).fill()
    return admin


class _Crowd:
    def __init__(self, admin: Actor) -> None:
        assert admin.user_id
        self.workspace_id, self.admin_id = admin.workspace_id, admin.user_id

    async def fill(self) -> None:
        teams = await self._tree(Team)
        users = await self._users(teams)
        companies = await self._tree(Company)
        await Company.filter(workspace_id=self.workspace_id).update(owner_id=users[0].id)
        await self._references("company", companies)
        stages = await self._stages()
        products = [Product(**self._named(number), name_normalised=str(number)) for number in range(MANY)]
        await self._references("product", await _made(products))
        sources = await _made([Source(**self._named(number)) for number in range(MANY)])
        campaigns = await _made([Campaign(**self._named(number)) for number in range(MANY)])
        reasons = await _made([LostReason(**self._named(number)) for number in range(MANY)])
        rivals = await _made([Competitor(**self._named(number)) for number in range(MANY)])
        tags = await _made([Tag(**self._named(number)) for number in range(MANY)])
        contacts = await _made(
            [
                Contact(**self._named(number), company_id=company.id, owner_id=users[0].id)
                for number, company in enumerate([*companies, *companies])
            ]
        )
        await self._references("contact", contacts)
        await self._deliver(contacts, users)
        fields = await self._fields()
        leads = await _made(
            [
                Lead(
                    **self._row(number),
                    title=f"Lead {number}",
                    rank=f"{number:04}8",
                    currency="EUR",
                    value=Decimal(number),
                    stage_entered_at=NOW,
                    pipeline_id=stages[number % len(stages)].pipeline_id,
                    stage_id=stages[number % len(stages)].id,
                    owner_id=users[number % len(users)].id,
                    company_id=companies[number % (MANY + 3)].id,
                    product_id=products[number % MANY].id,
                    source_id=sources[number % MANY].id,
                    campaign_id=campaigns[number % MANY].id,
                    lost_reason_id=reasons[number % MANY].id,
                    custom={field.id.hex: f"{number}" for field in fields[CustomFieldOwner.LEAD]},
                    lost_to_id=rivals[number % MANY].id,
                    referrer_id=contacts[number % MANY].id,
                    score_factors=[{"label": "Near", "points": 1, "direction": "UP"}] * FEW,
                )
                for number in range(LEADS)
            ]
        )
        await self._checklist(leads, users)
        await self._hang_on(leads, contacts[: MANY * FEW], tags, stages, users)
        for subject in (leads, companies, contacts):
            await self._talk(subject, users)
            await self._plan(subject, users, stages)
        await self._remind(leads)
        days = [NOW.date() + timedelta(number) for number in range(MANY)]
        await _made([Holiday(**self._row(number), day=day, name="Off") for number, day in enumerate(days)])
        await self._take_part(campaigns, contacts[: MANY * FEW])
        await self._compete(leads, rivals, products)
        await self._attach((leads, companies, contacts), users)
        await self._settings(users, teams)
        await self._views(users, teams)
        await self._activities(leads, companies, contacts, users)
        await self._surveys(leads, contacts, users)
        await self._offer(leads, contacts, users, products)
        await Sales(self.workspace_id, users).sell()

    async def _offer(
        self, leads: Sequence[Lead], contacts: Sequence[Contact], users: Sequence[User], products: Sequence[Product]
    ) -> None:
        """Offer each lead several things, each in versions of several lines, with approvals that rules ask for."""
        said: dict[str, Any] = {"title": "Roof", "language": "en", "currency": "EUR"}
        rules = await _made(
            [
                ApprovalRule(
                    **self._row(number), kind=ApprovalKind.VALUE_OVER, threshold=Decimal(number), roles=["MANAGER"]
                )
                for number in range(MANY)
            ]
        )
        offers = [
            Proposal(
                **self._row(place * FEW + number),
                **said,
                lead_id=lead.id,
                contact_id=contacts[(place + number) % len(contacts)].id,
                created_by_id=users[(place + number) % len(users)].id,
                number=f"P-{place:03}-{number}",
            )
            for place, lead in enumerate(leads)
            for number in range(FEW)
        ]
        needs = {need.lead_id: str(need.id) for need in await Need.filter(workspace_id=self.workspace_id)}
        versions = []
        for offer in offers:
            section = {"heading": "Why", "need_id": needs[offer.lead_id]}
            kept: dict[str, Any] = {"rounding": "HALF_UP", "tax_inclusive": False, "sections": [section] * FEW}
            tax = {"rate": "19", "net": "1", "tax": "0.19"}
            own = [
                ProposalVersion(
                    id=uuid7(),
                    workspace_id=self.workspace_id,
                    proposal_id=offer.id,
                    lead_id=offer.lead_id,
                    number=number,
                    created_at=NOW,
                    taxes=[tax] * FEW,
                    **said,
                    **kept,
                )
                for number in range(1, FEW + 2)
            ]
            offer.sent_id, offer.current_id = own[-2].id, own[-1].id
            versions += own
        await _made(offers)
        # One version of a proposal is open at a time, and those that are frozen take no lines.
        for number in range(1, FEW + 2):
            own = [version for version in versions if version.number == number]
            await _made(own)
            await self._lines(own, products, users, rules)
            if number <= FEW:
                await ProposalVersion.filter(id__in=[version.id for version in own]).update(frozen_at=NOW)

    async def _lines(
        self,
        versions: Sequence[ProposalVersion],
        products: Sequence[Product],
        users: Sequence[User],
        rules: Sequence[ApprovalRule],
    ) -> None:
        home: dict[str, Any] = {"workspace_id": self.workspace_id}
        amounts = dict.fromkeys(("quantity", "unit_price", "amount", "tax_rate"), Decimal(1))
        await _made(
            [
                ProposalLine(
                    **home,
                    version_id=version.id,
                    lead_id=version.lead_id,
                    key=uuid7(),
                    position=number,
                    currency="EUR",
                    product_id=products[(place + number) % len(products)].id,
                    name=f"Part {number}",
                    **amounts,
                )
                for place, version in enumerate(versions)
                for number in range(FEW + 1)
            ]
        )
        reason = {"kind": "VALUE_OVER", "threshold": "1", "value": "2", "currency": "EUR"}
        await _made(
            [
                Approval(
                    **home,
                    version_id=version.id,
                    lead_id=version.lead_id,
                    rule_id=rules[(place + number) % len(rules)].id,
                    kind=ApprovalKind.VALUE_OVER,
                    reason=reason,
                    roles=["MANAGER"],
                    requested_by_id=users[(place + number) % len(users)].id,
                    decided_by_id=users[place % len(users)].id,
                    created_at=NOW - timedelta(minutes=place),
                )
                for place, version in enumerate(versions)
                for number in range(FEW)
            ]
        )

    async def _surveys(self, leads: Sequence[Lead], contacts: Sequence[Contact], users: Sequence[User]) -> None:
        home: dict[str, Any] = {"workspace_id": self.workspace_id}
        pipelines = await Pipeline.filter(**home).order_by("id")
        content = questionnaires.dump(survey_presets.preset(SurveyKind.NPS))
        made = await _made(
            [
                Survey(**self._named(number), kind=SurveyKind.NPS, content=content, pipeline_id=pipelines[number].id)
                for number in range(MANY)
            ]
        )
        versions = await _made(
            [
                SurveyVersion(
                    **home,
                    survey_id=survey.id,
                    number=number,
                    content=content,
                    published_at=NOW,
                    published_by_id=users[(place + number) % len(users)].id,
                )
                for place, survey in enumerate(made)
                for number in range(1, FEW + 2)
            ]
        )
        dispatches = await _made(
            [
                SurveyDispatch(
                    **home,
                    survey_id=versions[(place + number) % len(versions)].survey_id,
                    survey_version_id=versions[(place + number) % len(versions)].id,
                    lead_id=lead.id,
                    contact_id=contacts[(place + number) % len(contacts)].id,
                    created_by_id=users[number].id,
                    trigger=DispatchTrigger.MANUAL,
                    status=DispatchStatus.SENT,
                    created_at=NOW - timedelta(minutes=place * FEW + number),
                )
                for place, lead in enumerate(leads)
                for number in range(FEW + 1)
            ]
        )
        await _made(
            [
                SurveyResponse(
                    **home,
                    dispatch_id=one.id,
                    survey_id=one.survey_id,
                    survey_version_id=one.survey_version_id,
                    lead_id=one.lead_id,
                    contact_id=one.contact_id,
                    answers={"score": 9, "reason": "Kind"},
                    score=9,
                    language="en",
                    started_at=one.created_at,
                    updated_at=one.created_at,
                    submitted_at=one.created_at,
                )
                for one in dispatches
            ]
        )
        first = {one.lead_id: one for one in dispatches}
        await _made(
            [
                Referral(
                    **home,
                    dispatch_id=first[lead.id].id,
                    referrer_id=first[lead.id].contact_id,
                    referrer_lead_id=lead.id,
                    lead_id=lead.id,
                    identity=f"{place}@example.com",
                    consent="Yes",
                    created_at=NOW - timedelta(minutes=place),
                )
                for place, lead in enumerate(leads)
            ]
        )

    def _row(self, number: int) -> dict[str, Any]:
        """Return what every row has; those that are made first are the newest."""
        made = NOW - timedelta(minutes=number)
        return {"id": uuid7(), "workspace_id": self.workspace_id, "created_at": made, "updated_at": made}

    def _named(self, number: int) -> dict[str, Any]:
        return {**self._row(number), "name": f"Name {number:02}"}

    def _within(self, model: type[Model], number: int) -> dict[str, Any]:
        named = self._named(number)
        return named | ({"name_normalised": named["name"].lower()} if model is Company else {})

    async def _tree(self, model: type[M]) -> list[M]:
        """Make rows within rows; the first have both a parent and children, and parents have several."""
        tops = [model(**self._within(model, 50 + number)) for number in range(3)]
        middle = [model(**self._within(model, number), parent_id=tops[number // FEW].pk) for number in range(MANY)]
        below = [
            model(**self._within(model, 60 + number), parent_id=middle[number % MANY].pk)
            for number in range(MANY * FEW)
        ]
        await _made(tops)
        await _made(middle)
        await _made(below)
        return [*middle, *tops, *below]

    async def _fields(self) -> dict[CustomFieldOwner, list[CustomField]]:
        rows = [
            CustomField(**self._row(number), owner=owner, key=f"f{number}", label="Field", type="TEXT", position=number)
            for owner in CustomFieldOwner
            for number in range(MANY)
        ]
        await _made(rows)
        return {owner: [row for row in rows if row.owner is owner] for owner in CustomFieldOwner}

    async def _users(self, teams: Sequence[Team]) -> list[User]:
        users = []
        for number in range(FEW * len(teams)):
            columns = self._named(number)
            del columns["workspace_id"]
            users.append(User(**columns, is_service=True))
        await _made(users)
        await _made(
            [
                Membership(
                    workspace_id=self.workspace_id,
                    user_id=user.id,
                    role=Role.REP,
                    team_id=teams[number % len(teams)].id,
                    created_at=NOW,
                )
                for number, user in enumerate(users)
            ]
        )
        return users

    async def _stages(self) -> Sequence[Stage]:
        pipelines = await _made([Pipeline(**self._named(number), position=number) for number in range(MANY)])
        return await _made(
            [
                Stage(
                    **self._named(number),
                    pipeline_id=pipeline.id,
                    kind=StageKind.QUALIFY,
                    position=number,
                    probability=Decimal("0.5"),
                )
                for pipeline in pipelines
                for number in range(3)
            ]
        )

    async def _references(self, subject: str, rows: Iterable[Model]) -> None:
        await _made(
            [
                ExternalRef(
                    workspace_id=self.workspace_id,
                    system=f"System {number}",
                    external_id=str(row.pk),
                    subject_type=subject,
                    subject_id=row.pk,
                )
                for row in rows
                for number in range(FEW)
            ]
        )

    async def _checklist(self, leads: Sequence[Lead], users: Sequence[User]) -> None:
        asked = await _made(
            [
                QualificationCriterion(
                    **self._row(number), label=f"Criterion {number}", type=CriterionType.YES_NO, position=number
                )
                for number in range(MANY)
            ]
        )
        await _made(
            [
                QualificationAnswer(
                    workspace_id=self.workspace_id,
                    lead_id=lead.id,
                    criterion_id=criterion.id,
                    value=True,
                    user_id=users[place % len(users)].id,
                    answered_at=NOW,
                )
                for place, lead in enumerate(leads)
                for criterion in asked[:FEW]
            ]
        )
        await Stage.filter(workspace_id=self.workspace_id).update(requirements={"all_criteria": True})

    async def _hang_on(
        self,
        leads: Sequence[Lead],
        contacts: Sequence[Contact],
        tags: Sequence[Tag],
        stages: Sequence[Stage],
        users: Sequence[User],
    ) -> None:
        home = {"workspace_id": self.workspace_id}
        made: list[Model] = []
        for place, lead in enumerate(leads):
            for number in range(FEW + 1):
                on = {**home, "lead_id": lead.id}
                contact, tag = contacts[(place + number) % len(contacts)], tags[(place + number) % len(tags)]
                stage, user = stages[(place + number) % len(stages)], users[(place + number) % len(users)]
                ways = {"from_stage_id": stage.id, "to_stage_id": stage.id}
                people = {"requested_by_id": user.id, "decided_by_id": user.id}
                made += [
                    LeadContact(**on, contact_id=contact.id, created_at=NOW),
                    LeadTag(**on, tag_id=tag.id),
                    Need(**on, title="Less noise", importance=number + 1, **STAMPS),
                    StageTransition(**on, **ways, user_id=user.id, moved_at=NOW, stayed_seconds=1),
                    MoveRequest(**on, **ways, status=REJECTED, **people, created_at=NOW),
                    HandOver(
                        **on,
                        status=HandOverStatus.RETURNED,
                        from_user_id=user.id,
                        to_user_id=user.id,
                        former_owner_id=user.id,
                        decided_by_id=user.id,
                        created_at=NOW - timedelta(minutes=place),
                    ),
                    Event(
                        **home,
                        name="lead.updated",
                        subject_type="lead",
                        subject_id=lead.id,
                        actor={"kind": "USER", "user": str(user.id)},
                        data={"changes": {"title": ["a", "b"], "score": [1, 2]}},
                        occurred_at=NOW,
                    ),
                ]
        for model in dict.fromkeys(type(row) for row in made):
            await _made([row for row in made if type(row) is model])
        await self._references("lead", leads)

    async def _views(self, users: Sequence[User], teams: Sequence[Team]) -> None:
        facts: dict[str, Any] = {"workspace_id": self.workspace_id, "noun": ViewNoun.LEAD, "visibility": Sharing.ALL}
        await _made(
            [
                SavedView(
                    **facts, owner_id=users[at].id, team_id=teams[at].id, name=f"View {at}", position=at, **STAMPS
                )
                for at in range(MANY)
            ]
        )

    async def _deliver(self, contacts: Sequence[Contact], users: Sequence[User]) -> None:
        home: dict[str, Any] = {"workspace_id": self.workspace_id, "created_at": NOW}
        await _made(
            [
                Suppression(**home, email_normalised=f"gone{number}@example.com", reason=SuppressionReason.BOUNCED)
                for number in range(MANY)
            ]
        )
        facts: dict[str, Any] = {"channel": Channel.MAIL, "kind": "invitation", "due_at": NOW}
        await _made(
            [
                Delivery(
                    **home,
                    **facts,
                    occasion=f"{number}",
                    user_id=users[number % len(users)].id,
                    contact_id=contacts[number % len(contacts)].id,
                )
                for number in range(MANY)
            ]
        )

    async def _remind(self, leads: Sequence[Lead]) -> None:
        home: dict[str, Any] = {"workspace_id": self.workspace_id, "user_id": self.admin_id, "created_at": NOW}
        await _made(
            [
                Device(**home, platform=DevicePlatform.FCM, address=f"{self.workspace_id}{number}", updated_at=NOW)
                for number in range(MANY)
            ]
        )
        found = await _made(
            [
                Reminder(**home, kind=ReminderKind.LEAD_ROTTING, occasion=f"rot:{lead.id}", lead_id=lead.id, due_at=NOW)
                for lead in leads[: MANY * FEW]
            ]
        )
        facts: dict[str, Any] = {"kind": "lead_rotting", "status": DeliveryStatus.SENT, "due_at": NOW, **home}
        # Those to contacts come first in the list of all.
        facts["created_at"] = NOW - timedelta(days=1)
        await _made(
            [
                Delivery(**facts, channel=channel, occasion=f"reminder:{row.id}:{channel}", about_id=row.id)
                for row in found
                for channel in Channel
            ]
        )
        for comment, row in zip(await Notification.filter(user_id=self.admin_id), found, strict=False):
            await Notification.filter(id=comment.id).update(reminder_id=row.id)

    async def _activities(
        self, leads: Sequence[Lead], companies: Sequence[Company], contacts: Sequence[Contact], users: Sequence[User]
    ) -> None:
        home: dict[str, Any] = {"workspace_id": self.workspace_id}
        types = await _made([ActivityType(**self._named(number)) for number in range(MANY)])
        made = await _made(
            [
                Activity(
                    **self._row(number),
                    kind=ActivityKind.CUSTOM,
                    type_id=types[number % MANY].id,
                    lead_id=leads[number % (LEADS // FEW)].id,
                    company_id=companies[number % len(companies)].id,
                    contact_id=contacts[number % len(contacts)].id,
                    user_id=users[number % len(users)].id,
                    logged_by_id=users[0].id,
                    occurred_at=NOW + timedelta(days=1, minutes=-number),
                )
                for number in range(LEADS * 2)
            ]
        )
        await self._references("activity", made)
        await _made(
            [
                ActivityParticipant(**home, activity_id=activity.id, user_id=user.id, contact_id=contact.id)
                for activity in made
                for user, contact in zip(users[:FEW], contacts, strict=False)
            ]
        )

    async def _plan(self, subjects: Sequence[Model], users: Sequence[User], stages: Sequence[Stage]) -> None:
        key = f"{subjects[0]._meta.db_table}_id"
        plans = await _made(
            [
                FollowUpPlan(
                    **self._row(number),
                    name=f"{key} {number}",
                    trigger=PlanTrigger.STAGE_ENTERED,
                    stage_id=stages[number % len(stages)].id,
                    pipeline_id=stages[number % len(stages)].pipeline_id,
                    since=NOW,
                )
                for number in range(MANY)
            ]
        )
        alike: dict[str, Any] = {"kind": FollowUpKind.CALL, "title": "Call"}
        await _made(
            [
                FollowUpPlanStep(**self._row(number), plan_id=plan.id, number=number, days=number, **alike)
                for plan in plans
                for number in range(FEW)
            ]
        )
        await _made(
            [
                FollowUp(
                    **self._row(place),
                    **{key: subject.pk},
                    **alike,
                    owner_id=users[(place + number) % len(users)].id,
                    created_by_id=users[number].id,
                    ended_by_id=users[place % len(users)].id,
                    plan_id=plans[(place + number) % MANY].id,
                    due_at=NOW + timedelta(minutes=number),
                    time_zone="UTC",
                )
                for place, subject in enumerate(subjects)
                for number in range(FEW)
            ]
        )

    async def _talk(self, subjects: Sequence[Model], users: Sequence[User]) -> None:
        home = {"workspace_id": self.workspace_id}
        key = f"{subjects[0]._meta.db_table}_id"
        comments = [
            Comment(**self._row(place), **{key: subject.pk}, user_id=users[number].id, text=f"Word {number}")
            for place, subject in enumerate(subjects)
            for number in range(FEW)
        ]
        await _made(comments)
        people = [users[(place + number) % len(users)] for place in range(len(comments)) for number in range(FEW)]
        twice = [comment for comment in comments for _ in range(FEW)]
        await _made(
            [
                CommentMention(**home, comment_id=comment.id, user_id=user.id)
                for comment, user in zip(twice, people, strict=True)
            ]
        )
        if not isinstance(subjects[0], Lead):
            return
        await _made(
            [
                LeadWatcher(**home, lead_id=subject.pk, user_id=user.id, created_at=NOW)
                for subject in subjects
                for user in users[:FEW]
            ]
        )
        await _made(
            [
                Notification(
                    **home,
                    user_id=self.admin_id,
                    kind=NotificationKind.COMMENT,
                    lead_id=comment.lead_id,
                    comment_id=comment.id,
                    actor_id=comment.user_id,
                    event_id=uuid7(),
                    created_at=comment.created_at,
                )
                for comment in comments
            ]
        )
        feeds = [CalendarFeed(**home, user_id=self.admin_id, name=name, created_at=NOW) for name in ("Phone", "Desk")]
        await _made(feeds)

    async def _take_part(self, campaigns: Sequence[Campaign], contacts: Sequence[Contact]) -> None:
        home: dict[str, Any] = {"workspace_id": self.workspace_id, "created_at": NOW}
        await _made(
            [
                CampaignMember(**home, campaign_id=campaigns[(place + number) % MANY].id, contact_id=contact.id)
                for place, contact in enumerate(contacts)
                for number in range(FEW + 1)
            ]
        )

    async def _compete(self, leads: Sequence[Lead], rivals: Sequence[Competitor], products: Sequence[Product]) -> None:
        home: dict[str, Any] = {"workspace_id": self.workspace_id, "created_at": NOW}
        await _made(
            [
                LeadCompetitor(**home, lead_id=lead.id, competitor_id=rivals[(place + number) % MANY].id)
                for place, lead in enumerate(leads)
                for number in range(FEW + 1)
            ]
        )
        await Need.filter(workspace_id=self.workspace_id).update(product_id=products[0].id)

    async def _attach(self, subjects: Sequence[Sequence[Model]], users: Sequence[User]) -> None:
        await _made(
            [
                Attachment(
                    **self._named(number),
                    **{f"{type(row)._meta.db_table}_id": row.pk},
                    user_id=users[number % len(users)].id,
                    content_type="text/plain",
                    size=1,
                )
                for rows in subjects
                for number, row in enumerate(row for row in rows for _ in range(FEW + 1))
            ]
        )

    async def _settings(self, users: Sequence[User], teams: Sequence[Team]) -> None:
        home: dict[str, Any] = {"workspace_id": self.workspace_id}
        later = datetime(2030, 1, 1, tzinfo=UTC)
        for number in range(MANY):
            user, team = users[number], teams[number]
            await ApiKey.create(
                **home,
                user_id=user.id,
                created_by_id=user.id,
                name="Key",
                prefix="sck_ab",
                key_hash=str(uuid7()),
                scopes=[],
                created_at=NOW,
            )
            address = f"new{number}@example.com"
            await Invitation.create(
                **home,
                email=address,
                email_normalised=address,
                role=Role.REP,
                team_id=team.id,
                invited_by_id=user.id,
                expires_at=later,
                created_at=NOW,
            )
            rate: dict[str, Any] = {
                "currency": "USD",
                "rate": Decimal(2),
                "valid_on": (NOW + timedelta(days=number)).date(),
            }
            await ExchangeRate.create(**home, **rate, created_at=NOW)
            held = await Import.create(
                **home, kind=ImportKind.LEADS, file_name="a.csv", fingerprint="0", user_id=user.id, created_at=NOW
            )
            bulk = await Bulk.create(**home, kind=BulkKind.DELETE, total=9, user_id=user.id, created_at=NOW)
            refused = [{"code": "NOT_FOUND", "message": "No", "field": None}]
            keys = await Lead.filter(**home).order_by("id").limit(3).values_list("id", flat=True)
            rows = [
                BulkRow(**home, bulk_id=bulk.id, user_id=user.id, number=at, lead_id=key, errors=refused)
                for at, key in enumerate(keys, 1)
            ]
            await _made(rows)
            await _made([ImportFault(**home, of_import_id=held.id, line=line, reason="No") for line in range(2, 5)])


async def _made(rows: Sequence[M]) -> Sequence[M]:
    await type(rows[0]).bulk_create(rows)
    return rows
