"""Everything that happened to a lead, in one view over the tables that know of it."""

from enum import StrEnum
from uuid import UUID

from tortoise import fields

from models.activities import Activity
from models.attachments import Attachment
from models.base import LogRow
from models.conversations import Comment
from models.events import Event
from models.leads import Lead
from models.stages import StageTransition
from models.users import User


class TimelineKind(StrEnum):
    ACTIVITY = "ACTIVITY"
    MOVE = "MOVE"
    COMMENT = "COMMENT"
    ATTACHMENT = "ATTACHMENT"
    SCORE = "SCORE"
    EVENT = "EVENT"


class TimelineEntry(LogRow):
    """A row of the view `timeline_entry`: one of the keys at its end says what it tells of."""

    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField(
        "models.Lead", related_name=False, db_constraint=False, on_delete=fields.NO_ACTION
    )
    kind = fields.CharEnumField(TimelineKind, max_length=10)
    occurred_at = fields.DatetimeField()
    is_live = fields.BooleanField()
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    activity_id: UUID | None
    activity: fields.ForeignKeyNullableRelation[Activity] = fields.ForeignKeyField(
        "models.Activity", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    transition_id: UUID | None
    transition: fields.ForeignKeyNullableRelation[StageTransition] = fields.ForeignKeyField(
        "models.StageTransition", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    comment_id: UUID | None
    comment: fields.ForeignKeyNullableRelation[Comment] = fields.ForeignKeyField(
        "models.Comment", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    attachment_id: UUID | None
    attachment: fields.ForeignKeyNullableRelation[Attachment] = fields.ForeignKeyField(
        "models.Attachment", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    event_id: UUID | None
    event: fields.ForeignKeyNullableRelation[Event] = fields.ForeignKeyField(
        "models.Event", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )

    class Meta:
        table = "timeline_entry"
