"""The look at an account after a charge, as a function: its plan is kept."""

from pathlib import Path

from django.db import migrations

from billing.sql import install

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0004_watch_from_now"),
        ("billing", "0008_topups_that_ended"),
        ("usage", "0007_spend_of_day"),
    ]
    operations = [*install(SQL, "alerts_glance_1")]
