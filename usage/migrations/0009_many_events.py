"""Many plain events of one account in one statement: the quick lane of a batch."""

from pathlib import Path

from django.db import migrations

from billing.sql import install

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("usage", "0008_flags"), ("billing", "0010_many_entries")]
    operations = [*install(SQL, "usage_planned_1", "usage_record_many_1")]
