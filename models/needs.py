"""What hurts or interests a lead, and what answers it."""

from datetime import datetime
from uuid import UUID

from tortoise import fields

from models.base import EditableRow
from models.leads import Lead


class Need(EditableRow):
    """A pain point or interest; `importance` is 1 (nice to have) to 5 (decisive)."""

    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name="needs")
    title = fields.TextField()
    description: str | None = fields.TextField(null=True)
    importance = fields.SmallIntField(default=3)
    answer: str | None = fields.TextField(null=True)
    deleted_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "need"
