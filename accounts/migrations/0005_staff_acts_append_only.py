"""What staff did is never changed; reasons are as long as those of the ledger."""

from pathlib import Path

from django.db import migrations, models

from accounts.sql import install


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_invitations_and_staff_acts")]
    operations = [
        migrations.AlterField("StaffAct", "reason", field=models.CharField(blank=True, max_length=400)),
        *install(Path(__file__).parent.parent / "sql", "staff_acts_append_only_1"),
    ]
