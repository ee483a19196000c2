"""Many leads at once: by the operation for one lead, for each of them, with an answer for each of them.

Up to MOST_AT_ONCE leads are done while somebody waits. More are fixed as rows of a Bulk, which a worker takes in
batches: a batch and how far the Bulk is are one transaction, so that a killed worker leaves whole batches.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from functools import cache, partial, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import orjson
import structlog
from pydantic import Field, TypeAdapter
from tortoise.connection import get_connection

from domain import absences, batches, closings, events, jobs, leads, moves, policy, transfers
from domain.actors import Actor, system
from domain.askers import AskerLeft, asker
from domain.batches import Also, Outcome, faults_of
from domain.custom_values import CustomValue
from domain.errors import DomainError, Faults, Internal, Required
from domain.events import Event, record
from domain.jobs import Queue
from domain.leads import LeadDetails
from domain.policy import Action
from domain.unset import UNSET, Unset
from models.base import uuid7
from models.bulks import Bulk, BulkKind, BulkRow, BulkStatus
from models.database import connected, read, transaction, unit
from models.leads import Lead, LeadStatus
from models.stages import Stage, StageKind

TASK = "run_bulk"
MOST_AT_ONCE = 500
# Of more than these people are told once, and not of each.
FEW = 20
MOST = 1_000_000
# Which leads a Bulk was about, counted from its end; the Bulk itself stays.
KEPT = timedelta(days=90)
FORGOTTEN_AT_ONCE = 10_000
MOST_TAGS = leads.MOST_TAGS
# Few enough that who works on one of them waits for a moment at most.
BATCH = 100
ENDED = (BulkStatus.COMPLETED, BulkStatus.FAILED, BulkStatus.CANCELLED)

Clock = Callable[[], datetime]

log = structlog.get_logger(__name__)


class BulkStarted(Event):
    name = "bulk.started"


class BulkCompleted(Event):
    name = "bulk.completed"


class BulkFailed(Event):
    name = "bulk.failed"


class BulkCancelled(Event):
    name = "bulk.cancelled"


class CountChanged(DomainError):
    """The number of leads that pass is {count} by now, not {expected}: look at them again."""


class TooManyLeads(DomainError):
    """At most {limit} leads at once, not {count}."""


class IdsOrFilter(DomainError):
    """Name the leads by ids, or by a filter or search: one of the two."""


class BulkEnded(DomainError):
    """This has ended already: it is {status}."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What can be done with many leads; `check` raises what would be wrong for every one.

    `check_leads` does so of the leads as well, as far as the actor sees them. With `with_people`, the relationships
    of the leads' companies and contacts may follow.
    """

    operation: Callable[..., Awaitable[Lead]]
    action: Action | None = None
    check: Callable[..., Awaitable[Any]] | None = None
    check_leads: Callable[..., Awaitable[None]] | None = None
    with_people: bool = False
    ahead: batches.Ahead | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done with each lead: a kind, and the arguments of its operation after the lead's id."""

    kind: BulkKind
    arguments: Mapping[str, Any]

    @property
    def deed(self) -> Deed:
        return DEEDS[self.kind]

    @property
    def also(self) -> Also | None:
        """Return what the operation locks beside the lead."""
        details = self.arguments.get("details")
        if isinstance(details, LeadDetails):
            company_id = details.company_id
            return None if company_id is UNSET else Also([company_id] if isinstance(company_id, UUID) else [])
        return Also() if self.deed.with_people else None

    def on_one(self, now: datetime) -> batches.Operation:
        """Return the operation for one lead."""
        return partial(_do, self, now)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Leads that are chosen by a statement, which gives their `id`."""

    sql: str
    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Handed:
    """Leads that went to somebody else, or will by a Bulk."""

    count: int
    bulk: Bulk | None = None


async def _do(work: Work, now: datetime, actor: Actor, lead_id: UUID) -> Lead:
    return await work.deed.operation(actor, lead_id, **work.arguments, now=now)


async def _check_update(actor: Actor, *, details: LeadDetails, now: datetime) -> None:
    faults = Faults()
    await leads.check(faults, actor, details)
    await leads.checked_tags(faults, actor, details.tag_ids)
    (await leads.custom_of(actor, details)).columns(faults, {})
    faults.raise_any()


async def _check_move(actor: Actor, *, stage_id: UUID, now: datetime) -> None:
    stage = await policy.get(actor, Stage, stage_id, field="stageId")
    if stage.archived_at is not None:
        raise leads.StageArchived(stage=stage.name, field="stageId")


async def _check_moved(actor: Actor, which: "Chosen | Sequence[UUID]", *, stage_id: UUID) -> None:
    stage = await policy.get(actor, Stage, stage_id, field="stageId")
    if stage.kind is StageKind.FOLLOW_UP and not await _is_any_won(actor, which):
        raise leads.StageClosesLeads(stage=stage.name, field="stageId")


async def _is_any_won(actor: Actor, which: "Chosen | Sequence[UUID]") -> bool:
    if isinstance(which, Chosen):
        return bool(await read(f"SELECT FROM lead WHERE status = 'WON' AND id IN ({which.sql}) LIMIT 1", *which.values))
    return await policy.visible(actor, Lead).filter(id__in=which, status=LeadStatus.WON).exists()


async def _check_assign(actor: Actor, *, owner_id: UUID | None, now: datetime) -> None:
    faults = Faults()
    await absences.owner(faults, actor, owner_id, field="ownerId", now=now)
    faults.raise_any()


async def _check_tag(actor: Actor, *, tag_ids: Sequence[UUID], now: datetime) -> None:
    await _check_tags(actor, tag_ids, archived=None)


async def _check_untag(actor: Actor, *, tag_ids: Sequence[UUID], now: datetime) -> None:
    await _check_tags(actor, tag_ids, archived=Faults())


async def _check_tags(actor: Actor, tag_ids: Sequence[UUID], *, archived: Faults | None) -> None:
    """Check tags that are named; those that are to go may be archived."""
    faults = Faults()
    if not tag_ids:
        faults.add(Required(field="tagIds"))
    await leads.checked_tags(faults, actor, tag_ids, archived=archived)
    faults.raise_any()


async def _check_close(actor: Actor, *, now: datetime, **ending: Any) -> None:
    await closings.check(actor, **ending)


DEEDS: Mapping[BulkKind, Deed] = {
    BulkKind.UPDATE: Deed(leads.update, Action.UPDATE_LEAD, _check_update),
    BulkKind.MOVE: Deed(
        moves.move, Action.MOVE_LEAD, _check_move, _check_moved, with_people=True, ahead=moves.look_ahead
    ),
    BulkKind.ASSIGN: Deed(leads.assign, Action.ASSIGN_LEAD, _check_assign),
    BulkKind.TAG: Deed(leads.tag, Action.UPDATE_LEAD, _check_tag),
    BulkKind.UNTAG: Deed(leads.untag, Action.UPDATE_LEAD, _check_untag),
    BulkKind.CLOSE: Deed(closings.close, Action.CLOSE_LEAD, _check_close, with_people=True, ahead=moves.look_ahead),
    BulkKind.DELETE: Deed(leads.delete, Action.DELETE_LEAD, with_people=True),
    BulkKind.TRANSFER: Deed(transfers.transfer),
}


async def check(actor: Actor, work: Work, which: Chosen | Sequence[UUID], *, now: datetime) -> None:
    """Raise what would be wrong for every lead, Forbidden included."""
    deed = work.deed
    if deed.action is not None:
        policy.require_own(actor, deed.action)
    if deed.check is not None:
        await deed.check(actor, **work.arguments, now=now)
    if deed.check_leads is not None:
        await deed.check_leads(actor, which, **work.arguments)


async def named(actor: Actor, work: Work, lead_ids: Sequence[UUID], *, now: datetime) -> list[Outcome]:
    """Do work with leads by their ids, and return an outcome for each, once, in the order in which they are named.

    Each is done as by the operation for one. Raises TooManyLeads, and what would be wrong for every lead.
    """
    wanted = list(dict.fromkeys(lead_ids))
    if len(wanted) > MOST_AT_ONCE:
        raise TooManyLeads(limit=MOST_AT_ONCE, count=len(wanted), field="ids")
    await check(actor, work, wanted, now=now)
    outcomes = await _at_once(actor, work, wanted, now=now)
    places = {key: str(place) for place, key in reversed(list(enumerate(lead_ids)))}
    for outcome in outcomes:
        _blame(outcome, ("ids", places[outcome.lead_id]))
    return outcomes


async def chosen(
    actor: Actor, work: Work, leads: Chosen, *, expected: int | None, now: datetime
) -> list[Outcome] | Bulk:
    """Do work with leads that are chosen, of which somebody was shown that there are `expected`.

    Up to MOST_AT_ONCE are done at once, in the order of their ids; for more a worker is asked. Raises Required,
    CountChanged, TooManyLeads, and what would be wrong for every lead.
    """
    if expected is None:
        raise Required(field="expectedCount")
    if expected > MOST:
        raise TooManyLeads(limit=MOST, count=expected, field="expectedCount")
    await check(actor, work, leads, now=now)
    found = await read(f"{leads.sql} ORDER BY 1 LIMIT {MOST_AT_ONCE + 1}", *leads.values)
    if len(found) > MOST_AT_ONCE:
        return await begin(actor, work, leads, expected=expected, now=now)
    if len(found) != expected:
        raise CountChanged(count=len(found), expected=expected, field="expectedCount")
    outcomes = await _at_once(actor, work, [UUID(int=row["id"].int) for row in found], now=now)
    for outcome in outcomes:
        _blame(outcome, None)
    return outcomes


def _blame(outcome: Outcome, field: tuple[str, ...] | None) -> None:
    """Let what is wrong with a lead itself point at where the input names it, which has no `id` of its own."""
    for fault in outcome.faults:
        if fault.field == ("id",):
            fault.field = field


async def _at_once(actor: Actor, work: Work, lead_ids: Sequence[UUID], *, now: datetime) -> list[Outcome]:
    ordered = sorted(lead_ids)
    if unit() is not None:
        # What is locked stays so until all are done, so all is locked before the first.
        await batches.hold(actor.workspace_id, ordered, work.also)
    done: dict[UUID, Outcome] = {}
    with events.within_bulk(uuid7(), events.client_mutation_id.get()) if len(ordered) > FEW else nullcontext():
        for part in _parts(ordered, BATCH):
            done |= await _part(actor, work, part, now=now)
    return [done[key] for key in lead_ids]


async def _part(actor: Actor, work: Work, lead_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, Outcome]:
    try:
        return await batches.each(actor, lead_ids, work.on_one(now), also=work.also, ahead=work.deed.ahead)
    except Exception:
        # Whichever it was, the others are not to blame.
        return {key: await _alone(actor, work, key, now=now) for key in lead_ids}


async def _alone(actor: Actor, work: Work, key: UUID, *, now: datetime) -> Outcome:
    try:
        return (await batches.each(actor, [key], work.on_one(now), also=work.also, ahead=work.deed.ahead))[key]
    except Exception as error:
        log.exception("work on one of many leads failed", kind=work.kind, lead_id=str(key))
        return Outcome(key, faults=[Internal(what=type(error).__name__)])


def _parts(keys: Sequence[UUID], size: int) -> Iterator[Sequence[UUID]]:
    for at in range(0, len(keys), size):
        yield keys[at : at + size]


FIX = """
WITH fixed AS (
    INSERT INTO bulk_row (id, workspace_id, bulk_id, user_id, number, lead_id)
    SELECT gen_random_uuid(), ${0}::uuid, ${1}::uuid, ${2}::uuid, row_number() OVER (ORDER BY id), id
    FROM ({chosen}) chosen RETURNING 1
) SELECT count(*) AS leads FROM fixed
"""


async def begin(actor: Actor, work: Work, leads: Chosen, *, expected: int | None = None, now: datetime) -> Bulk:
    """Fix which leads are chosen now, and have a worker do work with them. Raises CountChanged, TooManyLeads."""
    async with transaction():
        row = Bulk(
            id=uuid7(),
            workspace_id=actor.workspace_id,
            kind=work.kind,
            arguments=dump(work.arguments),
            total=0,
            user_id=actor.user_id,
            key_id=actor.key_id,
            client_mutation_id=events.client_mutation_id.get(),
            created_at=now,
        )
        await row.save(force_create=True)
        first = len(leads.values) + 1
        sql = FIX.format(first, first + 1, first + 2, chosen=leads.sql)
        values = [*leads.values, row.workspace_id, row.id, row.user_id]
        [fixed] = await connected().fetch(sql, values)
        row.total = fixed["leads"]
        if expected is not None and row.total != expected:
            raise CountChanged(count=row.total, expected=expected, field="expectedCount")
        if row.total > MOST:
            raise TooManyLeads(limit=MOST, count=row.total, field="expectedCount")
        await row.save(update_fields=["total"])
        await record(BulkStarted(actor, row.id, progress(row)), now=now)
        await jobs.schedule(
            TASK,
            arguments={"bulk_id": row.id},
            due_at=now,
            now=now,
            workspace_id=row.workspace_id,
            queue=Queue.BULK,
            key=row.id,
        )
    return row


async def hand_over(actor: Actor, from_user_id: UUID, to_user_id: UUID, *, field: str, now: datetime) -> Handed:
    """Give the open leads and follow-ups of a member to another one, or to whoever stands in for that one.

    Raises Forbidden, SameOwner, NotFound, OwnerInactive.
    """
    transfers.require(actor, from_user_id)
    faults = Faults()
    receiver = await absences.owner(faults, actor, to_user_id, field=field, now=now)
    faults.raise_any()
    if receiver is None or receiver == from_user_id:
        raise transfers.SameOwner(field=field)
    work = Work(BulkKind.TRANSFER, {"from_user_id": from_user_id, "to_user_id": receiver})
    owned = Chosen(transfers.OPEN_LEADS, [actor.workspace_id, from_user_id])
    heir = await asker(actor.workspace_id, receiver, key_id=None, task=TASK, now=now)
    async with transaction():
        await transfers.give_follow_ups(actor, from_user_id, heir, now=now)
        found = await read(f"{owned.sql} LIMIT {MOST_AT_ONCE + 1}", *owned.values)
        if len(found) > MOST_AT_ONCE:
            bulk = await begin(actor, work, owned, now=now)
            return Handed(bulk.total, bulk)
        outcomes = await _at_once(actor, work, [UUID(int=row["id"].int) for row in found], now=now)
        return Handed(sum(not outcome.faults for outcome in outcomes))


async def cancel(actor: Actor, bulk_id: UUID, *, now: datetime) -> Bulk:
    """Let a worker do no more of a Bulk; what is done stays done. Raises NotFound, Forbidden, BulkEnded."""
    async with transaction():
        row = await policy.locked(actor, Bulk, bulk_id)
        if row.user_id != actor.user_id or row.user_id is None:
            policy.require(actor, Action.CANCEL_BULK)
        if row.status in ENDED:
            raise BulkEnded(status=row.status.value)
        row.status, row.completed_at = BulkStatus.CANCELLED, now
        await row.save(update_fields=["status", "completed_at"])
        await record(BulkCancelled(actor, row.id, progress(row)), now=now)
    return row


async def run(workspace_id: UUID, bulk_id: UUID, *, clock: Clock, batch: int = BATCH) -> None:
    """Go on with a Bulk where it stands, batch by batch, until it has ended; each batch with the rights of then.

    Where a batch fails as a whole its leads are taken one by one, and the one that is to blame is told so.
    """
    alone = 0
    more = True
    while more:
        try:
            more = await _take(workspace_id, bulk_id, 1 if alone else batch, now=clock())
        except Exception as error:
            if not alone and batch > 1:
                alone = batch + 1
            else:
                log.exception("work on one of many leads failed", bulk_id=str(bulk_id))
                more = await _pass_over(workspace_id, bulk_id, Internal(what=type(error).__name__), now=clock())
        alone = max(alone - 1, 0)


async def _pass_over(workspace_id: UUID, bulk_id: UUID, error: DomainError, *, now: datetime) -> bool:
    """Note the next lead of a Bulk as failed."""
    async with transaction():
        row = await Bulk.filter(id=bulk_id, workspace_id=workspace_id).select_for_update().get()
        if row.status in ENDED:
            return False
        await BulkRow.filter(bulk_id=row.id, number=row.done + 1).update(errors=told([error]))
        row.done, row.failed = row.done + 1, row.failed + 1
        await _keep(row, now=now)
    return row.status not in ENDED


async def _take(workspace_id: UUID, bulk_id: UUID, size: int, *, now: datetime) -> bool:
    """Take one batch of a Bulk; say whether there may be more."""
    for attempt in range(1, batches.ATTEMPTS + 1):
        try:
            return await _try(workspace_id, bulk_id, size, now=now)
        except batches.PASSING:
            if attempt == batches.ATTEMPTS:
                raise
    raise AssertionError("unreachable")


async def _try(workspace_id: UUID, bulk_id: UUID, size: int, *, now: datetime) -> bool:
    async with transaction():
        # A crash of the server may undo the last batches, whole, and the Bulk goes on before them.
        await get_connection("default").execute_query("SET LOCAL synchronous_commit = off")
        row = await Bulk.filter(id=bulk_id, workspace_id=workspace_id).select_for_update().get_or_none()
        if row is None or row.status in ENDED:
            return False
        try:
            task = f"bulk:{row.id}"
            actor = await asker(workspace_id, row.user_id, key_id=row.key_id, task=task, now=now)
        except AskerLeft as error:
            await _fail(row, error, now=now)
            return False
        await _go_on(row, actor, size, now=now)
        return row.status not in ENDED


async def _go_on(row: Bulk, actor: Actor, size: int, *, now: datetime) -> None:
    following = BulkRow.filter(bulk_id=row.id, number__gt=row.done, number__lte=row.done + size)
    keys = {each.lead_id: each for each in await following.order_by("number")}
    work = Work(row.kind, load(row.kind, row.arguments))
    with events.within_bulk(row.id, row.client_mutation_id):
        outcomes = await batches.each(actor, list(keys), work.on_one(now), also=work.also, ahead=work.deed.ahead)
    for key, outcome in outcomes.items():
        if outcome.faults:
            _blame(outcome, None)
            keys[key].errors = told(outcome.faults)
            await keys[key].save(update_fields=["errors"])
            row.failed += 1
    row.done += len(keys)
    await _keep(row, now=now)


async def _keep(row: Bulk, *, now: datetime) -> None:
    """Write how far a Bulk is, and that it has ended where it has."""
    row.status, row.started_at = BulkStatus.RUNNING, row.started_at or now
    if row.done >= row.total:
        row.status, row.completed_at = BulkStatus.COMPLETED, now
        await record(BulkCompleted(_by(row), row.id, progress(row)), now=now)
    await row.save(update_fields=["done", "failed", "status", "started_at", "completed_at"])


async def fail(row: Bulk, error: DomainError, *, now: datetime) -> None:
    """End a Bulk that cannot go on: what is left of it fails with the reason."""
    async with transaction():
        locked = await Bulk.filter(id=row.id).select_for_update().get()
        if locked.status not in ENDED:
            await _fail(locked, error, now=now)


async def _fail(row: Bulk, error: DomainError, *, now: datetime) -> None:
    reasons = told(faults_of(error))
    await BulkRow.filter(bulk_id=row.id, number__gt=row.done).update(errors=reasons)
    row.failed += row.total - row.done
    row.done, row.status, row.errors, row.completed_at = row.total, BulkStatus.FAILED, reasons, now
    await row.save(update_fields=["done", "failed", "status", "errors", "completed_at"])
    await record(BulkFailed(_by(row), row.id, progress(row)), now=now)


FORGET = f"""
DELETE FROM bulk_row WHERE id IN (
    SELECT bulk_row.id FROM bulk JOIN bulk_row ON bulk_row.bulk_id = bulk.id
    WHERE bulk.completed_at <= $1 LIMIT {FORGOTTEN_AT_ONCE}
)
"""


async def forget(*, now: datetime) -> None:
    """Delete which leads a Bulk was about once it ended longer ago than KEPT, a few at a time."""
    deleted = FORGOTTEN_AT_ONCE
    while deleted == FORGOTTEN_AT_ONCE:
        deleted, _ = await get_connection("default").execute_query(FORGET, [now - KEPT])


def _by(row: Bulk) -> Actor:
    return system(row.workspace_id, task=f"bulk:{row.id}")


def progress(row: Bulk) -> dict[str, Any]:
    """Return how a Bulk stands, as its events tell it."""
    names = ("kind", "status", "total", "done", "failed", "user_id")
    return {name: getattr(row, name) for name in names} | {"errors": row.errors}


def told(faults: Sequence[DomainError]) -> list[dict[str, Any]]:
    """Return faults as a Bulk keeps them: of each its code, its message and the field that it is about."""
    return [
        {"code": fault.code, "message": fault.message, "field": list(fault.field) if fault.field else None}
        for fault in faults
    ]


def dump(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of an operation as plain data; what is UNSET is left out."""
    plain: dict[str, Any] = orjson.loads(events.dump(_plain(arguments)))
    return plain


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items() if inner is not UNSET}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(inner) for inner in value]
    return value


def load(kind: BulkKind, plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a kind's operation from plain data, by the types that it declares."""
    hints = get_type_hints(DEEDS[kind].operation)
    return {name: _loaded(hints[name], value) for name, value in plain.items()}


def _loaded(hint: Any, value: Any) -> Any:
    if isinstance(hint, type) and is_dataclass(hint) and Unset in _types_within(hint):
        hints = get_type_hints(hint)
        readers = {name: READERS.get(name, partial(_loaded, hints[name])) for name in value}
        return hint(**{name: readers[name](inner) for name, inner in value.items()})
    return _adapter(hint).validate_python(value)


def _custom(values: Sequence[Mapping[str, Any]]) -> list[CustomValue]:
    """Return values of custom fields, which are named by a key or by an id."""
    named = TypeAdapter(Annotated[UUID | str, Field(union_mode="left_to_right")])
    return [CustomValue(named.validate_python(one["field"]), one["value"]) for one in values]


READERS: Mapping[str, Callable[[Any], Any]] = {"custom": _custom}


@cache
def _types_within(hint: Any) -> frozenset[Any]:
    return frozenset(part for inner in get_type_hints(hint).values() for part in get_args(inner))


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    if get_origin(hint) in (Union, UnionType):
        given = tuple(part for part in get_args(hint) if part is not Unset)
        return TypeAdapter(reduce(or_, given))
    return TypeAdapter(hint)
