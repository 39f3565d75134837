"""The posting gate, and the triggers that keep the ledger append-only."""

from pathlib import Path

from django.db import migrations

from billing.sql import install

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("accounts", "0001_initial")]
    operations = [
        *install(
            SQL, "append_only_1", "billing_birth_1", "billing_opened_1", "billing_open_1", "billing_write_1",
            "billing_post_1", "billing_touch_1", "billing_refuse_1", "billing_hold_1", "billing_extend_1", "billing_end_hold_1", "billing_freeze_1",
        ),
        # Updated by every charge: room on the page keeps those updates off the indexes.
        migrations.RunSQL("ALTER TABLE billing_balance SET (fillfactor = 50)", migrations.RunSQL.noop),
    ]  # fmt: skip
