"""What daily use found missing."""

from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0018_search_words")]

    initial = False

    operations = []
