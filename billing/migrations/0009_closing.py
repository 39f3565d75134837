"""Closing an account freezes it, and nobody lifts that freeze while it is closed."""

from pathlib import Path

from django.db import migrations

from billing.sql import install

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_topups_that_ended")]
    operations = [*install(SQL, "billing_close_1", "billing_freeze_2")]
