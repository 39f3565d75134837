"""No two rented numbers have the same digits."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0009_many_events")]

    operations = [
        migrations.AddConstraint(
            model_name="phonenumber",
            constraint=models.UniqueConstraint(
                fields=("number",),
                name="one_live_number",
                condition=models.Q(("released_at", None), models.Q(("number", ""), _negated=True)),
            ),
        ),
    ]
