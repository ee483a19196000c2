"""Companies of a file: known by reference, else by domain, else by name; parents may come later in the file."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any
from uuid import UUID

from domain import companies, inputs, locks, policy
from domain.actors import Actor
from domain.companies import CompanyCreated, CompanyDetails, CompanyUpdated
from domain.errors import Faults
from domain.imports import names
from domain.imports.custom import Custom
from domain.imports.keys import new_key
from domain.imports.mapping import ImportMapping, Missing
from domain.imports.records import Matched, amount, edit, insert, unless_faulty
from domain.imports.rows import Row
from domain.imports.taking import Known, Taking
from domain.policy import Action
from models.companies import Company, Relationship
from models.workspaces import Workspace

DETAILS = (
    "name", "domain", "website", "phone", "industry", "country", "location", "employees", "founded_year", "tax_number"
)  # fmt: skip


class CompaniesImport:
    """Takes chunks of companies. A parent that has no row yet is created by its name, and adopted by its row."""

    noun = Company

    def __init__(self, mapping: ImportMapping, currency: str, custom: Custom) -> None:
        self._mapping = mapping
        self.custom = custom
        self._currency = currency

    @classmethod
    async def bind(cls, actor: Actor, mapping: ImportMapping, zone: tzinfo) -> "CompaniesImport":
        policy.require(actor, Action.CREATE_COMPANY)
        policy.require(actor, Action.UPDATE_COMPANY)
        workspace = await Workspace.get(id=actor.workspace_id)
        return cls(mapping, workspace.base_currency, await Custom.bind(actor, mapping))

    async def take(self, taking: Taking, rows: Sequence[Row]) -> None:
        """Take a chunk's rows."""
        known = await taking.known(rows)
        new, changed = taking.sort_out(rows, known)
        new, changed = await self.custom.settle(taking, new), await self.custom.settle(taking, changed)
        if not (new or changed):
            return
        await locks.hold(taking.workspace_id, "company.parents")
        checked = [(row, columns) for row in [*new, *changed] if (columns := self._columns(taking, row)) is not None]
        texts = (row.values.get("owner") for row, _ in checked)
        owners = await names.owners(taking, texts, self._mapping.missing("owner"))
        matched = [each for each in await self._match(taking, checked, known) if _can_own(taking, each, owners)]
        matched, placeholders = await self._with_parents(taking, matched)
        await names.create_owners(taking, owners, [each.row for each in matched])
        for each in matched:
            if "owner" in each.row.texts:
                each.columns["owner_id"] = owners.key(each.row.values.get("owner"))
        await names.add_companies(taking, placeholders)
        fresh = [each for each in matched if each.is_new]
        more = {"relationship": Relationship.LEAD.value} | ({} if self.custom else {"custom": "{}"})
        await insert(taking, Company, CompanyCreated, fresh, more, self.custom)
        edits = [each for each in matched if not each.is_new]
        await edit(
            taking, Company, CompanyUpdated, edits, known, {"parent": "parent_id", "owner": "owner_id"}, self.custom
        )

    def _columns(self, taking: Taking, row: Row) -> dict[str, Any] | None:
        """Return a row as columns of its company; one that cannot be taken is reported and skipped."""
        values, fields = row.values, self._mapping.fields
        given: dict[str, Any] = {name: values.get(name) for name in DETAILS if name in fields}
        if "revenue" in fields:
            given["revenue"] = amount(row, "revenue", self._currency)
        faults = Faults()
        columns = companies.check(faults, CompanyDetails(**given), now=taking.now)
        if self.custom:
            columns["custom"] = self.custom.column(row)
        return unless_faulty(taking, row, faults, columns)

    async def _match(
        self, taking: Taking, checked: Sequence[tuple[Row, dict[str, Any]]], known: Mapping[str, Known]
    ) -> list[Matched]:
        """Return rows with their companies: by reference, else by domain, else by name where none has claimed it."""
        domains = {columns["domain"] for _, columns in checked if columns.get("domain")}
        wanted = {columns["name_normalised"] for row, columns in checked if row.external_id not in known}
        found = await taking.fetch(CANDIDATES, taking.workspace_id, list(domains), list(wanted))
        by_domain = {each["domain"]: each for each in found if each["domain"]}
        claimed = await taking.claimed(each["id"] for each in found)
        by_name = {each["name"]: each for each in reversed(found) if each["id"] not in claimed}
        matched: list[Matched] = []
        for row, columns in checked:
            reference = known.get(row.external_id)
            domain = columns.get("domain")
            holder = by_domain.get(domain) if domain else None
            if reference is not None:
                each = Matched(row, reference.subject_id, columns)
            elif holder is not None and holder["id"] not in claimed:
                each = Matched(row, holder["id"], columns, is_adopted=True)
            elif (named := by_name.get(columns["name_normalised"])) and not (
                named["id"] in claimed or holder or (domain and named["domain"])
            ):
                each = Matched(row, named["id"], columns, is_adopted=True)
            else:
                each = Matched(row, new_key(), columns, is_new=True)
            if holder is not None and holder["id"] != each.key:
                taking.skip(row, taking.fault(row, "domain", "Another company has this domain."))
                continue
            if domain:
                by_domain[domain] = {"id": each.key}
            claimed.add(each.key)
            matched.append(each)
        return matched

    async def _with_parents(
        self, taking: Taking, matched: Sequence[Matched]
    ) -> tuple[list[Matched], list[tuple[UUID, str]]]:
        """Give companies their parents, and return those that can have them, and parents that have no row yet."""
        if "parent" not in self._mapping.fields:
            return list(matched), []
        here = {each.columns["name_normalised"]: each for each in reversed(matched)}
        texts = [each.row.values.get("parent") for each in matched]
        missing = self._mapping.missing("parent")
        wanted = names.wanted(texts)
        elsewhere = await names.companies(taking, texts, missing)
        keys = {name: here[name].key for name in wanted if name in here} | elsewhere.keys
        new = {name: new_key() for name in wanted if name not in keys and missing is Missing.CREATE}
        keys |= new
        above = {row["id"]: row["parent_id"] for row in await taking.fetch(ABOVE, list(keys.values()))}
        kept = []
        for each in matched:
            text = each.row.values.get("parent")
            each.columns["parent_id"] = keys.get(inputs.normalised_name(text)) if text else None
            reason = None
            if text and each.columns["parent_id"] is None and missing is Missing.FAULT:
                reason = "There is no company of this name."
            elif _leads_to(above, each.columns["parent_id"], each.key):
                reason = str(companies.ParentCycle())
            if reason is None:
                above[each.key] = each.columns["parent_id"]
                kept.append(each)
            else:
                taking.skip(each.row, taking.fault(each.row, "parent", reason))
        placeholders = {new[name]: wanted[name] for name in new}
        lost = {each.key for each in matched if each.is_new} - {each.key for each in kept}
        for each in kept:
            if each.columns["parent_id"] in lost:
                text = each.row.values["parent"]
                placeholders[each.columns["parent_id"]] = text
        return kept, list(placeholders.items())


CANDIDATES = """
SELECT id, name_normalised AS name, domain FROM company
WHERE workspace_id = $1 AND deleted_at IS NULL AND (domain = ANY($2) OR name_normalised = ANY($3))
ORDER BY created_at, id
"""
ABOVE = """
WITH RECURSIVE above AS (
    SELECT id, parent_id FROM company WHERE id = ANY($1)
    UNION SELECT company.id, company.parent_id FROM company JOIN above ON company.id = above.parent_id
) SELECT id, parent_id FROM above
"""


def _leads_to(above: Mapping[UUID, UUID | None], start: UUID | None, key: UUID) -> bool:
    while start is not None:
        if start == key:
            return True
        start = above.get(start)
    return False


def _can_own(taking: Taking, each: Matched, owners: names.Names) -> bool:
    if reason := owners.fault(each.row.values.get("owner")):
        taking.skip(each.row, taking.fault(each.row, "owner", reason))
        return False
    return True
