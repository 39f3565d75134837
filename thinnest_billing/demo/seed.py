"""Writes the demo account: people, agents, a card, 60 days of usage and top-ups, on a moved clock, oldest first.

Repeatable: what is there stays as it is, and a seeding that was cut off goes on where it stopped.
"""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction

from accounts import people
from accounts.models import Account, User
from alerts import rules
from billing import auto_charge, auto_topup, gateways, installation, payment_methods, selectors, topups
from billing.auto_topup import Wish
from billing.models import BillingDetails, Mode, TopUp
from thinnest_billing.demo import credentials, history, watching
from thinnest_billing.demo.credentials import Credentials
from thinnest_billing.demo.history import AMOUNT, THRESHOLD, Funded, Rented, ToppedUp, Used
from thinnest_billing.demo.work import AGENTS
from thinnest_billing.models import Heartbeat
from usage import agents, campaigns, flags, metering, phone_numbers, rate_card
from usage.campaigns import Plan
from usage.metering import Source
from usage.models import Agent, Campaign, Charge

EMAIL, STAFF_EMAIL = "demo@example.com", "staff@example.com"
NAME = "Fjord & Pine Outfitters"
CARD = "pm_card_visa"
PRINTED = {  # on the receipts
    "name": f"{NAME} AS", "address": "1 Fjord Lane\n5003 Bergen\nNorway", "tax_id": "NO 998 877 665 MVA"
}  # fmt: skip
MONTHLY_LIMIT = Decimal(200)  # dollars, of auto-topup
DAYS = timedelta(days=60)
QUESTION = "This call is the longest by far. Did the customer really stay on the line that long?"
CALLER = "Sales Assistant"  # of the campaigns
DONE = "seed_demo"  # the heartbeat that says the history is complete


def refusal() -> str:
    """Why there must be no demo account here, among other people's accounts and real money."""
    host = urlsplit(settings.SITE_URL).hostname
    if host not in ("127.0.0.1", "localhost", "::1"):
        return f"The demo account is for a trial on this machine only, and SITE_URL is {settings.SITE_URL}."
    if gateways.mode() != Mode.SANDBOX or installation.mismatch():
        return "The demo account pays in the sandbox only, and this installation uses Stripe."
    is_strangers = User.objects.exists() and not User.objects.filter(email=EMAIL).exists()
    if is_strangers and not credentials.is_own_database():
        return "The demo account needs an empty database or the trial's own, and DATABASE_URL names another."
    return ""


def seed(*, now: datetime, file: Path) -> Credentials:
    owner, staff = demo_owner(now=now), demo_staff(now=now)
    account = Account.objects.get(members=owner)
    card = demo_card(account.id, now=owner.created_at)
    BillingDetails.objects.get_or_create(account=account, defaults=PRINTED)
    known = credentials.keep(account, owner, staff, card=card, file=file, now=now)
    if not Heartbeat.objects.filter(name=DONE).exists():
        name_agents(account.id, now=owner.created_at)
        plan = history.plan(rate_card.fresh(), since=owner.created_at, until=now, trial=settings.TRIAL_GRANT)
        live(account.id, plan, source=Source(credentials.key_id(known.platform_key)), card=card)
        ask_about_a_call(owner, now=now)
        Heartbeat.beat(DONE, now=now)
    plan_campaigns(account.id, now=now)
    return known


def demo_owner(*, now: datetime) -> User:
    """Signed up 60 days ago, early in the morning."""
    found = User.objects.filter(email=EMAIL).first()
    since = (now - DAYS).replace(hour=8, minute=47, second=12, microsecond=0)
    return found or people.create_owner(
        email=EMAIL, password=secrets.token_urlsafe(), name=NAME, timezone="UTC", now=since
    )


def demo_staff(*, now: datetime) -> User:
    found = User.objects.filter(email=STAFF_EMAIL).first()
    return found or User.objects.create_superuser(STAFF_EMAIL, created_at=now)


def demo_card(account_id: UUID, *, now: datetime) -> str:
    found = payment_methods.of_account(account_id).first()
    return found.gateway_id if found else payment_methods.add_sandbox_card(account_id, CARD, now=now)


def name_agents(account_id: UUID, *, now: datetime) -> None:
    """On the day of the sign-up, each with its own model; otherwise the first event would make them today."""
    for agent in AGENTS:
        facts = {"name": agent.name, "model": agent.talks[0].model, "created_at": now}
        Agent.objects.get_or_create(
            account_id=account_id, name_key=agents.name_key(agent.name), defaults=facts
        )


def live(
    account_id: UUID, plan: Iterable[Used | Funded | ToppedUp | Rented], *, source: Source, card: str
) -> None:
    """Live through the plan. One transaction a day: in a single one the balance's row would drag all its versions."""
    for _, steps in groupby(plan, key=lambda step: (type(step), step.at.date())):
        day = list(steps)
        with transaction.atomic():
            for used in day:
                if isinstance(used, Used):
                    use(account_id, used, source=source)
        for step in day:  # a top-up commits its row before the processor is asked
            if isinstance(step, Funded):
                add_funds(account_id, step, card=card)
                turn_on(account_id, card=card, now=step.at)
                watching.add_rules(account_id, now=step.at)
            elif isinstance(step, ToppedUp):
                auto_charge.attempt(account_id, now=step.at)
            elif isinstance(step, Rented):
                rent_number(account_id, step)
        rules.evaluate_rules(account_id, now=day[-1].at)


def use(account_id: UUID, used: Used, *, source: Source) -> None:
    outcome = metering.record(account_id, used.event, source=source, now=used.at)
    if not outcome.is_recorded:
        raise RuntimeError(f"{used.event.event_id} was not recorded: {outcome.status}")


def add_funds(account_id: UUID, funded: Funded, *, card: str) -> None:
    """The owner on the Add Funds page, with the saved card."""
    order = topups.Order(
        amount=funded.amount, origin=TopUp.Origin.PAGE, actor=EMAIL, card=card,
        topup_id=uuid5(account_id, "demo first"),
    )  # fmt: skip
    topup, _ = topups.begin(account_id, order, now=funded.at)
    if topup.is_open:
        topups.pay(topup, now=funded.at)


def turn_on(account_id: UUID, *, card: str, now: datetime) -> None:
    """The owner on the page of auto-topup, once."""
    if auto_topup.of(account_id) is None:
        wish = Wish(enabled=True, threshold=THRESHOLD, amount=AMOUNT, card=card, monthly_limit=MONTHLY_LIMIT)
        auto_charge.save(account_id, wish, actor=EMAIL, now=now)


def rent_number(account_id: UUID, rented: Rented) -> None:
    """Once: the number's id is made of its digits."""
    number = phone_numbers.rent(
        account_id, agent=agents.reference(rented.agent), actor=EMAIL, now=rented.at,
        number_id=uuid5(account_id, rented.digits),
    )  # fmt: skip
    phone_numbers.provision(number, rented.digits)


def ask_about_a_call(owner: User, *, now: datetime) -> None:
    """One open flag, on the longest call so far: staff answer it in the admin."""
    assert owner.account_id is not None, "the demo's own"
    calls = Charge.objects.filter(account_id=owner.account_id, type="voice", answered=True, reverses=None)
    longest = calls.order_by("-seconds", "recorded_at").first()
    if longest is not None:
        flags.flag(owner.account_id, longest, by=owner, text=QUESTION, now=now)


def plan_campaigns(account_id: UUID, *, now: datetime) -> None:
    """One that runs, so that the simulator places its calls, and a draft to launch; where there is none yet."""
    may_launch = selectors.has_paid_balance(account_id) and not selectors.balance_of(account_id).frozen
    if not may_launch or Campaign.objects.filter(account_id=account_id).exists():
        return
    caller = agents.find(account_id, agents.reference(CALLER))
    running = campaigns.create(account_id, Plan("Spring catalogue follow-up", caller, 120, 45), now=now)
    campaigns.launch(running, actor=EMAIL, now=now)
    campaigns.create(account_id, Plan("Cart reminders", caller, 200, 72), now=now)
