"""The metering functions, append-only triggers, and the first rate card."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from django.db import migrations

from accounts.ids import uuid7
from billing.sql import install

SQL = Path(__file__).parent.parent / "sql"
FROM = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = {  # dollars per 1,000,000 tokens: input, output
    "gpt-4o": ("2.50", "10.00"),
    "gpt-4o-mini": ("0.15", "0.60"),
    "gpt-4-turbo": ("10.00", "30.00"),
    "claude-3.5-sonnet": ("3.00", "15.00"),
    "claude-3-haiku": ("0.25", "1.25"),
    "gemini-1.5-pro": ("1.25", "5.00"),
    "gemini-1.5-flash": ("0.075", "0.30"),
}
OTHERS = {
    "retrieval.query": "0.002",
    "voice.minute": "0.10",
    "number.period": "2.00",
    "knowledge.page": "0.01",
    "knowledge.chunk": "0.002",
}


def first_card(apps, schema_editor):
    RateCard, Price = apps.get_model("usage", "RateCard"), apps.get_model("usage", "Price")
    RateCard.objects.get_or_create(id=1)
    rates = dict(OTHERS)
    for model, (of_input, of_output) in MODELS.items():
        rates |= {f"{model}.input": of_input, f"{model}.output": of_output}
    Price.objects.bulk_create(
        Price(
            id=uuid7(),
            meter=meter,
            rate=Decimal(rate),
            effective_from=FROM,
            created_at=FROM,
            actor="first card",
        )
        for meter, rate in rates.items()
    )


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_initial"), ("billing", "0002_gate")]
    operations = [
        *install(
            SQL, "append_only_1", "usage_card_changed_1", "usage_agent_1", "usage_daily_1", "usage_record_1",
            "usage_reverse_1",
        ),
        migrations.RunSQL("ALTER TABLE usage_dailyspend SET (fillfactor = 70)", migrations.RunSQL.noop),
        migrations.RunPython(first_card, migrations.RunPython.noop),
    ]  # fmt: skip
