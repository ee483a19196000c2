"""Teams, and the teams within them; live ones beside one another differ in name, whatever its case."""

from uuid import UUID

from tortoise import fields

from models.base import EditableRow


class Team(EditableRow):
    name = fields.TextField()
    parent_id: UUID | None
    parent: "fields.ForeignKeyNullableRelation[Team]" = fields.ForeignKeyField(
        "models.Team", related_name="children", null=True, on_delete=fields.RESTRICT
    )
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "team"
