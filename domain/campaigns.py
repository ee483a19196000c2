"""Campaigns: what is done to win customers, what it costs, whom it was meant for and who answered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from tortoise.queryset import QuerySet

from domain import edits, inputs, money, policy, removals
from domain.actors import Actor
from domain.errors import Conflict, DomainError, Faults, NotFound
from domain.events import Event, record
from domain.money import Money
from domain.policy import Action
from domain.unset import UNSET, Unset, given
from models.base import uuid7
from models.campaigns import Campaign, CampaignKind, CampaignMemberStatus
from models.contacts import Contact
from models.database import connected, in_one_go, transaction

UNIQUE = {"campaign_pkey": "id", "campaign_name_idx": "name"}
MOST_AT_ONCE = 500

# Who has answered once stays so, whoever invites them again.
ADD = """
INSERT INTO campaign_member AS known (id, workspace_id, campaign_id, contact_id, status, responded_at, created_at)
SELECT new.id, $1, $2, new.contact_id, $3::text, CASE WHEN $3 = 'RESPONDED' THEN $4::timestamptz END, $4
FROM unnest($5::uuid[], $6::uuid[]) AS new(id, contact_id)
ON CONFLICT (campaign_id, contact_id) DO UPDATE
SET status = excluded.status, responded_at = excluded.responded_at
WHERE known.status = 'INVITED' AND excluded.status = 'RESPONDED'
RETURNING contact_id
"""
REMOVE = "DELETE FROM campaign_member WHERE campaign_id = $1 AND contact_id = ANY($2::uuid[]) RETURNING contact_id"


class CampaignCreated(Event):
    name = "campaign.created"


class CampaignUpdated(Event):
    name = "campaign.updated"


class CampaignArchived(Event):
    name = "campaign.archived"


class CampaignRestored(Event):
    name = "campaign.restored"


class CampaignMembersAdded(Event):
    """People are members of a campaign from now on, or have answered it."""

    name = "campaign.members_added"


class CampaignMembersRemoved(Event):
    name = "campaign.members_removed"


class CampaignEndsBefore(DomainError):
    """A campaign cannot end on {ends}, before it begins on {starts}."""


class TooManyMembers(DomainError):
    """At most {limit} people at once are put into a campaign or taken out of it, not {count}: send them in parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignDetails:
    """What people say of a campaign; what is UNSET is left as it is, None clears it."""

    name: str | Unset | None = UNSET
    kind: CampaignKind | Unset = UNSET
    description: str | Unset | None = UNSET
    starts_on: date | Unset | None = UNSET
    ends_on: date | Unset | None = UNSET
    cost: Money | Unset | None = UNSET


def check(faults: Faults, details: CampaignDetails, *, current: Campaign | None = None) -> dict[str, Any]:
    """Check what is given and return it as columns; its days are looked at beside the current ones."""
    columns: dict[str, Any] = given(kind=details.kind)
    if details.name is not UNSET:
        columns["name"] = inputs.name(faults, details.name, field="name")
    if details.description is not UNSET:
        columns["description"] = inputs.text(faults, details.description, field="description")
    if details.starts_on is not UNSET:
        columns["starts_on"] = inputs.day(faults, details.starts_on, field="startsOn")
    if details.ends_on is not UNSET:
        columns["ends_on"] = inputs.day(faults, details.ends_on, field="endsOn")
    if details.cost is not UNSET:
        cost = money.check(faults, details.cost, field="cost")
        columns["cost"] = cost.amount if cost else None
        columns["cost_currency"] = cost.currency if cost else None
    starts, ends = (columns.get(name, getattr(current, name, None)) for name in ("starts_on", "ends_on"))
    if starts and ends and ends < starts and columns.keys() & {"starts_on", "ends_on"}:
        faults.add(CampaignEndsBefore(starts=starts, ends=ends, field="endsOn" if "ends_on" in columns else "startsOn"))
    return columns


async def create(actor: Actor, details: CampaignDetails, *, id: UUID | None = None, now: datetime) -> Campaign:
    """Add a campaign. Raises Forbidden, AlreadyExists (id, name), CampaignEndsBefore, and faults of the input."""
    policy.require(actor, Action.MANAGE_CAMPAIGNS)
    faults = Faults()
    key = edits.new_id(faults, id)
    columns = check(faults, replace(details, name=None) if details.name is UNSET else details)
    faults.raise_any()
    with edits.collisions("campaign", UNIQUE):
        async with transaction():
            row = Campaign(id=key, workspace_id=actor.workspace_id, created_at=now, updated_at=now, **columns)
            await edits.insert(row)
            await record(CampaignCreated(actor, row.id, edits.facts(row, columns)), now=now)
    return row


@in_one_go
async def update(
    actor: Actor,
    campaign_id: UUID,
    details: CampaignDetails,
    *,
    expected_version: int | None = None,
    now: datetime,
) -> Campaign:
    """Change what is given of a campaign.

    Raises NotFound, Stale, Forbidden, Conflict where it is archived, AlreadyExists (name), CampaignEndsBefore, and
    faults of the input.
    """
    with edits.collisions("campaign", UNIQUE):
        async with transaction():
            row = await _locked(actor, campaign_id, expected_version=expected_version)
            faults = Faults()
            columns = check(faults, details, current=row)
            faults.raise_any()
            if changed := await edits.apply(row, columns, now=now):
                facts = {"changes": changed, "version": row.version}
                await record(CampaignUpdated(actor, row.id, facts), now=now)
    return row


async def archive(actor: Actor, campaign_id: UUID, *, expected_version: int | None = None, now: datetime) -> Campaign:
    """Offer a campaign no more; leads keep it. Raises NotFound, Stale, Forbidden."""
    return await removals.remove(
        CampaignArchived,
        actor,
        Action.MANAGE_CAMPAIGNS,
        Campaign,
        campaign_id,
        column="archived_at",
        expected_version=expected_version,
        now=now,
    )


async def restore(actor: Actor, campaign_id: UUID, *, now: datetime) -> Campaign:
    """Offer a campaign again. Raises NotFound, Forbidden, AlreadyExists where its name is taken by now."""
    return await removals.restore(
        CampaignRestored,
        actor,
        Action.MANAGE_CAMPAIGNS,
        Campaign,
        campaign_id,
        column="archived_at",
        unique=UNIQUE,
        now=now,
    )


async def add_members(
    actor: Actor, campaign_id: UUID, contact_ids: Sequence[UUID], *, status: CampaignMemberStatus, now: datetime
) -> Campaign:
    """Put people into a campaign as invited, or say that they have answered it, members or not: no edit of it.

    Who has answered stays so. Raises NotFound (campaign, contacts), Forbidden, Conflict where it is archived,
    TooManyMembers.
    """
    async with transaction():
        row = await _locked(actor, campaign_id, field="campaignId")
        wanted = await _people(contact_ids, policy.visible(actor, Contact).filter(deleted_at=None))
        keys = [uuid7() for _ in wanted]
        added = await connected().fetch(ADD, [row.workspace_id, row.id, status.value, now, keys, wanted])
        if added:
            facts = {"status": status, "contact_ids": [member["contact_id"] for member in added]}
            await record(CampaignMembersAdded(actor, row.id, facts), now=now)
    return row


async def remove_members(actor: Actor, campaign_id: UUID, contact_ids: Sequence[UUID], *, now: datetime) -> Campaign:
    """Take people out of a campaign, deleted ones as well; who is no member stays none: no edit of it.

    Raises NotFound (campaign, contacts), Forbidden, Conflict where it is archived, TooManyMembers.
    """
    async with transaction():
        row = await _locked(actor, campaign_id, field="campaignId")
        wanted = await _people(contact_ids, policy.visible(actor, Contact))
        gone = await connected().fetch(REMOVE, [row.id, wanted])
        if gone:
            facts = {"contact_ids": [member["contact_id"] for member in gone]}
            await record(CampaignMembersRemoved(actor, row.id, facts), now=now)
    return row


async def _people(contact_ids: Sequence[UUID], known: QuerySet[Contact]) -> list[UUID]:
    """Return the keys of people, each once; raises TooManyMembers, and NotFound for each who is not `known`."""
    if len(contact_ids) > MOST_AT_ONCE:
        raise TooManyMembers(limit=MOST_AT_ONCE, count=len(contact_ids), field="contactIds")
    wanted = sorted(set(contact_ids))
    found = {row.id for row in await known.filter(id__in=wanted).only("id")}
    faults = Faults()
    for at, key in enumerate(contact_ids):
        if key not in found:
            faults.add(NotFound(noun="contact", field=f"contactIds.{at}"))
    faults.raise_any()
    return wanted


async def _locked(
    actor: Actor, campaign_id: UUID, *, expected_version: int | None = None, field: str = "id"
) -> Campaign:
    row = await policy.locked(actor, Campaign, campaign_id, expected_version=expected_version, field=field)
    policy.require(actor, Action.MANAGE_CAMPAIGNS, row)
    if row.archived_at is not None:
        raise Conflict(reason=f"{row.name} is archived: restore it first.")
    return row
