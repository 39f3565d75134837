"""`create_account`: a confirmed owner with funds, a card and a key, for demos, tests and first steps."""

import secrets
from argparse import ArgumentParser
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django.core.management.base import CommandError
from django.core.validators import validate_email
from django.db import transaction
from django.forms import ValidationError

from accounts import api_keys, people
from accounts.commands import JsonCommand, dollars, record_command
from accounts.models import Scope, User
from billing import gateways, grants, ledger, payment_methods, topups
from billing.money import is_whole_cents


class Command(JsonCommand):
    help = "Create an account whose owner is confirmed, and an API key with every scope."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", help="the account's name; the address's first part unless told")
        parser.add_argument("--password", help="made up unless told")
        parser.add_argument("--paid", type=dollars, help="dollars paid: a settled top-up of gateway `manual`")
        parser.add_argument("--granted", type=dollars, help="dollars granted, instead of the trial")
        parser.add_argument("--timezone", default="UTC")
        parser.add_argument("--card", help="sandbox only: a test card to save, such as pm_card_visa")

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        self._check(options)
        password = options["password"] or secrets.token_urlsafe(12)
        with transaction.atomic():
            owner = self._owner(options, password, now)
            _, key = api_keys.create(
                account=owner.account, name="Created with the account", scopes=list(Scope.values),
                created_by=owner, now=now,
            )  # fmt: skip
            record_command(
                "create account", account_id=owner.account_id, target=owner.account.public_id,
                command="create_account", paid=options["paid"], granted=options["granted"], now=now,
            )  # fmt: skip
        if options["paid"]:
            topups.record_manual(
                owner.account_id, options["paid"], actor="create_account", reason="Opening balance", now=now
            )
        result = {"account": owner.account.public_id, "user": owner.public_id, "email": owner.email}
        result |= {"password": password, "api_key": key}
        if options["card"]:
            result["payment_method_id"] = payment_methods.add_sandbox_card(
                owner.account_id, options["card"], now=now
            )
        return result

    def _owner(self, options: dict[str, Any], password: str, now: datetime) -> User:
        email, granted = options["email"], options["granted"]
        owner = people.register(
            email=email, password=password, name=options["name"] or email.partition("@")[0],
            timezone=options["timezone"], now=now,
        )  # fmt: skip
        if granted is not None:
            grants.claim(email, now)  # the trial's place is taken: it is not granted below
        people.confirm(owner, now=now)
        if granted:
            ledger.grant(
                owner.account_id,
                granted,
                key="opening",
                actor="create_account",
                reason="Opening credit",
                now=now,
            )
        return User.objects.select_related("account").get(pk=owner.pk)

    def _check(self, options: dict[str, Any]) -> None:
        try:
            validate_email(options["email"])
        except ValidationError:
            raise CommandError(f"{options['email']!r} is not an email address.") from None
        if User.objects.filter(email=options["email"].strip().lower()).exists():
            raise CommandError(f"{options['email']} already has an account.")
        if options["card"] and not gateways.is_sandbox():
            raise CommandError("--card saves a test card of the sandbox, and this installation uses Stripe.")
        if options["timezone"] not in available_timezones():
            raise CommandError(f"{options['timezone']!r} is not a time zone such as Europe/Berlin.")
        for name in ("paid", "granted"):
            amount: Decimal | None = options[name]
            if amount is not None and (amount < 0 or amount >= 10**9 or not is_whole_cents(amount)):
                raise CommandError(f"--{name} takes whole cents from 0.00, such as 25.00.")
