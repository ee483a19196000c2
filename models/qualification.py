"""A workspace's checklist, and what is answered of it about a lead."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, WorkspaceRow
from models.leads import Lead
from models.users import User


class CriterionType(StrEnum):
    TEXT = "TEXT"
    NUMBER = "NUMBER"
    MONEY = "MONEY"
    DATE = "DATE"
    YES_NO = "YES_NO"
    CHOICE = "CHOICE"
    MULTI_CHOICE = "MULTI_CHOICE"


class AnswerSource(StrEnum):
    PERSON = "PERSON"
    FORM = "FORM"


class QualificationCriterion(EditableRow):
    """A question of the checklist; `preset_key` says which one of a preset it is.

    `choices` is a list of `domain.criteria.Choice` as JSON.
    """

    label = fields.TextField()
    question: str | None = fields.TextField(null=True)
    type = fields.CharEnumField(CriterionType, max_length=16)
    choices: list[dict[str, Any]] = fields.JSONField(default=list)
    required_for_mql = fields.BooleanField(default=False)
    required_for_sql = fields.BooleanField(default=False)
    position = fields.IntField()
    preset_key: str | None = fields.TextField(null=True)
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "qualification_criterion"


class QualificationAnswer(WorkspaceRow):
    """What is known of one criterion about one lead; `user_id` is who said so, or the form's service user."""

    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name="qualification_answers")
    criterion_id: UUID
    criterion: fields.ForeignKeyRelation[QualificationCriterion] = fields.ForeignKeyField(
        "models.QualificationCriterion", related_name="answers", on_delete=fields.RESTRICT
    )
    value: Any = fields.JSONField()
    note: str | None = fields.TextField(null=True)
    source = fields.CharEnumField(AnswerSource, max_length=8, default=AnswerSource.PERSON)
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    answered_at = fields.DatetimeField()

    class Meta:
        table = "qualification_answer"
        unique_together = (("lead_id", "criterion_id"),)
