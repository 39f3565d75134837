"""The look-up of API keys."""

from pathlib import Path

from django.db import migrations

from accounts.sql import install


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = install(Path(__file__).parent.parent / "sql", "accounts_key_1")
