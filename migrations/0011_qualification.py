"""The checklist of qualification, its answers, and leads handed over from marketing to sales."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from models.base import uuid7
from models.hand_overs import HandOverStatus
from models.qualification import AnswerSource, CriterionType
from orjson import loads
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise import fields

# name -> (unique, table and columns, condition)
INDEXES = {
    "qualification_criterion_position": (False, "qualification_criterion (workspace_id, position, id)", ""),
    "qualification_criterion_preset": (
        True,
        "qualification_criterion (workspace_id, preset_key)",
        "preset_key IS NOT NULL",
    ),
    "qualification_answer_criterion": (False, "qualification_answer (criterion_id)", ""),
    "hand_over_pending": (True, "hand_over (lead_id)", "status = 'PENDING'"),
    "hand_over_lead": (False, "hand_over (lead_id, created_at DESC, id DESC)", ""),
    "hand_over_created": (False, "hand_over (workspace_id, created_at DESC, id DESC)", ""),
    "hand_over_waiting": (
        False,
        "hand_over (workspace_id, to_user_id, created_at DESC, id DESC)",
        "status = 'PENDING'",
    ),
}


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [('models', '0010_activities')]

    initial = False

    operations = [
        ops.CreateModel(
            name='HandOver',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ('workspace', fields.ForeignKeyField('models.Workspace', source_field='workspace_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('lead', fields.ForeignKeyField('models.Lead', source_field='lead_id', db_constraint=True, to_field='id', related_name='hand_overs', on_delete=OnDelete.CASCADE)),
                ('status', fields.CharEnumField(default=HandOverStatus.PENDING, description='PENDING: PENDING\nACCEPTED: ACCEPTED\nRETURNED: RETURNED\nOBSOLETE: OBSOLETE', enum_type=HandOverStatus, max_length=16)),
                ('from_user', fields.ForeignKeyField('models.User', source_field='from_user_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL)),
                ('to_user', fields.ForeignKeyField('models.User', source_field='to_user_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                ('former_owner', fields.ForeignKeyField('models.User', source_field='former_owner_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL)),
                ('note', fields.TextField(null=True, unique=False)),
                ('reason', fields.TextField(null=True, unique=False)),
                ('decided_by', fields.ForeignKeyField('models.User', source_field='decided_by_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('decided_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'hand_over', 'app': 'models', 'pk_attr': 'id', 'table_description': 'A lead given to a receiver, who owns it from then on; `former_owner` has it again where it is returned.'},
            bases=['WorkspaceRow'],
        ),
        ops.CreateModel(
            name='QualificationCriterion',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ('workspace', fields.ForeignKeyField('models.Workspace', source_field='workspace_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('version', fields.IntField(default=1)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('label', fields.TextField(unique=False)),
                ('question', fields.TextField(null=True, unique=False)),
                ('type', fields.CharEnumField(description='TEXT: TEXT\nNUMBER: NUMBER\nMONEY: MONEY\nDATE: DATE\nYES_NO: YES_NO\nCHOICE: CHOICE\nMULTI_CHOICE: MULTI_CHOICE', enum_type=CriterionType, max_length=16)),
                ('choices', fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ('required_for_mql', fields.BooleanField(default=False)),
                ('required_for_sql', fields.BooleanField(default=False)),
                ('position', fields.IntField()),
                ('preset_key', fields.TextField(null=True, unique=False)),
                ('archived_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'qualification_criterion', 'app': 'models', 'pk_attr': 'id', 'table_description': 'A question of the checklist; `preset_key` says which one of a preset it is.'},
            bases=['EditableRow'],
        ),
        ops.CreateModel(
            name='QualificationAnswer',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ('workspace', fields.ForeignKeyField('models.Workspace', source_field='workspace_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('lead', fields.ForeignKeyField('models.Lead', source_field='lead_id', db_constraint=True, to_field='id', related_name='qualification_answers', on_delete=OnDelete.CASCADE)),
                ('criterion', fields.ForeignKeyField('models.QualificationCriterion', source_field='criterion_id', db_constraint=True, to_field='id', related_name='answers', on_delete=OnDelete.RESTRICT)),
                ('value', fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ('note', fields.TextField(null=True, unique=False)),
                ('source', fields.CharEnumField(default=AnswerSource.PERSON, description='PERSON: PERSON\nFORM: FORM', enum_type=AnswerSource, max_length=8)),
                ('user', fields.ForeignKeyField('models.User', source_field='user_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL)),
                ('answered_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'qualification_answer', 'app': 'models', 'unique_together': (('lead_id', 'criterion_id'),), 'pk_attr': 'id', 'table_description': "What is known of one criterion about one lead; `user_id` is who said so, or the form's service user."},
            bases=['WorkspaceRow'],
        ),
        ops.AddField(
            model_name='Lead',
            name='lifecycle_chosen_at',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX IF EXISTS {name}_idx" for name in INDEXES],
        ),
    ]
