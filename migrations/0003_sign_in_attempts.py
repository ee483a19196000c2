from tortoise import migrations
from tortoise.migrations import operations as ops
from models.base import uuid7
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0002_indexes')]

    initial = False

    operations = [
        ops.CreateModel(
            name='SignInAttempt',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ('key', fields.CharField(unique=True, max_length=64)),
                ('attempts', fields.IntField()),
                ('until', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'sign_in_attempt', 'app': 'models', 'pk_attr': 'id', 'table_description': '`key` is what is tried and by whom, hashed: `attempts` of them until the window ends.'},
            bases=['Row'],
        ),
    ]
