"""Alert rules of all accounts ask for one day of everybody. Its columns never change: updates of the roll-up stay HOT."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0006_phone_number_history")]
    operations = [
        migrations.AddIndex("dailyspend", models.Index(fields=["day", "account"], name="spend_of_day"))
    ]
