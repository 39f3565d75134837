"""Which emails a member chose, and since when they are signed out everywhere."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_staff_acts_append_only"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="emails",
            field=models.CharField(
                blank=True,
                choices=[("all", "Everything"), ("important", "What matters"), ("none", "Nothing")],
                db_default="",
                default="",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="signed_out_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
