"""Pipelines: the boards that leads walk."""

from datetime import datetime

from tortoise import fields

from models.base import EditableRow


class Pipeline(EditableRow):
    name = fields.TextField()
    position = fields.IntField(default=0)
    is_default = fields.BooleanField(default=False)
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "pipeline"
