"""The short lists of a workspace: sources, lost reasons and tags."""

from datetime import datetime

from domain import locks, policy
from domain.actors import Actor
from domain.events import Event, record
from domain.policy import Action
from models.catalog import LostReason, Source, SourceKind
from models.database import transaction

DEFAULT_SOURCES: dict[str, SourceKind] = {
    "Website": SourceKind.WEB_FORM,
    "Trade show": SourceKind.TRADE_SHOW,
    "Referral": SourceKind.REFERRAL,
    "Social media": SourceKind.SOCIAL,
    "Channel partner": SourceKind.CHANNEL_PARTNER,
    "Campaign": SourceKind.CAMPAIGN,
    "Cold outreach": SourceKind.COLD_OUTREACH,
    "Import": SourceKind.IMPORT,
    "Other": SourceKind.OTHER,
}
DEFAULT_LOST_REASONS = (
    "Price too high",
    "Chose a competitor",
    "No budget",
    "No decision",
    "Bad timing",
    "Missing feature",
    "No answer",
    "Other",
)


class SourceCreated(Event):
    name = "source.created"


class LostReasonCreated(Event):
    name = "lostreason.created"


async def create_defaults(actor: Actor, *, now: datetime) -> None:
    """Give a new workspace its first sources and lost reasons; names that it has already stay as they are."""
    async with transaction():
        policy.require(actor, Action.MANAGE_CATALOG)
        await locks.hold(actor.workspace_id, "catalog")
        await _add_sources(actor, now=now)
        await _add_lost_reasons(actor, now=now)


async def _add_sources(actor: Actor, *, now: datetime) -> None:
    known = {
        row.name.lower() for row in await Source.filter(workspace_id=actor.workspace_id, archived_at=None)
    }
    rows = [
        Source(workspace_id=actor.workspace_id, name=name, kind=kind, created_at=now, updated_at=now)
        for name, kind in DEFAULT_SOURCES.items()
        if name.lower() not in known
    ]
    await Source.bulk_create(rows)
    facts = ((row.id, {"name": row.name, "kind": row.kind.value, "version": row.version}) for row in rows)
    await record(*(SourceCreated(actor, key, data) for key, data in facts), now=now)


async def _add_lost_reasons(actor: Actor, *, now: datetime) -> None:
    known = {
        row.name.lower() for row in await LostReason.filter(workspace_id=actor.workspace_id, archived_at=None)
    }
    rows = [
        LostReason(workspace_id=actor.workspace_id, name=name, created_at=now, updated_at=now)
        for name in DEFAULT_LOST_REASONS
        if name.lower() not in known
    ]
    await LostReason.bulk_create(rows)
    facts = ((row.id, {"name": row.name, "version": row.version}) for row in rows)
    await record(*(LostReasonCreated(actor, key, data) for key, data in facts), now=now)
