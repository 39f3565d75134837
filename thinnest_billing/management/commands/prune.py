"""`prune`: delete what is old enough to be forgotten; for cron, where beat does not run."""

from datetime import datetime
from typing import Any

from accounts.commands import JsonCommand
from thinnest_billing import retention


class Command(JsonCommand):
    help = (
        "Delete sent mail, delivered webhooks and ended sessions that are old enough. Never a row of money."
    )

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        return dict(retention.prune(now=now))
