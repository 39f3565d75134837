"""Whether optional email reaches a member is decided in accounts, beside their other emails."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def move(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    gone = apps.get_model("alerts", "Reader").objects.exclude(unsubscribed_at=None)
    users = apps.get_model("accounts", "User").objects.filter(pk__in=gone.values("user_id"))
    users.filter(role__in=("owner", "admin")).update(emails="important")


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0005_glance"),
        ("accounts", "0006_emails_and_signing_out_everywhere"),
    ]

    operations = [
        migrations.RunPython(move, migrations.RunPython.noop),
        migrations.RemoveField(model_name="reader", name="unsubscribed_at"),
    ]
