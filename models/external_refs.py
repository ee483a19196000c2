"""The names that other systems give our rows."""

from tortoise import fields

from models.base import LogRow


class ExternalRef(LogRow):
    """`external_id` is unique per workspace, system and kind of subject."""

    system = fields.TextField()
    external_id = fields.TextField()
    subject_type = fields.TextField()
    subject_id = fields.UUIDField()
    fingerprint: str | None = fields.TextField(null=True)

    class Meta:
        table = "external_ref"
        unique_together = (("workspace_id", "system", "subject_type", "external_id"),)
