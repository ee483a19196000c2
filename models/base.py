"""What every table shares: its key, its workspace, its version."""

import os
import time
from uuid import UUID

from tortoise import fields, models

_last_stamp = 0


def uuid7() -> UUID:
    """Return a key greater than every one that this process made before.

    RFC 9562, version 7, with a finer clock (its section 6.2, method 3): the 12 bits after the milliseconds are
    1/4096 of one each. A clock that stands still or steps back counts on from the last key.
    """
    global _last_stamp
    _last_stamp = stamp = max((time.time_ns() << 12) // 1_000_000, _last_stamp + 1)
    random = int.from_bytes(os.urandom(8), "big") >> 2
    return UUID(int=stamp >> 12 << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | random)


class Row(models.Model):
    """A row with a UUIDv7 key."""

    id = fields.UUIDField(primary_key=True, default=uuid7)

    class Meta:
        abstract = True


class WorkspaceRow(Row):
    """A row that belongs to one workspace."""

    workspace_id: UUID
    workspace: fields.ForeignKeyRelation["models.Model"] = fields.ForeignKeyField(
        "models.Workspace", related_name=False, on_delete=fields.CASCADE
    )

    class Meta:
        abstract = True


class LogRow(Row):
    """A row of a table that grows with everything that happens, in one workspace.

    No foreign key checks the workspace: each check locks the workspace's one row, for every row that is written.
    """

    workspace_id: UUID
    workspace: fields.ForeignKeyRelation["models.Model"] = fields.ForeignKeyField(
        "models.Workspace", related_name=False, db_constraint=False, on_delete=fields.NO_ACTION
    )

    class Meta:
        abstract = True


class EditableRow(WorkspaceRow):
    """A row that people edit: `version` rises with every edit of theirs."""

    version = fields.IntField(default=1)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        abstract = True
