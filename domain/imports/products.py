"""Products of a file: known by reference, else by name."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any
from uuid import UUID

from domain import policy, products
from domain.actors import Actor
from domain.errors import Faults
from domain.imports.keys import new_key
from domain.imports.mapping import ImportMapping
from domain.imports.records import Matched, amount, edit, insert, unless_faulty
from domain.imports.rows import Row
from domain.imports.taking import Known, Taking
from domain.policy import Action
from domain.products import ProductCreated, ProductDetails, ProductUpdated
from models.products import Product
from models.workspaces import Workspace


class ProductsImport:
    """Takes chunks of products."""

    noun = Product

    def __init__(self, mapping: ImportMapping, currency: str) -> None:
        self._mapping = mapping
        self._currency = currency

    @classmethod
    async def bind(cls, actor: Actor, mapping: ImportMapping, zone: tzinfo) -> "ProductsImport":
        policy.require(actor, Action.MANAGE_PRODUCTS)
        workspace = await Workspace.get(id=actor.workspace_id)
        return cls(mapping, workspace.base_currency)

    async def take(self, taking: Taking, rows: Sequence[Row]) -> None:
        """Take a chunk's rows."""
        known = await taking.known(rows)
        new, changed = taking.sort_out(rows, known)
        checked = [(row, columns) for row in [*new, *changed] if (columns := self._columns(taking, row)) is not None]
        if not checked:
            return
        matched = await self._match(taking, checked, known)
        await insert(taking, Product, ProductCreated, [each for each in matched if each.is_new], {})
        await edit(taking, Product, ProductUpdated, [each for each in matched if not each.is_new], known, {})

    def _columns(self, taking: Taking, row: Row) -> dict[str, Any] | None:
        fields = self._mapping.fields
        given: dict[str, Any] = {
            name: row.values.get(name) for name in ("name", "sku", "family", "description") if name in fields
        }
        if "price" in fields:
            given["price"] = amount(row, "price", self._currency)
        faults = Faults()
        return unless_faulty(taking, row, faults, products.check(faults, ProductDetails(**given)))

    async def _match(
        self, taking: Taking, checked: Sequence[tuple[Row, dict[str, Any]]], known: Mapping[str, Known]
    ) -> list[Matched]:
        """Return rows with their products: by reference, else by name; names and SKUs are nobody else's."""
        used = [columns["name_normalised"] for _, columns in checked]
        skus = [columns["sku"] for _, columns in checked if columns.get("sku")]
        holders: dict[tuple[str, str], UUID] = {}
        for found in await taking.fetch(PRODUCTS, taking.workspace_id, used, skus):
            holders["name", found["name"]] = found["id"]
            if found["sku"]:
                holders["sku", found["sku"]] = found["id"]
        claimed = await taking.claimed(holders.values())
        matched: list[Matched] = []
        for row, columns in checked:
            reference, name = known.get(row.external_id), ("name", columns["name_normalised"])
            if reference is not None:
                each = Matched(row, reference.subject_id, columns)
            elif name in holders and holders[name] not in claimed:
                each = Matched(row, holders[name], columns, is_adopted=True)
            else:
                each = Matched(row, new_key(), columns, is_new=True)
            claims = [name, *([("sku", columns["sku"])] if columns.get("sku") else [])]
            taken = next((field for field, value in claims if holders.get((field, value), each.key) != each.key), None)
            if taken:
                taking.skip(row, taking.fault(row, taken, f"Another product has this {taken}."))
                continue
            claimed.add(each.key)
            holders |= dict.fromkeys(claims, each.key)
            matched.append(each)
        return matched


PRODUCTS = """
SELECT id, name_normalised AS name, sku FROM product
WHERE workspace_id = $1 AND archived_at IS NULL AND (name_normalised = ANY($2) OR sku = ANY($3))
"""
