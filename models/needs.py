"""What hurts or interests a lead, and what answers it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tortoise import fields

from models.base import EditableRow
from models.leads import Lead
from models.products import Product


class NeedKind(StrEnum):
    PAIN = "PAIN"
    WISH = "WISH"


class Need(EditableRow):
    """A pain point or wish; `importance` is 1 (nice to have) to 5 (decisive)."""

    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name="needs")
    kind = fields.CharEnumField(NeedKind, max_length=8, default=NeedKind.PAIN, db_default=NeedKind.PAIN)
    title = fields.TextField()
    description: str | None = fields.TextField(null=True)
    importance = fields.SmallIntField(default=3)
    answer: str | None = fields.TextField(null=True)
    product_id: UUID | None
    product: fields.ForeignKeyNullableRelation[Product] = fields.ForeignKeyField(
        "models.Product", related_name="needs", null=True, on_delete=fields.SET_NULL
    )
    deleted_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "need"
