"""Plans laid out for leads: what follows from where a lead stands, once for each time that it came there.

`settle` compares what a plan has laid out for a lead with how the lead stands now, so that it may be asked again at
any time: what is there stays, what no longer applies is cancelled, and what was cancelled so is opened again where it
applies again. Each follow-up says in `plan_key` what it was laid out for: the entering of a stage, a sale, or by hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from domain import follow_up_changes, leads, local_times, policy, work_days
from domain.actors import Actor, system
from domain.errors import DomainError, Faults
from domain.follow_up_changes import CANCELLED, MOST_OPEN
from domain.follow_up_details import usual_notice
from domain.follow_up_owners import Ownership, ownership
from domain.follow_up_plans import steps_of
from domain.moves import LeadNotOpen
from domain.next_steps import TASK
from domain.policy import Action
from domain.work_days import WorkDays
from models.base import uuid7
from models.database import read, transaction
from models.follow_ups import FollowUp, FollowUpPlan, FollowUpPlanStep, FollowUpStatus, PlanAnchor, PlanTrigger
from models.leads import Lead, LeadStatus

BY_HAND = "BY_HAND"
STANDING = (LeadStatus.OPEN, LeadStatus.WON)

# Those of these leads for which there is anything to be looked at.
CONCERNED = """
SELECT id FROM lead l WHERE workspace_id = $1 AND id = ANY($2::uuid[]) AND (
    EXISTS (SELECT FROM follow_up f WHERE f.lead_id = l.id AND f.plan_key IS NOT NULL)
    OR EXISTS (
        SELECT FROM follow_up_plan p WHERE p.workspace_id = $1 AND p.archived_at IS NULL AND l.deleted_at IS NULL
        AND (p.trigger = 'STAGE_ENTERED' AND p.stage_id = l.stage_id OR p.trigger = 'LEAD_WON' AND l.status = 'WON')
    )
) ORDER BY id
"""

LEFT_STAGE = "The lead left the stage."
CLOSED = "The lead was closed."
REOPENED = "The lead was opened again."
DELETED = "The lead was deleted."
TERM_UNKNOWN = "The end of the lead's term is not known any more."
REASONS = (LEFT_STAGE, CLOSED, REOPENED, DELETED, TERM_UNKNOWN)


class PlanLaidOutAlready(DomainError):
    """The plan is laid out for this lead already: complete or cancel what is open of it first."""


class TermUnknown(DomainError):
    """The plan counts from the end of the lead's term only, which is not known: say it with termEndsOn."""


@dataclass(frozen=True, slots=True)
class Coming:
    """What a lead came to: a stage, a sale, or a plan by hand; when, and the key of what is laid out for it."""

    key: str
    at: datetime

    def is_of(self, plan: FollowUpPlan, lead: Lead) -> bool:
        """Say whether a plan is laid out for it."""
        if plan.archived_at is not None or plan.since > self.at or not self.key.startswith(plan.trigger.value):
            return False
        if plan.trigger is PlanTrigger.STAGE_ENTERED:
            return plan.stage_id == lead.stage_id
        return plan.pipeline_id in (None, lead.pipeline_id)


def came_to(lead: Lead) -> list[Coming]:
    """Return what a lead came to and has not left since."""
    if lead.deleted_at is not None or lead.status not in STANDING:
        return []
    stage = f"{PlanTrigger.STAGE_ENTERED}:{lead.stage_id}:{_stamp(lead.stage_entered_at)}"
    found = [Coming(stage, lead.stage_entered_at)]
    if lead.status is LeadStatus.WON and lead.closed_at is not None:
        found.append(Coming(f"{PlanTrigger.LEAD_WON}:{_stamp(lead.closed_at)}", lead.closed_at))
    return found


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


async def settle(
    workspace_id: UUID, lead_ids: Sequence[UUID], *, term: bool = False, bulk: bool = False, now: datetime
) -> None:
    """Let what plans have laid out for leads follow how these stand; with `term`, their term ends otherwise.

    Each lead is a transaction of its own. It may be asked again at any time.
    """
    for row in await read(CONCERNED, workspace_id, list(lead_ids)):
        async with transaction():
            await _settle(workspace_id, UUID(int=row["id"].int), term=term, bulk=bulk, now=now)


async def _settle(workspace_id: UUID, lead_id: UUID, *, term: bool, bulk: bool, now: datetime) -> None:
    actor = system(workspace_id, task=TASK)
    lead = await policy.locked(actor, Lead, lead_id, deleted=True)
    laid = await FollowUp.filter(lead_id=lead.id, plan_key__isnull=False).order_by("due_at", "id")
    here = came_to(lead)
    await _compare(actor, lead, laid, {coming.key for coming in here}, now=now)
    if lead.deleted_at is not None or lead.status not in STANDING:
        return
    run = await _Run.begin(actor, lead, laid, bulk=bulk, now=now)
    plans = await FollowUpPlan.filter(workspace_id=workspace_id, archived_at=None).order_by("id") if here else []
    for coming in here:
        for plan in plans:
            if coming.is_of(plan, lead):
                await run.lay_out(plan, coming, term=term)
    if term:
        by_hand = {(row.plan_id, row.plan_key) for row in laid if (row.plan_key or "").startswith(BY_HAND)}
        for plan in plans:
            for key in sorted(key for plan_id, key in by_hand if plan_id == plan.id and key):
                await run.lay_out(plan, Coming(key, now), term=True)
        await run.move()


async def apply(actor: Actor, lead_id: UUID, plan_id: UUID, *, now: datetime) -> list[FollowUp]:
    """Lay out a plan for a lead by hand, as if it came where the plan says now; return what was laid out.

    Raises NotFound, Forbidden, Archived, LeadNotOpen, PlanLaidOutAlready, TooManyFollowUps, TermUnknown.
    """
    async with transaction():
        lead = await policy.locked(actor, Lead, lead_id, field="leadId")
        policy.require(actor, Action.APPLY_PLAN, lead)
        plan = await policy.get(actor, FollowUpPlan, plan_id, field="planId")
        faults = Faults()
        leads.refuse_archived(faults, plan, field="planId")
        await follow_up_changes.forbid_more(faults, lead)
        faults.raise_any()
        if lead.status not in STANDING:
            raise LeadNotOpen(status=lead.status.value)
        laid = await FollowUp.filter(lead_id=lead.id, plan_key__isnull=False)
        if any(row.plan_id == plan.id and row.status is FollowUpStatus.OPEN for row in laid):
            raise PlanLaidOutAlready(field="planId")
        run = await _Run.begin(actor, lead, laid, bulk=False, now=now)
        made = await run.lay_out(plan, Coming(f"{BY_HAND}:{uuid7()}", now), term=True)
        if not made and await steps_of([plan.id]):
            raise TermUnknown(field="leadId")
    return made


async def _compare(actor: Actor, lead: Lead, laid: Sequence[FollowUp], here: set[str], *, now: datetime) -> None:
    """Cancel what does not apply any more, and open again what the system had cancelled and applies now."""
    for row in laid:
        reason = _why_not(lead, row, here)
        if row.status is FollowUpStatus.OPEN and reason is not None:
            columns = {"status": FollowUpStatus.CANCELLED, "cancel_reason": reason}
            await follow_up_changes.end(CANCELLED, actor, lead, row, columns, now=now)
        elif reason is None and _was_cancelled_by_system(row) and not _waits_for_term(lead, row):
            await follow_up_changes.open_again(actor, lead, row, now=now)


def _why_not(lead: Lead, row: FollowUp, here: set[str]) -> str | None:
    """Return why a follow-up of a plan does not apply to a lead as it stands; None where it does."""
    key = row.plan_key or ""
    if lead.deleted_at is not None:
        return DELETED
    if lead.status not in STANDING:
        return CLOSED
    if key in here or key.startswith(BY_HAND):
        return None
    return REOPENED if key.startswith(PlanTrigger.LEAD_WON.value) else LEFT_STAGE


def _was_cancelled_by_system(row: FollowUp) -> bool:
    return row.status is FollowUpStatus.CANCELLED and row.ended_by_id is None and row.cancel_reason in REASONS


def _waits_for_term(lead: Lead, row: FollowUp) -> bool:
    return row.cancel_reason == TERM_UNKNOWN and lead.term_ends_on is None


@dataclass(slots=True)
class _Run:
    """One look at a locked lead: what is laid out for it, whose it is, and on which days people work."""

    actor: Actor
    lead: Lead
    laid: list[FollowUp]
    whose: Ownership
    days: WorkDays
    anchors: dict[UUID, FollowUpPlanStep]
    bulk: bool
    now: datetime

    @classmethod
    async def begin(cls, actor: Actor, lead: Lead, laid: Sequence[FollowUp], *, bulk: bool, now: datetime) -> "_Run":
        steps = await FollowUpPlanStep.filter(id__in=[row.plan_step_id for row in laid if row.plan_step_id])
        whose = await ownership(lead.workspace_id, lead.owner_id)
        days = await work_days.of(lead.workspace_id)
        return cls(actor, lead, list(laid), whose, days, {step.id: step for step in steps}, bulk, now)

    async def lay_out(self, plan: FollowUpPlan, coming: Coming, *, term: bool) -> list[FollowUp]:
        """Lay out a plan for what the lead came to, as far as it is not; its steps by the term once that is known."""
        there = [row for row in self.laid if (row.plan_id, row.plan_key) == (plan.id, coming.key)]
        had = {self.anchors[row.plan_step_id].anchor for row in there if row.plan_step_id in self.anchors}
        wanted = set(PlanAnchor)
        if there:
            wanted = {PlanAnchor.TERM_END} - had if term else set()
        if self.lead.term_ends_on is None:
            wanted.discard(PlanAnchor.TERM_END)
        made = []
        for step in await steps_of([plan.id]) if wanted else []:
            if step.anchor in wanted and len(self.open()) < MOST_OPEN:
                made.append(await self._lay(plan, step, coming))
        return made

    def open(self) -> list[FollowUp]:
        return [row for row in self.laid if row.status is FollowUpStatus.OPEN]

    async def move(self) -> None:
        """Let what is counted from the end of the term follow that."""
        for row in self.open():
            step = self.anchors.get(row.plan_step_id) if row.plan_step_id else None
            if step is None or step.anchor is not PlanAnchor.TERM_END:
                continue
            if self.lead.term_ends_on is None:
                columns = {"status": FollowUpStatus.CANCELLED, "cancel_reason": TERM_UNKNOWN}
                await follow_up_changes.end(CANCELLED, self.actor, self.lead, row, columns, now=self.now)
            else:
                due_at, due_on = self._due(step, self.lead.term_ends_on, row.time_zone)
                await follow_up_changes.put_off(self.actor, self.lead, row, due_at, due_on, now=self.now)

    async def _lay(self, plan: FollowUpPlan, step: FollowUpPlanStep, coming: Coming) -> FollowUp:
        zone = self.whose.time_zone
        term = self.lead.term_ends_on if step.anchor is PlanAnchor.TERM_END else None
        due_at, due_on = self._due(step, term or local_times.day_of(coming.at, zone), zone)
        row = FollowUp(
            id=uuid7(),
            workspace_id=self.lead.workspace_id,
            lead_id=self.lead.id,
            owner_id=self.whose.owner_id,
            created_by_id=self.actor.user_id,
            kind=step.kind,
            title=step.title,
            note=step.note,
            priority=step.priority,
            due_at=due_at,
            due_on=due_on,
            time_zone=zone,
            remind_minutes_before=usual_notice(step.kind, due_on),
            plan_id=plan.id,
            plan_step_id=step.id,
            plan_key=coming.key,
            occasion=f"plan:{step.id}:{self.lead.id}:{coming.key}",
            created_at=self.now,
            updated_at=self.now,
        )
        follow_up_changes.ring(row, self.whose, by=self.actor, now=self.now)
        await follow_up_changes.add(
            self.actor, self.lead, row, more={"bulk": True} if self.bulk else None, now=self.now
        )
        self.laid.append(row)
        self.anchors[step.id] = step
        return row

    def _due(self, step: FollowUpPlanStep, anchor: date, zone: str) -> tuple[datetime, date | None]:
        """Return when a step is due: on a working day, and not before now.

        What is counted back from the end of a term goes back over days off, so that it does not come too late.
        """
        day = self.days.shifted(anchor + timedelta(days=step.days), back=step.days < 0)
        today = local_times.day_of(self.now, zone)
        if day < today:
            day = self.days.shifted(today)
        if step.at is None:
            return local_times.end_of(day, zone), day
        due_at = _at(day, step.at, zone)
        while due_at <= self.now:
            day = self.days.shifted(day + timedelta(days=1))
            due_at = _at(day, step.at, zone)
        return due_at, None


def _at(day: date, at: str, zone: str) -> datetime:
    return local_times.instant_of(datetime.combine(day, time.fromisoformat(at)), zone)
