"""`sweep`: one pass over everything that may be waiting; for cron, beside or instead of beat."""

import sys
from datetime import datetime
from typing import Any

from accounts.commands import JsonCommand
from thinnest_billing import sweeping


class Command(JsonCommand):
    help = "Pick up whatever a lost nudge left behind. Exit code 1 where a step failed (the log says why)."

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        self.failed = sweeping.sweep(now=now)
        return {"steps": len(sweeping.STEPS), "failed": self.failed}

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if self.failed:
            sys.exit(1)
