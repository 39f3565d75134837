"""What ended lately is asked for every minute, of all accounts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_alone_unless_paid")]
    operations = [
        migrations.AddIndex(
            "topup",
            models.Index(fields=["ended_at"], name="topup_ended", condition=models.Q(ended_at__isnull=False)),
        ),
    ]
