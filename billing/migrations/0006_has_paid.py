"""The question that gates renting, launching and a second call at a time."""

from pathlib import Path

from django.db import migrations

from billing.sql import install

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_payments_that_survive")]
    operations = [*install(SQL, "billing_has_paid_1")]
