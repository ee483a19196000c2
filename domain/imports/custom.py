"""Custom fields of a file's rows: read by their types, held while a chunk is taken, and told by their keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from domain import custom_values
from domain.actors import Actor
from domain.custom_values import Known, UnknownCustomField, short
from domain.errors import DomainError, Faults
from domain.imports.mapping import CUSTOM, CUSTOM_OWNERS, ImportMapping
from domain.imports.rows import Row
from domain.imports.taking import Taking
from models.custom_fields import CustomField, CustomFieldOwner, CustomFieldType


class CustomFieldChanged(DomainError):
    """The custom field {label} was changed while the file was taken: import the file again, it goes on where it was."""


@dataclass(frozen=True, slots=True)
class Custom:
    """The custom fields that a mapping fills, by their names there."""

    owner: CustomFieldOwner = CustomFieldOwner.LEAD
    fields: Mapping[str, CustomField] = field(default_factory=dict)

    @classmethod
    async def bind(cls, actor: Actor, mapping: ImportMapping) -> "Custom":
        """Look up what a mapping names; raises every field that is none."""
        owner, names = CUSTOM_OWNERS[mapping.kind], mapping.custom
        known = await custom_values.named(actor.workspace_id, owner, [name.removeprefix(CUSTOM) for name in names])
        found = {name: known.get(name.removeprefix(CUSTOM)) for name in names}
        faults = Faults()
        for name, row in found.items():
            if row is None:
                faults.add(UnknownCustomField(name=short(name), noun=owner.value.lower(), field="mapping.fields"))
        faults.raise_any()
        return cls(owner, {name: row for name, row in found.items() if row is not None})

    def __bool__(self) -> bool:
        return bool(self.fields)

    async def settle(self, taking: Taking, rows: Sequence[Row]) -> list[Row]:
        """Keep the fields as they are until the chunk is taken, and return the rows whose users are members.

        Raises CustomFieldChanged where somebody has changed one since the mapping was looked at.
        """
        if not self.fields:
            return list(rows)
        ids: list[str | UUID] = [known.id for known in self.fields.values()]
        held = await custom_values.named(taking.workspace_id, self.owner, ids, held=True)
        for known in self.fields.values():
            now = held.get(known.id)
            if now is None or (now.type, now.options) != (known.type, known.options):
                raise CustomFieldChanged(label=short(known.label))
        people = [name for name, known in self.fields.items() if known.type is CustomFieldType.USER]
        if not people:
            return list(rows)
        texts = {text for row in rows for name in people if (text := row.values.get(name))}
        users = await custom_values.users(taking.workspace_id, sorted(texts))
        return [row for row in rows if self._has_members(taking, row, people, users)]

    def _has_members(
        self, taking: Taking, row: Row, people: Sequence[str], users: Mapping[str | UUID, tuple[UUID, bool]]
    ) -> bool:
        found = list[DomainError]()
        for name in people:
            faults, known = Faults(), self.fields[name]
            text = row.values.get(name)
            row.values[name] = custom_values.parse(faults, known, text, field=name, users=users, text=True)
            for fault in faults:
                fault.call(short(known.label))
                found.append(fault)
        if not found:
            return True
        taking.skip(row, *(taking.fault(row, ".".join(fault.field or ()), str(fault)) for fault in found))
        return False

    def column(self, row: Row) -> dict[str, Any]:
        """Return what a new row's column has."""
        values = {known.id.hex: row.values.get(name) for name, known in self.fields.items()}
        return {key: value for key, value in values.items() if value is not None}

    def changed(self, current: Mapping[str, Any], row: Row, said: Sequence[str] | set[str]) -> dict[str, Any]:
        """Return what a known row's column has, where the file says anew what these fields are."""
        kept = dict(current)
        for name, known in self.fields.items():
            if name in said:
                kept.pop(known.id.hex, None)
                if (value := row.values.get(name)) is not None:
                    kept[known.id.hex] = value
        return kept

    def told(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return changes as events tell of them."""
        return Known(self.owner, (), {known.id: known for known in self.fields.values()}).told(dict(changes))


def dump(column: Mapping[str, Any]) -> str:
    """Return the column as COPY takes it."""
    return orjson.dumps(column).decode()
