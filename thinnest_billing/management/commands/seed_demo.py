"""`seed_demo`: a demo account with 60 days of believable usage, for trials. Does nothing where it is there."""

from argparse import ArgumentParser
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from accounts.commands import JsonCommand
from thinnest_billing.demo import credentials, seed


class Command(JsonCommand):
    help = "Make the demo account with 60 days of usage, once, and print its sign-in and keys."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--file", type=Path, help="where sign-in and keys are kept; the trial's data folder unless told"
        )

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        if reason := seed.refusal():
            raise CommandError(reason)
        return asdict(seed.seed(now=now, file=options["file"] or credentials.default_file()))
