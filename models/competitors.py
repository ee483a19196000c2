"""Who else wants to sell to the same customers, and where they are in play."""

from datetime import datetime
from enum import StrEnum

from tortoise import fields

from models.base import EditableRow


class Threat(StrEnum):
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class Competitor(EditableRow):
    """A competitor of the workspace, with what is known of them everywhere."""

    name = fields.TextField()
    website: str | None = fields.TextField(null=True)
    strengths: str | None = fields.TextField(null=True)
    weaknesses: str | None = fields.TextField(null=True)
    description: str | None = fields.TextField(null=True)
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "competitor"
