"""Lists that people keep, and the words of what is searched, kept beside it: with weights, and cut into words once."""

from models.base import uuid7
from models.saved_views import Sharing, ViewNoun
from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

INDEXES = {
    "saved_view_name": "UNIQUE INDEX saved_view_name_idx"
    " ON saved_view (workspace_id, owner_id, noun, lower(name)) WHERE deleted_at IS NULL",
    "saved_view_position": "INDEX saved_view_position_idx"
    " ON saved_view (workspace_id, position, id) WHERE deleted_at IS NULL",
    "saved_view_shared": "INDEX saved_view_shared_idx"
    " ON saved_view (workspace_id, visibility, team_id) WHERE deleted_at IS NULL AND visibility <> 'OWN'",
    "company_phone": "INDEX company_phone_idx"
    " ON company (workspace_id, phone_normalised) WHERE deleted_at IS NULL AND phone_normalised IS NOT NULL",
    "saved_view_owner": "INDEX saved_view_owner_idx ON saved_view (owner_id)",
    "saved_view_team": "INDEX saved_view_team_idx ON saved_view (team_id) WHERE team_id IS NOT NULL",
}
# What is searched of each table, the name first, with the weights that ts_rank gives them.
SEARCHED = {
    "lead": {"title": "A", "description": "C"},
    "company": {"name": "A", "domain": "B", "industry": "C"},
    "contact": {"name": "A", "email": "B", "job_title": "C"},
    "product": {"name": "A", "sku": "B", "family": "C"},
}


def words(columns: dict[str, str]) -> str:
    vectors = [f"setweight(to_tsvector('simple', coalesce({name}, '')), '{weight}')" for name, weight in columns.items()]
    return " || ".join(vectors)


def keep_words(table: str, columns: dict[str, str]) -> list[str]:
    return [
        f"DROP INDEX {table}_search_idx",
        f"ALTER TABLE {table} ADD COLUMN words tsvector GENERATED ALWAYS AS ({words(columns)}) STORED",
        f"CREATE INDEX {table}_search_idx ON {table} USING gin (words)",
    ]


def forget_words(table: str, columns: dict[str, str]) -> list[str]:
    first, *others = columns
    text = " || ' ' || ".join([first, *(f"coalesce({name}, '')" for name in others)])
    return [
        f"DROP INDEX {table}_search_idx",
        f"ALTER TABLE {table} DROP COLUMN words",
        f"CREATE INDEX {table}_search_idx ON {table} USING gin (to_tsvector('simple', {text}))",
    ]


class Migration(migrations.Migration):
    dependencies = [("models", "0015_bulk_and_absences")]

    operations = [
        ops.CreateModel(
            name='SavedView',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ('workspace', fields.ForeignKeyField('models.Workspace', source_field='workspace_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('version', fields.IntField(default=1)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('owner', fields.ForeignKeyField('models.User', source_field='owner_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('team', fields.ForeignKeyField('models.Team', source_field='team_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL)),
                ('name', fields.TextField(unique=False)),
                ('noun', fields.CharEnumField(description='LEAD: LEAD\nCOMPANY: COMPANY\nCONTACT: CONTACT', enum_type=ViewNoun, max_length=16)),
                ('visibility', fields.CharEnumField(default=Sharing.OWN, description='OWN: OWN\nTEAM: TEAM\nALL: ALL', enum_type=Sharing, max_length=16)),
                ('passing', fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
                ('order_by', fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
                ('search', fields.TextField(null=True, unique=False)),
                ('columns', fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ('position', fields.IntField(default=0)),
                ('deleted_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'saved_view', 'app': 'models', 'pk_attr': 'id', 'table_description': "A list of a noun. `passing` and `order_by` are what the list's filter and orderBy take, as they were given."},
            bases=['EditableRow'],
        ),
        ops.RunSQL(
            [f"CREATE {index}" for index in INDEXES.values()],
            [f"DROP INDEX IF EXISTS {name}_idx" for name in INDEXES],
        ),
        ops.RunSQL(
            [sql for table, columns in SEARCHED.items() for sql in keep_words(table, columns)],
            [sql for table, columns in SEARCHED.items() for sql in forget_words(table, columns)],
        ),
    ]
