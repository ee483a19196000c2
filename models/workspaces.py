"""A workspace: one company that sells, and the border of everything it owns."""

from typing import Any

from tortoise import fields

from models.base import Row


class Workspace(Row):
    name = fields.TextField()
    base_currency = fields.CharField(max_length=3)
    time_zone = fields.TextField(default="UTC")
    locale = fields.TextField(default="en")
    wins_window_days = fields.IntField(default=90)
    role_visibility: dict[str, str] = fields.JSONField(default=dict)
    memberships_version = fields.IntField(default=1)
    settings: dict[str, Any] = fields.JSONField(default=dict)
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "workspace"
