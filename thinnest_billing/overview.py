"""Settings > Billing: what there is, how long it lasts, where it went. The one page that mixes all apps.

Everything about spending comes from the daily roll-up, so the page costs the same after a million charges.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import member
from accounts.models import Account
from billing import auto_topup, auto_topup_wording, selectors
from billing.auto_topup import Standing
from billing.errors import NoBalance
from billing.money import CENT
from billing.selectors import Funds
from thinnest_billing import advice
from thinnest_billing.banners import banners
from usage import calculator, periods, phone_numbers, rate_card, records, rent_history, rent_wording, reports
from usage.chart import Chart, chart
from usage.models import PhoneNumber
from usage.periods import Period
from usage.reports import Amounts, Row, Spending

DAYS = 30
LATEST = 6
MOST_AGENTS, MOST_MODELS = 8, 10
Daily = dict[date, Amounts]


@dataclass(frozen=True, slots=True)
class Month:
    """The running month, cut so that each list adds up to the same total."""

    title: str
    range: str
    total: Decimal
    categories: list[Row]
    agents: list[Row]
    models: list[Row]


@require_safe
@never_cache
@member()
def overview(request: HttpRequest) -> HttpResponse:
    account, now = request.account, timezone.now()
    funds = funds_of(account.id)
    today = periods.today(account.timezone, funds.last_day, now=now)
    thirty, month = periods.last_days(DAYS, today=today), periods.month_of(today).until(today)
    days = reports.daily(account.id, thirty)
    standing = standing_of(account.id, now=now)
    rented = list(phone_numbers.rented(account.id))
    a_day, _ = reports.pace(days, today=today, born=periods.born(account))
    context = {
        "notes": banners(account, funds, standing, rented, reader=request.user, now=now),
        "funds": funds,
        "standing": standing,
        "next_step": auto_topup_wording.next_step(standing, now=now),
        "may_save": request.user.may("owner"),
        "next_in": advice.next_in(standing, a_day),
        "advice": advice.advice(standing, a_day),
        "runway": reports.runway(funds.balance, days, today=today, born=periods.born(account)),
        "worth": calculator.worth(
            settings.TOPUP_MIN if funds.available < CENT else funds.available, rate_card.fresh(), now
        ),
        "message": (calculator.TYPICAL_INPUT, calculator.TYPICAL_OUTPUT),
        "chart": drawn(days),
        "range": told(thirty),
        "month": summed(reports.spending(account.id, month), month),
        "rows": records.page(account.id, records.Wanted(), size=LATEST).records,
        "rent": announced(account, rented, funds, now=now),
    }
    return render(request, "overview.html", context)


def funds_of(account_id: UUID) -> Funds:
    try:
        return selectors.balance_of(account_id)
    except NoBalance:  # its owner has not confirmed the email address yet
        return selectors.NOTHING


def standing_of(account_id: UUID, *, now: datetime) -> Standing:
    try:
        return auto_topup.standing(account_id, now=now)
    except NoBalance:
        return auto_topup.NEVER_OPENED


def announced(account: Account, rented: list[PhoneNumber], funds: Funds, *, now: datetime) -> str:
    """The rents of the next three days in a sentence."""
    coming = rent_history.coming(rented, funds, now=now)
    return rent_wording.announcement(coming, timezone=account.timezone, now=now) if coming else ""


def pace(account_id: UUID, now: datetime) -> Decimal:
    """Dollars a day, the mean that the runway is made of; 0 when nothing was spent."""
    account = Account.objects.get(pk=account_id)
    today = periods.today(account.timezone, funds_of(account_id).last_day, now=now)
    days = reports.daily(account_id, periods.last_days(reports.RUNWAY_DAYS + 1, today=today))
    return reports.pace(days, today=today, born=periods.born(account))[0]


def drawn(days: Daily) -> Chart | None:
    return chart(days) if any(days.values()) else None


def summed(spending: Spending, month: Period) -> Month | None:
    if not spending.by_category:
        return None
    step = reports.finest(spending.total)
    agents = reports.the_rest_as_one(spending.by_agent, most=MOST_AGENTS)
    models = reports.the_rest_as_one(spending.by_model, most=MOST_MODELS)
    return Month(
        title=f"{month.first:%B} so far",
        range=told(month),
        total=spending.total,
        categories=reports.categories(spending.by_category, step=step),
        agents=reports.largest_first(agents, step=step),
        models=reports.largest_first(models, step=step),
    )


def told(period: Period) -> str:
    """`17 February to 18 March`, `1 to 18 March`, `1 March`."""
    first, last = period.first, period.last
    if first == last:
        return f"{last.day} {last:%B}"
    start = f"{first.day}" if first.month == last.month else f"{first.day} {first:%B}"
    return f"{start} to {last.day} {last:%B}"
