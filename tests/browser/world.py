"""The people whose pages the gates look at: one with everything, her colleague, a newcomer, one who ran out, and one
whose bank wants a payment confirmed."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from accounts import invitations
from accounts.models import User
from alerts import rule_wishes, rules
from alerts.models import Rule
from alerts.telling import tell
from billing import auto_charge, disputes, gateways, holds, ledger, payment_methods, refunds, topups
from billing.auto_topup import Wish
from billing.models import BillingDetails, Refund, TopUp
from tests import factories
from tests.usage import events
from usage import agents, campaigns, flags, metering, phone_numbers
from usage.campaigns import Plan
from usage.models import Agent, Campaign, Charge

DAY = timedelta(days=1)
SUPPORT, SALES, LONG = map(
    agents.reference,
    ("Customer Support", "Sales", "Überseehandelskundenbetreuung für Großkunden rund um die Uhr"),
)

LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


def populate() -> dict[str, User]:
    """By name. Times are real ones, for the pages ask the real clock."""
    now = timezone.now()
    ada = factories.owner(now=now - 45 * DAY)
    bo = factories.member(ada.account, email="bo@example.com", now=now - 44 * DAY)
    live(ada, now=now)
    choose_models(ada)
    rent_numbers(ada, now=now)
    tell_all(ada, now=now)
    watch(ada, now=now)
    plan_campaigns(ada, now=now)
    invitations.invite(f"{LONG_WORD[:60].lower()}@example.com".replace("ä", "ae"), "admin", by=ada, now=now)
    ask_about_charges(ada, bo, now=now)
    cy = factories.owner("cy@example.net", name="Cy's shop", timezone="America/New_York", now=now)
    di = factories.owner("di@example.org", name="Di's desk", now=now - 3 * DAY)
    run_out(di, now=now)
    stop_campaign(di, now=now)
    ed = factories.owner("ed@example.org", name="Ed's estate", timezone="Asia/Kolkata", now=now - 2 * DAY)
    asks = payment_methods.add_sandbox_card(ed.account_id, "pm_card_authenticationRequired", now=now - DAY)
    turn_on(ed, asks, threshold=Decimal(5), now=now)
    fay = factories.owner("fay@example.org", name="Fay's fables", now=now - 2 * DAY)
    pay_back(fay, now=now)
    ledger.freeze(fay.account_id, by="owner", frozen=True, now=now)
    return {"ada": ada, "bo": bo, "cy": cy, "di": di, "ed": ed, "fay": fay}


def live(ada: User, *, now: datetime) -> None:
    """Cards and every outcome of a top-up, forty days of usage in all categories, and something held."""
    account_id, start = ada.account_id, now - 41 * DAY
    cards = {
        token: payment_methods.add_sandbox_card(account_id, token, now=start)
        for token in ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")
    }
    visa, declines, _ = cards.values()
    BillingDetails.objects.create(
        account=ada.account, name="Ada & Söhne", address="1 Main Street\nOslo", tax_id="NO 1"
    )
    for hours, card in enumerate(cards.values()):
        add_funds(ada, card, now=start + timedelta(hours=hours))
    turn_on(ada, declines, now=start + timedelta(hours=3))
    for day in range(40, 0, -1):
        at = now - day * DAY
        use(account_id, f"ada-{day}", number=day, now=at)
        automatic = auto_charge.attempt(account_id, now=at)
        if automatic and automatic.status == TopUp.Status.FAILED:
            add_funds(ada, visa, Decimal(5), now=at)
            turn_on(ada, visa, now=at)
    use(account_id, "ada-now", number=41, now=now)
    holds.hold(
        account_id, key="call", request_hash=b"call", amount=Decimal("1.5"), purpose="call",
        terms={}, lifetime=DAY, now=now,
    )  # fmt: skip


def rent_numbers(ada: User, *, now: datetime) -> None:
    """In service, due soon, in grace, suspended, being set up, and released. No sweep has come by for weeks."""
    add_funds(ada, payment_methods.of_account(ada.account_id)[0].gateway_id, now=now)
    for days, agent in ((5, SUPPORT), (28, SALES), (33, agents.NOBODY), (38, LONG), (10, SUPPORT), (1, LONG)):
        row = phone_numbers.rent(ada.account_id, agent=agent, actor=ada.public_id, now=now - days * DAY)
        if days != 1:
            phone_numbers.provision(row, f"+120255501{days:02}")
        if days == 10:
            phone_numbers.release(ada.account_id, row.id, actor=ada.public_id, now=now)


def tell_all(ada: User, *, now: datetime) -> None:
    """A page and more of the inbox, every level, one without a page of its own and one too long for its line."""
    for number in range(24):
        title = f"Daily spend is above ${number + 1}.00"
        say = {
            "kind": "rule",
            "level": "info",
            "title": title,
            "body": "It was $0.50 on a mean day of last week.",
        }
        tell(ada.account_id, key=f"rule:{number}", optional=True, now=now - (30 - number) * DAY, **say)
    for level in ("good", "warn", "bad"):
        tell(
            ada.account_id, key=level, kind="facts", level=level, title=f"{LONG_WORD}: {level} news",
            body=f"{LONG_WORD} {level}. Nothing is deleted. Everything resumes as soon as you add funds.",
            href="/settings/billing/add-funds/", now=now,
        )  # fmt: skip


def watch(ada: User, *, now: datetime) -> None:
    """An alert rule of every kind beside the one of her first day, one of a long name; some have told at once."""
    support, long_one = (agents.find(ada.account_id, agent) for agent in (SUPPORT, LONG))
    for kind, amount, agent_id in (
        (Rule.Kind.DAILY_SPEND, "500.00", None),
        (Rule.Kind.AGENT_DAILY_SPEND, "0.01", support),
        (Rule.Kind.AGENT_DAILY_SPEND, "0.01", long_one),
        (Rule.Kind.MONTHLY_SPEND, "100.00", None),
        (Rule.Kind.BALANCE_BELOW, "1000.00", None),
    ):
        wish = rule_wishes.Wish(kind, Decimal(amount), agent_id=agent_id)
        rules.add(ada.account_id, wish, now=now)


def plan_campaigns(ada: User, *, now: datetime) -> None:
    """One in every state that does not need an empty balance, and names as long as they may be."""
    callers = [agents.resolve(ada.account_id, agent) for agent in (SALES, LONG)]
    for number, name in enumerate(("Running", "Stopped", "Over", "Later", f"{LONG_WORD}")):
        at = now + DAY if name == "Later" else None
        plan = Plan(name, callers[number % 2], 200, 72, at)
        row = campaigns.create(ada.account_id, plan, now=now - DAY + number * timedelta(hours=1))
        if number < 4:
            campaigns.launch(row, actor=ada.public_id, now=now - timedelta(hours=1))
        if name == "Stopped":
            campaigns.pause(row, now=now)
        elif name == "Over":
            campaigns.finish(row, now=now)
    campaigns.create(ada.account_id, Plan("x" * 80, None, 1_000_000, 86_400), now=now)


def ask_about_charges(ada: User, bo: User, *, now: datetime) -> None:
    """An open flag, one that was explained, and one whose charge was given back."""
    staff = User.objects.create_superuser("eve@example.com", factories.PASSWORD)
    for outcome in ("open", "explained", "reversed"):
        event = events.chat(f"ada-{outcome}", agent=SUPPORT)
        charge = Charge.objects.get(pk=metering.record(ada.account_id, event, now=now).charge_id)
        asked = flags.flag(ada.account_id, charge, by=bo, text=f"{LONG_WORD}?", now=now)
        if outcome != "open":
            flags.answer(asked, staff=staff, outcome=outcome, text=f"{LONG_WORD}.", now=now)


def stop_campaign(di: User, *, now: datetime) -> None:
    """Launched while she had a paid balance; paused since it is out. And a draft that she cannot launch."""
    row = campaigns.create(di.account_id, Plan("Autumn reminders", None, 1, 60), now=now - 2 * DAY)
    Campaign.objects.filter(pk=row.pk).update(launched_at=now - 2 * DAY)
    campaigns.create(di.account_id, Plan("Winter reminders", None, 10, 60), now=now)


def choose_models(ada: User) -> None:
    """Of two of her agents; the third has none yet."""
    for agent, model in ((SUPPORT, "gpt-4o"), (LONG, "claude-3.5-sonnet")):
        Agent.objects.filter(account_id=ada.account_id, name_key=agent.key).update(model=model)


def turn_on(owner: User, card: str, *, threshold: Decimal = Decimal(25), now: datetime) -> None:
    wish = Wish(enabled=True, threshold=threshold, amount=Decimal(25), card=card, monthly_limit=Decimal(200))
    auto_charge.save(owner.account_id, wish, actor=owner.public_id, now=now)


def add_funds(ada: User, card: str, amount: Decimal = Decimal(25), *, now: datetime) -> None:
    order = topups.Order(amount=amount, origin=TopUp.Origin.PAGE, actor=ada.email, card=card)
    topup, _ = topups.begin(ada.account_id, order, now=now)
    topups.pay(topup, now=now)


def use(account_id: UUID, name: str, *, number: int, now: datetime) -> None:
    """A day's work, each time a little different."""
    work = [
        events.chat(f"{name}-chat", "gpt-4o", 40_000 + 1_000 * number, 9_000, agent=SUPPORT),
        events.chat(f"{name}-small", agent=LONG),
        events.voice(f"{name}-call", 60 + 5 * number, agent=SALES),
    ]
    if number % 4 == 0:
        work.append(events.pages(f"{name}-pages", 12))
    for event in work:
        assert metering.record(account_id, event, now=now).is_recorded


def run_out(di: User, *, now: datetime) -> None:
    """Auto-topup lost its card; then the whole trial on one long call, and one message more that did not fit."""
    gone = payment_methods.add_sandbox_card(di.account_id, "pm_card_amex", now=now - 2 * DAY)
    turn_on(di, gone, threshold=Decimal("0.50"), now=now - 2 * DAY)
    payment_methods.remove(di.account_id, gone, now=now - DAY)
    payment_methods.add_sandbox_card(di.account_id, "pm_card_mastercard", now=now - DAY)
    assert metering.record(di.account_id, events.voice("di-call", 600), now=now - DAY).is_recorded
    assert metering.record(di.account_id, events.chat("di-chat"), now=now).status == "short"


def pay_back(fay: User, *, now: datetime) -> None:
    """A top-up that she may still take back, one refunded in part, one that failed to be, and one in dispute."""
    visa = payment_methods.add_sandbox_card(fay.account_id, "pm_card_visa", now=now - DAY)
    for amount in (45, 40, 30, 25):
        add_funds(fay, visa, Decimal(amount), now=now)
    _, disputed, failed, part = TopUp.objects.filter(account_id=fay.account_id).order_by("-amount")
    staff = {"origin": Refund.Origin.STAFF, "actor": "staff", "reason": "Ticket 7", "now": now}
    refunds.refund(part, Decimal(10), **staff)
    refunds.reject(refunds.begin(failed, Decimal(30), **staff)[0], "The card is closed.", now=now)
    opened = gateways.Dispute("du_fay", disputed.payment_id or "", 4000, "needs_response")
    disputes.record(opened, disputed, now=now)
    turn_on(fay, visa, now=now)
