"""Leads: described, handed out, deleted and restored; captures, moves and closings stand in files of their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from tortoise.connection import get_connection

from domain import (
    absences,
    custom_values,
    edits,
    external_refs,
    inputs,
    next_steps,
    policy,
    ranks,
    relationships,
    stages,
)
from domain.actors import Actor
from domain.custom_values import CustomValue
from domain.edits import referred
from domain.errors import DomainError, Faults, words_of
from domain.events import Event, changes, record
from domain.external_refs import Ref
from domain.money import Money
from domain.money import check as check_money
from domain.policy import Action
from domain.stages import PipelineIsArchived
from domain.stages import StageArchived as StageArchived
from domain.unset import UNSET, Unset, given
from models import rows
from models.campaigns import Campaign
from models.catalog import Source, Tag
from models.companies import Company
from models.contacts import Contact
from models.custom_fields import CustomFieldOwner
from models.database import connected, in_one_go, read, remembered, transaction
from models.leads import ContactRole, Lead, LeadContact, Lifecycle
from models.products import Product
from models.stages import Stage

MOST_TAGS = 50

FIRST_STAGE = """
SELECT {columns} FROM stage
WHERE workspace_id = $1 AND archived_at IS NULL AND kind <> 'FOLLOW_UP' AND pipeline_id = (
    SELECT id FROM pipeline
    WHERE workspace_id = $1 AND archived_at IS NULL AND CASE WHEN $2::uuid IS NULL THEN is_default ELSE id = $2 END
)
ORDER BY position, id LIMIT 1
"""
# What a hand-over that waits to be accepted does not outlive.
ENDS_HAND_OVER = {"owner_id", "status", "deleted_at"}
HANDED_OVER = "SELECT id FROM hand_over WHERE lead_id = $1 AND status = 'PENDING'"
END_HAND_OVERS = """
UPDATE hand_over SET status = 'OBSOLETE', decided_at = $2 WHERE lead_id = ANY($1::uuid[]) AND status = 'PENDING'
"""


class LeadCaptured(Event):
    name = "lead.captured"


class LeadUpdated(Event):
    name = "lead.updated"


class LeadAssigned(Event):
    name = "lead.assigned"


class LeadDeleted(Event):
    name = "lead.deleted"


class LeadRestored(Event):
    name = "lead.restored"


class NoOpenStage(DomainError):
    """This pipeline has no stage that a new lead may stand in."""


class StageElsewhere(DomainError):
    """The stage belongs to another pipeline."""


class StageClosesLeads(DomainError):
    """The stage {stage} holds won leads: use closeLead to get there."""


class Archived(DomainError):
    """{name} is archived: choose another {noun}, or restore it first."""


class TooManyTags(DomainError):
    """A lead has at most {limit} tags, not {count}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadDetails:
    """What people say of a lead; what is UNSET is left as it is, None clears it."""

    title: str | Unset | None = UNSET
    description: str | Unset | None = UNSET
    value: Money | Unset | None = UNSET
    source_id: UUID | Unset | None = UNSET
    campaign_id: UUID | Unset | None = UNSET
    company_id: UUID | Unset | None = UNSET
    product_id: UUID | Unset | None = UNSET
    expected_close_date: date | Unset | None = UNSET
    term_ends_on: date | Unset | None = UNSET
    engaged_at: datetime | Unset | None = UNSET
    lifecycle: Lifecycle | Unset = UNSET
    tag_ids: Sequence[UUID] | Unset = UNSET
    custom: Sequence[CustomValue] | Unset = UNSET


def live_columns(lead: Lead, tag_ids: Sequence[UUID]) -> dict[str, Any]:
    """Return what live filters and scopes look at, as events keep it."""
    return {
        "pipeline_id": str(lead.pipeline_id),
        "stage_id": str(lead.stage_id),
        "rank": lead.rank,
        "status": lead.status.value,
        "owner_id": str(lead.owner_id) if lead.owner_id else None,
        "value": None if lead.value is None else format(lead.value.normalize(), "f"),
        "currency": lead.currency,
        "score": lead.score,
        "tag_ids": sorted(str(tag_id) for tag_id in tag_ids),
        "closed_at": lead.closed_at.isoformat() if lead.closed_at else None,
        "deleted": lead.deleted_at is not None,
    }


# The same of an open lead by SQL, for what changes many at once.
LIVE_COLUMNS = """jsonb_build_object(
    'pipeline_id', lead.pipeline_id, 'stage_id', lead.stage_id, 'rank', lead.rank, 'status', lead.status,
    'owner_id', lead.owner_id, 'value', trim_scale(lead.value)::text, 'currency', lead.currency, 'score', lead.score,
    'tag_ids', to_jsonb(ARRAY(SELECT tag_id FROM lead_tag WHERE lead_id = lead.id ORDER BY tag_id)),
    'closed_at', NULL, 'deleted', false
)"""


async def tags_of(lead_id: UUID) -> list[UUID]:
    """Return the tags of a lead."""
    known: list[UUID] | None = rows.read_beside(lead_id, "tag_ids")
    if known is not None:
        return known
    return [row["tag_id"] for row in await read("SELECT tag_id FROM lead_tag WHERE lead_id = $1", lead_id)]


def facts(
    before: dict[str, Any] | None, lead: Lead, tag_ids: Sequence[UUID], changed: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return an event's facts: the lead's version, what live readers test before and after, what changed."""
    return {
        "version": lead.version,
        "before": before,
        "after": live_columns(lead, tag_ids),
        "changes": changed or {},
    }


async def handed_over(lead: Lead) -> list[UUID]:
    """Return the hand-over of a lead that waits to be accepted, where one does."""
    known: list[UUID] | None = rows.read_beside(lead.id, "hand_over_ids")
    if known is not None:
        return known
    return [row["id"] for row in await read(HANDED_OVER, lead.id)]


async def end_hand_overs(lead_ids: Sequence[UUID], *, now: datetime) -> None:
    """Let nobody wait any more for these leads, which were closed, deleted or given to somebody else, to be accepted.

    Whatever does so otherwise than by `change` calls it.
    """
    await connected().fetch(END_HAND_OVERS, [list(lead_ids), now])


async def change(
    event: type[Event],
    actor: Actor,
    lead: Lead,
    columns: dict[str, Any],
    *,
    now: datetime,
    more: dict[str, Any] | None = None,
    said: Mapping[str, Any] | None = None,
    tag_ids: Sequence[UUID] | None = None,
    hand_over_ids: Sequence[UUID] | None = None,
) -> dict[str, Sequence[Any]]:
    """Write columns of a locked lead as one edit and record the event; return what changed.

    Nothing changed, nothing is recorded. `more` is added to the event's facts, what is `said` to what changed. Tags,
    and the hand-over that waits to be accepted, are read unless given.
    """
    tag_ids = await tags_of(lead.id) if tag_ids is None else tag_ids
    before, former = live_columns(lead, tag_ids), lead.owner_id
    waiting: Sequence[UUID] = ()
    if ENDS_HAND_OVER & columns.keys():
        waiting = await handed_over(lead) if hand_over_ids is None else hand_over_ids
    changed = await edits.apply(lead, columns, now=now)
    if changed:
        told = changed | {name: [None, value] for name, value in (said or {}).items() if value is not None}
        data = facts(before, lead, tag_ids, told) | (more or {})
        if waiting and ENDS_HAND_OVER & changed.keys():
            await end_hand_overs([lead.id], now=now)
            data["obsolete_hand_over_id"] = str(waiting[0])
        if "owner_id" in changed and (handed := await next_steps.hand_on(lead, former)):
            data["follow_up_ids"] = handed
        await record(event(actor, lead.id, data), now=now)
    return changed


async def tell(event: type[Event], actor: Actor, lead: Lead, data: Mapping[str, Any], *, now: datetime) -> None:
    """Record what happened to something that hangs on a locked lead as an event of the lead, which stays as it is."""
    await record(event(actor, lead.id, await as_is(lead) | dict(data)), now=now)


async def as_is(lead: Lead) -> dict[str, Any]:
    """Return the facts of an event that leaves the lead as it is."""
    tag_ids = await tags_of(lead.id)
    return facts(live_columns(lead, tag_ids), lead, tag_ids)


async def check(
    faults: Faults, actor: Actor, details: LeadDetails, *, current: Lead | None = None, archived: Faults | None = None
) -> dict[str, Any]:
    """Check what is given and return it as columns; tags are no column.

    What the `current` lead refers to already may have left or been archived since. Archived things are told to
    `archived`, where it is not `faults`.
    """
    columns: dict[str, Any] = {}
    if details.title is not UNSET:
        columns["title"] = inputs.name(faults, details.title, field="title")
    if details.description is not UNSET:
        columns["description"] = inputs.text(faults, details.description, field="description")
    if details.value is not UNSET:
        value = check_money(faults, details.value, field="value")
        columns["value"] = value.amount if value else None
        if value:
            columns["currency"] = value.currency
    if details.expected_close_date is not UNSET:
        columns["expected_close_date"] = inputs.day(faults, details.expected_close_date, field="expectedCloseDate")
    if details.term_ends_on is not UNSET:
        columns["term_ends_on"] = inputs.day(faults, details.term_ends_on, field="termEndsOn")
    if details.engaged_at is not UNSET:
        columns["engaged_at"] = inputs.instant(faults, details.engaged_at, field="engagedAt")
    columns |= given(lifecycle=details.lifecycle)
    references = (
        ("source_id", Source),
        ("campaign_id", Campaign),
        ("company_id", Company),
        ("product_id", Product),
    )
    for name, noun in references:
        key = getattr(details, name)
        if key is not UNSET:
            columns[name] = key
            if current is None or getattr(current, name) != key:
                row = await referred(faults, actor, noun, key, field=edits.camel(name))
                refuse_archived(faults if archived is None else archived, row, field=edits.camel(name))
    return columns


def refuse_archived(faults: Faults, row: Any, *, field: str) -> None:
    """Tell that a row which a lead is to refer to is archived, where it is."""
    if getattr(row, "archived_at", None) is not None:
        faults.add(Archived(name=row.name, noun=words_of(type(row).__name__), field=field))


@in_one_go
async def update(
    actor: Actor,
    lead_id: UUID,
    details: LeadDetails,
    *,
    expected_version: int | None = None,
    external_refs: Sequence[Ref] = (),
    now: datetime,
) -> Lead:
    """Change what is given of a lead. Raises NotFound, Stale, Forbidden, ExternalRefTaken, Archived, and faults."""
    faults = Faults()
    refs = _checked_refs(faults, external_refs)
    async with transaction():
        custom = await custom_of(actor, details)
        lead = await policy.locked(actor, Lead, lead_id, expected_version=expected_version)
        policy.require(actor, Action.UPDATE_LEAD, lead)
        had = await tags_of(lead.id)
        columns = await check(faults, actor, details, current=lead) | custom.columns(faults, lead.custom)
        tag_ids = await checked_tags(faults, actor, details.tag_ids, had=had)
        faults.raise_any()
        kept = had if details.tag_ids is UNSET else tag_ids
        old_company = lead.company_id
        await _edit(actor, lead, columns, had, kept, told=custom.told, now=now)
        await _attach(actor, lead, refs)
        if lead.company_id != old_company:
            await refresh(actor, lead, now=now, companies=[old_company])
    return lead


async def custom_of(actor: Actor, details: LeadDetails) -> custom_values.Known:
    """Return the custom fields that details name."""
    named = partial(custom_values.known, actor, CustomFieldOwner.LEAD, details.custom)
    return await remembered(("custom", id(details)), named)


@in_one_go
async def tag(actor: Actor, lead_id: UUID, tag_ids: Sequence[UUID], *, now: datetime) -> Lead:
    """Put tags on a lead; those that it bears stay. Raises NotFound, Forbidden, TooManyTags, Archived."""
    return await _retag(actor, lead_id, tag_ids, (), now=now)


@in_one_go
async def untag(actor: Actor, lead_id: UUID, tag_ids: Sequence[UUID], *, now: datetime) -> Lead:
    """Take tags off a lead, archived ones as well. Raises NotFound, Forbidden."""
    return await _retag(actor, lead_id, (), tag_ids, now=now)


async def _retag(
    actor: Actor, lead_id: UUID, wanted: Sequence[UUID], unwanted: Sequence[UUID], *, now: datetime
) -> Lead:
    faults = Faults()
    async with transaction():
        lead = await policy.locked(actor, Lead, lead_id)
        policy.require(actor, Action.UPDATE_LEAD, lead)
        had = await tags_of(lead.id)
        asked = [key for key in (*had, *wanted) if key not in unwanted]
        kept = await checked_tags(faults, actor, asked, had=had)
        faults.raise_any()
        await _edit(actor, lead, {}, had, kept, now=now)
    return lead


async def _edit(
    actor: Actor,
    lead: Lead,
    columns: dict[str, Any],
    had: Sequence[UUID],
    kept: Sequence[UUID],
    *,
    told: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    now: datetime,
) -> None:
    """Write what differs of a locked lead and of its tags as one edit; `told` is how its event tells of that."""
    before = live_columns(lead, had)
    changed = changes({name: getattr(lead, name) for name in columns}, columns)
    if sorted(kept) != sorted(had):
        changed["tag_ids"] = [sorted(had), sorted(kept)]
        await set_tags(lead, had, kept)
    if changed:
        written = {name: columns[name] for name in changed if name in columns}
        if "lifecycle" in written:
            written["lifecycle_chosen_at"] = now
        await edits.write(lead, written | {"version": lead.version + 1, "updated_at": now})
        if "term_ends_on" in changed:
            await next_steps.term_moves([lead], now=now)
        await record(LeadUpdated(actor, lead.id, facts(before, lead, kept, told(changed))), now=now)


@in_one_go
async def assign(
    actor: Actor, lead_id: UUID, owner_id: UUID | None, *, expected_version: int | None = None, now: datetime
) -> Lead:
    """Give a lead to an active member, or to nobody; while they are away it goes to whoever stands in for them.

    Raises NotFound, Stale, Forbidden, OwnerInactive.
    """
    faults = Faults()
    standing = await absences.owner(faults, actor, owner_id, field="ownerId", now=now)
    async with transaction():
        lead = await policy.locked(actor, Lead, lead_id, expected_version=expected_version)
        policy.require(actor, Action.ASSIGN_LEAD, lead)
        faults.raise_any()
        more = absences.instead_of(owner_id, standing)
        await change(LeadAssigned, actor, lead, {"owner_id": standing}, now=now, more=more)
    return lead


async def set_contact(
    actor: Actor, lead_id: UUID, contact_id: UUID, *, role: ContactRole, is_primary: bool, now: datetime
) -> Lead:
    """Put a person on a lead in a role, or change their role; a new primary one replaces the old.

    Raises NotFound, Forbidden.
    """
    async with transaction():
        lead = await policy.locked(actor, Lead, lead_id)
        policy.require(actor, Action.UPDATE_LEAD, lead)
        await policy.get(actor, Contact, contact_id, field="contactId")
        placed = await LeadContact.get_or_none(lead_id=lead.id, contact_id=contact_id)
        if placed and (placed.role, placed.is_primary) == (role, is_primary):
            return lead
        was = {"role": placed.role.value, "primary": placed.is_primary} if placed else None
        if is_primary:
            await LeadContact.filter(lead_id=lead.id, is_primary=True).update(is_primary=False)
        if placed:
            await edits.write(placed, {"role": role, "is_primary": is_primary})
        else:
            await place(lead, contact_id, role, is_primary, now)
        await _contacts_changed(actor, lead, contact_id, was, {"role": role.value, "primary": is_primary}, now)
    return lead


async def remove_contact(actor: Actor, lead_id: UUID, contact_id: UUID, *, now: datetime) -> Lead:
    """Take a person off a lead; one who is not on it stays off. Raises NotFound, Forbidden."""
    async with transaction():
        lead = await policy.locked(actor, Lead, lead_id)
        policy.require(actor, Action.UPDATE_LEAD, lead)
        await policy.get(actor, Contact, contact_id, field="contactId")
        placed = await LeadContact.get_or_none(lead_id=lead.id, contact_id=contact_id)
        if placed:
            await placed.delete()
            was = {"role": placed.role.value, "primary": placed.is_primary}
            await _contacts_changed(actor, lead, contact_id, was, None, now)
    return lead


async def delete(actor: Actor, lead_id: UUID, *, expected_version: int | None = None, now: datetime) -> Lead:
    """Delete a lead; it can be restored. Raises NotFound, Stale, Forbidden."""
    async with transaction():
        lead = await policy.locked(actor, Lead, lead_id, expected_version=expected_version)
        policy.require(actor, Action.DELETE_LEAD, lead)
        await change(LeadDeleted, actor, lead, {"deleted_at": now}, now=now)
        await refresh(actor, lead, now=now)
    return lead


async def restore(actor: Actor, lead_id: UUID, *, now: datetime) -> Lead:
    """Bring a deleted lead back to where it stood, on top of its stage.

    One that is not deleted stays as it is. Raises NotFound, Forbidden, StageArchived or
    PipelineIsArchived where these are gone.
    """
    async with transaction():
        pipeline = await stages.hold_pipeline(actor.workspace_id, lead_id)
        lead = await policy.locked(actor, Lead, lead_id, deleted=True)
        policy.require(actor, Action.DELETE_LEAD, lead)
        if lead.deleted_at is not None:
            stage = await Stage.get(id=lead.stage_id)
            if pipeline and pipeline.archived_at is not None and lead.closed_at is None:
                raise PipelineIsArchived(name=pipeline.name)
            if stage.archived_at is not None and lead.closed_at is None:
                raise StageArchived(stage=stage.name)
            await change(LeadRestored, actor, lead, {"deleted_at": None, "rank": ranks.top(now)}, now=now)
            await refresh(actor, lead, now=now)
    return lead


async def first_stage(actor: Actor, pipeline_id: UUID | None) -> Stage | None:
    """Return the first stage of a pipeline, or of the default one, that open leads may stand in.

    It is found whoever asks: a key that only captures need not be able to read pipelines.
    """
    found = await rows.select(Stage, FIRST_STAGE, actor.workspace_id, pipeline_id)
    return found[0] if found else None


async def place(lead: Lead, contact_id: UUID, role: ContactRole, is_primary: bool, now: datetime) -> None:
    """Put a person on a lead in a role, within the running transaction."""
    await edits.insert(
        LeadContact(
            workspace_id=lead.workspace_id,
            lead_id=lead.id,
            contact_id=contact_id,
            role=role,
            is_primary=is_primary,
            created_at=now,
        )
    )


async def _contacts_changed(
    actor: Actor,
    lead: Lead,
    contact_id: UUID,
    was: dict[str, Any] | None,
    becomes: dict[str, Any] | None,
    now: datetime,
) -> None:
    tag_ids = await tags_of(lead.id)
    before = live_columns(lead, tag_ids)
    await edits.write(lead, {"version": lead.version + 1, "updated_at": now})
    changed = {"contacts": [{str(contact_id): was}, {str(contact_id): becomes}]}
    await record(LeadUpdated(actor, lead.id, facts(before, lead, tag_ids, changed)), now=now)
    await relationships.refresh(actor, contact_ids=[contact_id], now=now)


async def checked_tags(
    faults: Faults,
    actor: Actor,
    tag_ids: Sequence[UUID] | Unset,
    *,
    had: Sequence[UUID] = (),
    archived: Faults | None = None,
) -> list[UUID]:
    """Check a lead's tags and return each once; those that it `had` are not looked at. `archived` is as for check."""
    if isinstance(tag_ids, Unset):
        return []
    wanted = list(dict.fromkeys(tag_ids))
    if len(wanted) > MOST_TAGS:
        faults.add(TooManyTags(limit=MOST_TAGS, count=len(wanted), field="tagIds"))
        return []
    for key in wanted:
        if key not in had:
            tag = await referred(faults, actor, Tag, key, field="tagIds")
            refuse_archived(faults if archived is None else archived, tag, field="tagIds")
    return wanted


async def set_tags(lead: Lead, had: Sequence[UUID], wanted: Sequence[UUID]) -> None:
    """Write which tags a lead bears, given which it had."""
    connection = get_connection("default")
    gone, new = sorted(set(had) - set(wanted)), sorted(set(wanted) - set(had))
    if gone:
        await connection.execute_query(
            "DELETE FROM lead_tag WHERE lead_id = $1 AND tag_id = ANY($2::uuid[])", [lead.id, gone]
        )
    if new:
        await connection.execute_query(
            "INSERT INTO lead_tag (id, workspace_id, lead_id, tag_id)"
            " SELECT gen_random_uuid(), $1, $2, unnest($3::uuid[]) ON CONFLICT DO NOTHING",
            [lead.workspace_id, lead.id, new],
        )


def _checked_refs(faults: Faults, refs: Sequence[Ref]) -> list[Ref]:
    return external_refs.check(faults, refs) if refs else []


async def _attach(actor: Actor, lead: Lead, refs: Sequence[Ref]) -> None:
    if refs:
        await external_refs.attach(actor, lead, refs)


async def refresh(
    actor: Actor,
    lead: Lead,
    *,
    now: datetime,
    companies: Sequence[UUID | None] = (),
    people: Sequence[UUID] | None = None,
) -> None:
    """Let the relationships of the lead's company and people, and of these companies, follow from it.

    Its people are read unless given.
    """
    if people is None:
        _, people = await relationships.of_leads([lead.id])
    await relationships.refresh(actor, company_ids=[lead.company_id, *companies], contact_ids=people, now=now)
