"""Fields that a workspace adds to its leads, companies and contacts."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from tortoise import fields

from models.base import EditableRow


class CustomFieldOwner(StrEnum):
    LEAD = "LEAD"
    COMPANY = "COMPANY"
    CONTACT = "CONTACT"


class CustomFieldType(StrEnum):
    TEXT = "TEXT"
    NUMBER = "NUMBER"
    MONEY = "MONEY"
    DATE = "DATE"
    CHOICE = "CHOICE"
    MULTI_CHOICE = "MULTI_CHOICE"
    YES_NO = "YES_NO"
    USER = "USER"
    URL = "URL"
    EMAIL = "EMAIL"
    PHONE = "PHONE"


class IndexState(StrEnum):
    NONE = "NONE"
    BUILDING = "BUILDING"
    READY = "READY"
    FAILED = "FAILED"


class CustomField(EditableRow):
    """Its values stand in the column `custom` of its owner's table, under its id as 32 hex digits.

    `options` are what there is to choose from, in order: {"key", "label", "archived"}. A deleted field stays until
    its values are gone.
    """

    owner = fields.CharEnumField(CustomFieldOwner, max_length=16)
    key = fields.TextField()
    label = fields.TextField()
    description: str | None = fields.TextField(null=True)
    type = fields.CharEnumField(CustomFieldType, max_length=16)
    options: list[dict[str, Any]] = fields.JSONField(default=list)
    position = fields.IntField()
    is_indexed = fields.BooleanField(default=False)
    index_state = fields.CharEnumField(IndexState, max_length=16, default=IndexState.NONE)
    archived_at: datetime | None = fields.DatetimeField(null=True)
    deleted_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "custom_field"
