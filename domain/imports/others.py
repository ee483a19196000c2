"""Custom fields for the columns that a mapping does not name: found by what they are called, else made.

They are there before the first row is taken; an import that goes on, and the next file, find them again.
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from domain import custom_fields, inputs, locks
from domain.actors import Actor
from domain.custom_fields import KEY_LIMIT, CustomFieldDetails
from domain.imports.errors import DuplicateColumn
from domain.imports.files import Reading
from domain.imports.mapping import CUSTOM, CUSTOM_OWNERS, ImportMapping, Source
from models.custom_fields import CustomField
from models.database import transaction

LOCK = "custom_fields"


async def adopted(actor: Actor, mapping: ImportMapping, reading: Reading, *, now: datetime) -> ImportMapping:
    """Return the mapping with a custom field for each other column that says anything.

    Raises Forbidden where one has to be made and the actor may not, TooManyCustomFields, DuplicateColumn.
    """
    if not reading.others:
        return mapping
    labels = {at: _label(reading.header[at], at) for at in reading.others}
    for at in labels:
        if reading.header.count(reading.header[at]) > 1:
            raise DuplicateColumn(column=reading.header[at] or "without a name", field="file")
    async with transaction():
        await locks.hold(actor.workspace_id, LOCK)
        owner = CUSTOM_OWNERS[mapping.kind]
        rows = await CustomField.filter(
            workspace_id=actor.workspace_id, owner=owner, archived_at=None, deleted_at=None
        ).order_by("-position", "-id")
        used = {name.removeprefix(CUSTOM) for name in mapping.custom}
        known = {inputs.normalised_name(row.label): row.key for row in rows if row.key not in used}
        keys = {row.key for row in rows}
        found: dict[str, Source] = {}
        for at, label in labels.items():
            key = known.pop(inputs.normalised_name(label), None)
            if key is None:
                key = key_of(label, keys, default=f"column_{at + 1}")
                keys.add(key)
                details = CustomFieldDetails(key=key, label=label, type=reading.others[at])
                await custom_fields.create(actor, owner, details, now=now)
            found[f"{CUSTOM}{key}"] = Source(column=reading.header[at])
    return replace(mapping, fields={**mapping.fields, **found})


def key_of(label: str, taken: Collection[str], *, default: str) -> str:
    """Return a key for a custom field that none of those taken is, made of what it is called."""
    plain = unicodedata.normalize("NFKD", label.casefold()).encode("ascii", "ignore").decode()
    key = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if not key or not key[0].isalpha():
        key = f"{default}_{key}".strip("_") if key else default
    key = short = key[:KEY_LIMIT].rstrip("_")
    number = 2
    while key in taken:
        key = f"{short[: KEY_LIMIT - len(str(number)) - 1]}_{number}"
        number += 1
    return key


def _label(column: str, at: int) -> str:
    """Return a column's name as a custom field may be called."""
    line = inputs.seen(" ".join(inputs.CONTROL.sub(" ", column).split()))
    return line[: inputs.NAME_LIMIT].strip() or f"Column {at + 1}"
