"""Imports of files, their progress and what they could not take."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import WorkspaceRow
from models.users import User


class ImportKind(StrEnum):
    LEADS = "LEADS"
    COMPANIES = "COMPANIES"
    PRODUCTS = "PRODUCTS"
    USERS = "USERS"


class ImportStatus(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Import(WorkspaceRow):
    """`next_row` is the first row of the file that no committed chunk has taken (0-based, header not counted)."""

    kind = fields.CharEnumField(ImportKind, max_length=16)
    status = fields.CharEnumField(ImportStatus, max_length=16, default=ImportStatus.PENDING)
    file_name = fields.TextField()
    file_id: UUID | None = fields.UUIDField(null=True)
    fingerprint = fields.TextField()
    mapping: dict[str, Any] = fields.JSONField(default=dict)
    next_row = fields.BigIntField(default=0)
    total_rows: int | None = fields.BigIntField(null=True)
    created_rows = fields.BigIntField(default=0)
    updated_rows = fields.BigIntField(default=0)
    unchanged_rows = fields.BigIntField(default=0)
    skipped_rows = fields.BigIntField(default=0)
    error: str | None = fields.TextField(null=True)
    errors: list[dict[str, Any]] | None = fields.JSONField(null=True)
    faults_file_id: UUID | None = fields.UUIDField(null=True)
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_at = fields.DatetimeField()
    started_at: datetime | None = fields.DatetimeField(null=True)
    finished_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "import"


class ImportFault(WorkspaceRow):
    """A row that was skipped, and why; `row` is its line in the file, the header being line 1."""

    of_import_id: UUID
    of_import: fields.ForeignKeyRelation[Import] = fields.ForeignKeyField("models.Import", related_name="faults")
    line = fields.BigIntField()
    column: str | None = fields.TextField(null=True)
    value: str | None = fields.TextField(null=True)
    reason = fields.TextField()

    class Meta:
        table = "import_fault"
