"""Accounts born before there were alerts get the rule that new ones begin with. Once: who removes it stays without."""

from datetime import UTC, datetime

from django.conf import settings
from django.db import migrations

from accounts.ids import uuid7


def first_rules(apps, schema_editor):
    Account, Rule = apps.get_model("accounts", "Account"), apps.get_model("alerts", "Rule")
    open_ones = Account.objects.filter(opened_at__isnull=False, closed_at=None)
    Rule.objects.bulk_create(
        (
            Rule(
                id=uuid7(), account=account, kind="balance_below", amount=settings.FIRST_ALERT_BELOW,
                channel="both", created_at=datetime.now(UTC),
            )
            for account in open_ones.exclude(pk__in=Rule.objects.values("account_id"))
        ),
        batch_size=1_000,
    )  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial")]
    operations = [migrations.RunPython(first_rules, migrations.RunPython.noop)]
