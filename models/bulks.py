"""Work on many leads at once: what is to be done, with which leads, and how far it is."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import LogRow, WorkspaceRow
from models.users import User


class BulkKind(StrEnum):
    UPDATE = "UPDATE"
    MOVE = "MOVE"
    ASSIGN = "ASSIGN"
    TAG = "TAG"
    UNTAG = "UNTAG"
    CLOSE = "CLOSE"
    DELETE = "DELETE"
    TRANSFER = "TRANSFER"


class BulkStatus(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Bulk(WorkspaceRow):
    """One thing to do with many leads, by a worker. Its rows are done up to number `done`, in their order.

    `arguments` are those of the operation for one lead, as `domain.bulks` writes them; `key_id` and
    `client_mutation_id` are what it was asked for with.
    """

    kind = fields.CharEnumField(BulkKind, max_length=16)
    arguments: dict[str, Any] = fields.JSONField(default=dict)
    status = fields.CharEnumField(BulkStatus, max_length=16, default=BulkStatus.PENDING)
    total = fields.IntField()
    done = fields.IntField(default=0)
    failed = fields.IntField(default=0)
    errors: list[dict[str, Any]] | None = fields.JSONField(null=True)
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    key_id: UUID | None = fields.UUIDField(null=True)
    client_mutation_id: str | None = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    started_at: datetime | None = fields.DatetimeField(null=True)
    completed_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "bulk"


class BulkRow(LogRow):
    """One of the leads; `number` counts from 1, `user_id` is who asked, `errors` is why it was refused."""

    bulk_id: UUID
    bulk: fields.ForeignKeyRelation[Bulk] = fields.ForeignKeyField("models.Bulk", related_name="rows")
    user_id: UUID | None = fields.UUIDField(null=True)
    number = fields.IntField()
    lead_id = fields.UUIDField()
    errors: list[dict[str, Any]] | None = fields.JSONField(null=True)

    class Meta:
        table = "bulk_row"
        unique_together = (("bulk_id", "number"),)
