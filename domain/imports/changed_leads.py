"""Known leads whose rows say something new: one edit each, of what changed in the file and nothing else."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import events, next_steps, policy
from domain.actors import Actor
from domain.closings import LeadClosed, LeadReopened
from domain.events import Event, changes
from domain.imports.custom import dump
from domain.imports.keys import new_key
from domain.imports.lead_rows import MOVES, Looked, Ranks, Sheet, Wanted, level, probability
from domain.imports.rows import Row
from domain.imports.stages import Place
from domain.imports.taking import Known, Taking
from domain.leads import ENDS_HAND_OVER, LeadAssigned, LeadUpdated, end_hand_overs, facts, live_columns
from domain.moves import LeadMoved
from domain.policy import Action
from models.leads import Lead, LeadStatus
from models.stages import Stage

WRITTEN = (
    "version", "created_at", "updated_at", "title", "description", "pipeline_id", "stage_id", "rank", "status",
    "lifecycle", "lifecycle_chosen_at", "value", "currency", "closing_rate", "probability", "owner_id", "company_id",
    "product_id", "source_id", "campaign_id", "lost_reason_id", "lost_to_id", "close_note", "expected_close_date",
    "term_ends_on", "engaged_at", "stage_entered_at", "closed_at", "custom",
)  # fmt: skip
AS_SAID = ("description", "close_note", "engaged_at", "expected_close_date", "term_ends_on", "value")
IF_SAID = ("lifecycle", "created_at")

TAGS = "SELECT lead_id, array_agg(tag_id) AS tag_ids FROM lead_tag WHERE lead_id = ANY($1) GROUP BY lead_id"
OBSOLETE = """
UPDATE move_request SET status = 'OBSOLETE', decided_at = $2 WHERE lead_id = ANY($1) AND status = 'PENDING'
"""


async def edit(
    taking: Taking, sheet: Sheet, wanted: Sequence[Wanted], known: Mapping[str, Known], looked: Looked
) -> set[UUID]:
    """Write what changed of known leads; return the companies whose relationship may follow.

    A lead that was deleted here stays deleted.
    """
    keys = [known[each.row.external_id].subject_id for each in wanted]
    rows = Lead.filter(workspace_id=taking.workspace_id, id__in=keys).order_by("id")
    leads = {lead.id: lead for lead in await rows.select_for_update(no_key=True)}
    tags = {row["lead_id"]: row["tag_ids"] for row in await taking.fetch(TAGS, keys)}
    stages = {stage.id: stage for stage in await Stage.filter(workspace_id=taking.workspace_id)}
    edits = _Edits(taking, sheet, looked, stages)
    taken: list[Row] = []
    for each, key in zip(wanted, keys, strict=True):
        lead = leads.get(key)
        if lead is not None and not _may_edit(taking.actor, lead):
            reason = str(policy.refusal(taking.actor, Action.UPDATE_LEAD))
            taking.skip(each.row, taking.fault(each.row, "title", reason))
            continue
        taken.append(each.row)
        if lead is None or lead.deleted_at is not None:
            taking.unchanged += 1
        else:
            edits.add(lead, each, known[each.row.external_id].fingerprint, tags.get(key, []))
    await edits.write()
    await taking.remember(taken)
    return edits.companies


def _may_edit(actor: Actor, lead: Lead) -> bool:
    return policy.scope(actor, Lead).includes(lead.owner_id) and policy.may(actor, Action.UPDATE_LEAD, lead)


class _Edits:
    """The edits of a chunk, gathered and then written together."""

    def __init__(self, taking: Taking, sheet: Sheet, looked: Looked, stages: Mapping[UUID, Stage]) -> None:
        self._taking, self._sheet, self._looked, self._stages = taking, sheet, looked, stages
        self._ranks = Ranks()
        self._leads: list[Lead] = []
        self._left: list[UUID] = []
        self._given: list[UUID] = []
        self._terms: list[Lead] = []
        self._handed: list[tuple[Lead, UUID | None]] = []
        self._moves: list[tuple[Any, ...]] = []
        self._events: list[Event] = []
        self.companies: set[UUID] = set()

    def add(self, lead: Lead, wanted: Wanted, before: str | None, tag_ids: Sequence[UUID]) -> None:
        """Change a lead by what its row says otherwise than when it was last taken."""
        said = self._taking.fingerprints.changed(before, wanted.row.fingerprint)
        columns = self._described(lead, wanted.row, said)
        columns |= self._placed(lead, wanted, said)
        differ = changes({name: getattr(lead, name) for name in columns}, columns)
        if not differ:
            self._taking.unchanged += 1
            return
        was = live_columns(lead, tag_ids)
        old = (lead.company_id, lead.stage_id, lead.status, lead.stage_entered_at)
        for name in differ:
            setattr(lead, name, columns[name])
        if lead.closed_at is not None and {"closed_at", "currency"} & differ.keys():
            lead.closing_rate = self._sheet.rate(lead.currency, lead.closed_at)
        if "lifecycle" in differ:
            lead.lifecycle_chosen_at = self._taking.now
        if ENDS_HAND_OVER & differ.keys():
            self._given.append(lead.id)
        if "term_ends_on" in differ:
            self._terms.append(lead)
        if "owner_id" in differ:
            self._handed.append((lead, differ["owner_id"][0]))
        lead.version += 1
        lead.updated_at = self._taking.now
        self._follow(lead, *old)
        told = facts(was, lead, tag_ids, self._sheet.custom.told(differ)) | {"bulk": True}
        self._events.append(_event(differ)(self._taking.actor, lead.id, told))
        self._leads.append(lead)
        self._taking.updated += 1

    async def write(self) -> None:
        """Write what was gathered."""
        *columns, last = WRITTEN
        assert last == "custom"
        records = [(*(getattr(lead, name) for name in ("id", *columns)), dump(lead.custom)) for lead in self._leads]
        await self._taking.update("lead", WRITTEN, records)
        await self._taking.copy("stage_transition", MOVES, self._moves)
        if self._left:
            await self._taking.run(OBSOLETE, self._left, self._taking.now)
        if self._given:
            await end_hand_overs(self._given, now=self._taking.now)
        if self._terms:
            await next_steps.term_moves(self._terms, now=self._taking.now)
        for lead, former in self._handed:
            await next_steps.hand_on(lead, former)
        await events.record(*self._events, now=self._taking.now)

    def _described(self, lead: Lead, row: Row, said: Sequence[str]) -> dict[str, Any]:
        values, custom = row.values, self._sheet.custom
        columns: dict[str, Any] = {name: values.get(name) for name in AS_SAID if name in said}
        columns |= {name: values[name] for name in IF_SAID if name in said and values.get(name)}
        if "title" in said:
            columns["title"] = self._sheet.title(row)
        if "currency" in said:
            columns["currency"] = values.get("currency") or self._sheet.currency
        for field, found in self._looked.by_field:
            if field in said:
                columns[f"{field}_id"] = found.key(values.get(field))
        if custom.fields.keys() & set(said):
            columns["custom"] = custom.changed(lead.custom, row, said)
        return columns

    def _placed(self, lead: Lead, wanted: Wanted, said: Sequence[str]) -> dict[str, Any]:
        """Return what a row says of where its lead stands; a mere day of closing corrects a closed lead's."""
        place, closed_at = wanted.place, wanted.row.values.get("closed_at")
        if "stage" in said or "status" in said:
            return self._moved(lead, place, closed_at)
        if "closed_at" in said and lead.status is place.status and lead.closed_at is not None:
            return {"closed_at": closed_at}
        return {}

    def _moved(self, lead: Lead, place: Place, closed_at: datetime | None) -> dict[str, Any]:
        stage = place.stage
        if place.status in (LeadStatus.LOST, LeadStatus.DISQUALIFIED) and lead.status is not LeadStatus.WON:
            stage = self._stages[lead.stage_id]
        if place.status is LeadStatus.OPEN:
            columns: dict[str, Any] = {"closed_at": None, "closing_rate": None, "lost_reason_id": None}
            columns |= {"close_note": None} if lead.status is not LeadStatus.OPEN else {}
        else:
            columns = {"closed_at": closed_at}
        columns |= {"lost_to_id": None} if place.status is not LeadStatus.LOST else {}
        columns |= {"status": place.status, "stage_id": stage.id, "pipeline_id": stage.pipeline_id}
        if (lead.status, lead.stage_id) == (place.status, stage.id):
            return columns
        columns |= {"probability": probability(stage, place.status)}
        if lead.stage_id != stage.id:
            moved_at = max(closed_at or self._taking.now, lead.stage_entered_at)
            columns |= {"stage_entered_at": moved_at, "rank": self._ranks.at(moved_at)}
        return columns

    def _follow(
        self, lead: Lead, company_id: UUID | None, stage_id: UUID, status: LeadStatus, entered_at: datetime
    ) -> None:
        """Keep the history of a lead that moved, and note whose relationship may follow."""
        if lead.stage_id != stage_id:
            stayed = max(0, int((lead.stage_entered_at - entered_at).total_seconds()))
            ids = (new_key(), lead.workspace_id, lead.id, stage_id, lead.stage_id)
            self._moves.append((*ids, self._taking.actor.user_id, lead.stage_entered_at, stayed))
        if (lead.stage_id, lead.status) != (stage_id, status):
            self._left.append(lead.id)
        was, becomes = level(self._stages[stage_id].kind, status), level(self._stages[lead.stage_id].kind, lead.status)
        if was != becomes or lead.company_id != company_id:
            self.companies |= {key for key in (company_id, lead.company_id) if key is not None}


def _event(differ: Mapping[str, Any]) -> type[Event]:
    """Return the event that tells most of a change."""
    if "status" in differ:
        return LeadReopened if differ["status"][1] is LeadStatus.OPEN else LeadClosed
    if "stage_id" in differ:
        return LeadMoved
    return LeadAssigned if differ.keys() == {"owner_id"} else LeadUpdated
