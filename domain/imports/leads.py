"""Leads of a file: what their rows name and where they stand, before they are written."""

from collections.abc import Iterator, Sequence
from datetime import timedelta, tzinfo

from domain import policy, relationships
from domain.actors import Actor
from domain.imports import names
from domain.imports.changed_leads import edit
from domain.imports.custom import Custom
from domain.imports.lead_rows import Looked, Sheet, Wanted, rates
from domain.imports.mapping import ImportMapping, Missing
from domain.imports.new_leads import create, raised
from domain.imports.rows import Row
from domain.imports.stages import Board, Place
from domain.imports.taking import Taking
from domain.policy import Action
from models.leads import Lead, LeadStatus
from models.workspaces import Workspace

# Somebody's evening is somebody else's morning.
AHEAD = timedelta(days=1)


class LeadsImport:
    """Takes chunks of leads into one pipeline."""

    noun = Lead

    def __init__(self, mapping: ImportMapping, board: Board, sheet: Sheet) -> None:
        self._mapping = mapping
        self._board = board
        self._sheet = sheet
        self.custom = sheet.custom

    @classmethod
    async def bind(cls, actor: Actor, mapping: ImportMapping, zone: tzinfo) -> "LeadsImport":
        """Check what the mapping names in the workspace and what the actor may do."""
        policy.require(actor, Action.CAPTURE_LEAD)
        for field, action in (
            ("product", Action.MANAGE_PRODUCTS),
            ("source", Action.MANAGE_CATALOG),
            ("campaign", Action.MANAGE_CAMPAIGNS),
            ("lost_reason", Action.MANAGE_CATALOG),
        ):
            if field in mapping.fields and mapping.missing(field) is Missing.CREATE:
                policy.require(actor, action)
        workspace = await Workspace.get(id=actor.workspace_id)
        custom = await Custom.bind(actor, mapping)
        sheet = Sheet(workspace.base_currency, await rates(actor.workspace_id), zone, custom)
        return cls(mapping, await Board.load(actor, mapping), sheet)

    async def take(self, taking: Taking, rows: Sequence[Row]) -> None:
        """Take a chunk's rows."""
        known = await taking.known(rows)
        new, changed = taking.sort_out(rows, known)
        new, changed = await self.custom.settle(taking, new), await self.custom.settle(taking, changed)
        looked = await self._look(taking, [*new, *changed])
        fresh = [wanted for row in new if (wanted := self._wanted(taking, row, looked))]
        differ = [wanted for row in changed if (wanted := self._wanted(taking, row, looked))]
        await _create_lacking(taking, looked, [each.row for each in (*fresh, *differ)])
        await create(taking, self._sheet, fresh, looked)
        companies = await edit(taking, self._sheet, differ, known, looked) if differ else set()
        companies |= await raised(taking, fresh, looked)
        await taking.write_events()
        await relationships.refresh(taking.actor, company_ids=companies, now=taking.now)

    async def _look(self, taking: Taking, rows: Sequence[Row]) -> Looked:
        def texts(field: str) -> Iterator[str | None]:
            return _texts(rows, field)

        missing = self._mapping.missing
        return Looked(
            await names.companies(taking, texts("company"), missing("company")),
            await names.owners(taking, texts("owner"), missing("owner")),
            await names.products(taking, texts("product"), missing("product")),
            await names.sources(taking, texts("source"), missing("source")),
            await names.campaigns(taking, texts("campaign"), missing("campaign")),
            await names.lost_reasons(taking, texts("lost_reason"), missing("lost_reason")),
        )

    def _wanted(self, taking: Taking, row: Row, looked: Looked) -> Wanted | None:
        """Return a row with its place; one that cannot be taken is reported and skipped."""
        values = row.values
        place = self._board.place(values.get("stage"), values.get("status"))
        faults = [
            taking.fault(row, field, reason)
            for field, found in looked.by_field
            if field in values and (reason := found.fault(values[field]))
        ]
        if isinstance(place, str):
            faults.append(taking.fault(row, "stage" if "stage" in row.texts else "status", place))
        else:
            if place.status is not LeadStatus.OPEN and "closed_at" not in self._mapping.fields:
                # What says nothing of when leads were closed says it of none: they are, now that the file is taken.
                values["closed_at"] = max(taking.began_at, values.get("engaged_at") or taking.began_at)
            faults += [taking.fault(row, field, reason) for field, reason in _out_of_time(taking, row, place)]
            if not faults:
                return Wanted(row, place)
        taking.skip(row, *faults)
        return None


async def _create_lacking(taking: Taking, looked: Looked, rows: Sequence[Row]) -> None:
    """Create what rows name and does not exist: those rows alone that are taken."""
    await names.create_companies(taking, looked.companies, _texts(rows, "company"))
    await names.create_owners(taking, looked.owners, rows)
    await names.create_products(taking, looked.products, _texts(rows, "product"))
    await names.create_sources(taking, looked.sources, _texts(rows, "source"))
    await names.create_campaigns(taking, looked.campaigns, _texts(rows, "campaign"))
    await names.create_lost_reasons(taking, looked.lost_reasons, _texts(rows, "lost_reason"))


def _texts(rows: Sequence[Row], field: str) -> Iterator[str | None]:
    return (row.values.get(field) for row in rows)


def _out_of_time(taking: Taking, row: Row, place: Place) -> Iterator[tuple[str, str]]:
    """Return which dates of a row contradict its status, each other or the clock."""
    engaged_at, closed_at = row.values.get("engaged_at"), row.values.get("closed_at")
    latest = taking.now + AHEAD
    if engaged_at and engaged_at > latest:
        yield "engaged_at", "The date lies in the future."
    if place.status is LeadStatus.OPEN:
        return
    if closed_at is None:
        yield "closed_at", f"A lead that is {place.status} needs the date of its closing."
    elif closed_at > latest:
        yield "closed_at", "The date lies in the future."
    elif engaged_at and closed_at < engaged_at:
        yield "closed_at", "The lead was closed before it was engaged."
