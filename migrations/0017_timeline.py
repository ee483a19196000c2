from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0016_saved_views_and_search")]

    operations = []
