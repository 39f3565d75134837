"""When its owner last let a campaign go on, so that the platform knows which calls are not due any more."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("usage", "0004_nothing_new_below_zero")]

    operations: ClassVar = [
        migrations.AddField("campaign", "resumed_at", models.DateTimeField(null=True)),
    ]
