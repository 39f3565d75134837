"""What an account has, asked with a key that the same question proves."""

from pathlib import Path

from django.db import migrations

from billing.sql import install

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_many_entries")]
    operations = [*install(SQL, "billing_funds_1")]
