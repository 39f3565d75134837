"""Nothing new while paid is below zero, not even what costs nothing."""

from pathlib import Path

from django.db import migrations

from billing.sql import install

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("usage", "0003_campaign_phonenumber"), ("billing", "0002_gate")]
    operations = [*install(SQL, "usage_record_2")]
