"""The statement that records usage proves that its key is live: no question about the key alone."""

from pathlib import Path

from django.db import migrations

from billing.sql import install

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("usage", "0010_one_live_number"), ("accounts", "0004_invitations_and_staff_acts")]
    operations = [*install(SQL, "usage_record_3")]
