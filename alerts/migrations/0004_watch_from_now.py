"""What happened before there were alerts is no news: every open account is watched from now on."""

from django.db import migrations

WATCH = """
    INSERT INTO alerts_watched (account_id, subject, state, since)
    SELECT id, 'watch', 'on', now() FROM accounts_account WHERE opened_at IS NOT NULL
    ON CONFLICT DO NOTHING"""
KNOWN_DISPUTES = """
    INSERT INTO alerts_watched (account_id, subject, state, since)
    SELECT t.account_id, left(d.id, 40), CASE WHEN d.status IN ('won', 'lost') THEN d.status ELSE 'opened' END, d.created_at
    FROM billing_dispute d JOIN billing_topup t ON t.id = d.topup_id
    WHERE d.status <> '' AND NOT d.status LIKE 'warning\\_%'
    ON CONFLICT DO NOTHING"""


class Migration(migrations.Migration):
    dependencies = [("alerts", "0003_reader_channel"), ("billing", "0007_alone_unless_paid")]
    operations = [
        migrations.RunSQL(WATCH, migrations.RunSQL.noop),
        migrations.RunSQL(KNOWN_DISPUTES, migrations.RunSQL.noop),
    ]
