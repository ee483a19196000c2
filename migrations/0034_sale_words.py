"""Invoices name who gets them, and what an address's owner said stands beside what others say of it."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

INDEX = "CREATE UNIQUE INDEX suppression_email_idx ON suppression (workspace_id, email_normalised, coalesce(kind, '')"
# Where both say something, what others say of an address is what holds without the second row.
OWN = """
DELETE FROM suppression own USING suppression other
WHERE own.reason = 'UNSUBSCRIBED' AND other.reason <> 'UNSUBSCRIBED' AND other.workspace_id = own.workspace_id
  AND other.email_normalised = own.email_normalised AND coalesce(other.kind, '') = coalesce(own.kind, '')
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0033_negotiation_words")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Invoice",
            name="contact",
            field=fields.ForeignKeyField(
                "models.Contact",
                source_field="contact_id",
                db_constraint=False,
                to_field="id",
                null=True,
                related_name=False,
                on_delete=OnDelete.NO_ACTION,
            ),
        ),
        ops.RunSQL(
            ["DROP INDEX suppression_email_idx", f"{INDEX}, (reason = 'UNSUBSCRIBED'))"],
            reverse_sql=["DROP INDEX suppression_email_idx", OWN, f"{INDEX})"],
        ),
    ]
