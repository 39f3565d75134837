"""Who released a phone number, and an index to find its rents among millions of charges."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("usage", "0005_campaign_resumed_at")]
    operations = [
        migrations.AddField(
            "phonenumber",
            "released_by",
            models.CharField(blank=True, default="", max_length=120),
            preserve_default=False,
        ),
        migrations.AddIndex(
            "charge",
            models.Index(
                fields=["account", "-recorded_at"], name="charge_of_number", condition=Q(type="number")
            ),
        ),
    ]
