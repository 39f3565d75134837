"""Holds that need a paid balance to stand beside others, and nothing new while paid is below zero."""

from pathlib import Path

from django.db import migrations

from billing.sql import install

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_has_paid")]
    operations = [*install(SQL, "billing_may_join_1", "billing_hold_2", "billing_extend_2")]
