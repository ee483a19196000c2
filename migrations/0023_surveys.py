"""Surveys, whom they went to, and what was answered."""

from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0022_reminders")]

    initial = False

    operations = []
