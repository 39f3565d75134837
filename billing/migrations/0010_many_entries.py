"""Many charges' entries in one statement: the quick lane of a batch."""

from pathlib import Path

from django.db import migrations

from billing.sql import install

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("billing", "0009_closing")]
    operations = [*install(SQL, "billing_write_many_1")]
