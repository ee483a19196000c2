"""How words are made of what is searched."""

from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0017_timeline")]

    initial = False

    operations = []
