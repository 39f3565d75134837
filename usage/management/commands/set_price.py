"""`set_price`: a meter's rate from a moment on. Charges of before keep the rate they used."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from accounts.commands import JsonCommand, dollars, moment
from usage import staff


class Command(JsonCommand):
    help = "Add a price: dollars per 1M tokens, minute, query, page, chunk or 30 days."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--meter", required=True, help="such as gpt-4o.input")
        parser.add_argument("--rate", required=True, type=dollars)
        parser.add_argument("--from", dest="effective_from", type=moment, help="now unless told")

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        since = options["effective_from"] or now
        price = staff.set_price(
            options["meter"], rate=options["rate"], effective_from=since, staff=None, actor="set_price",
            reason="", now=now,
        )  # fmt: skip
        return {"meter": price.meter, "rate": price.rate, "effective_from": price.effective_from.isoformat()}
