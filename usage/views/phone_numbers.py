"""Phone numbers: the list with the state of each, one number with its rents, renting and releasing."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import member
from accounts.errors import Problem
from billing import selectors
from billing.errors import NoBalance
from billing.money import ZERO
from billing.selectors import Funds
from billing.views import form_page, see_other
from usage import periods, phone_numbers, rent_history, rent_wording, rents
from usage.models import Agent, PhoneNumber
from usage.periods import Period
from usage.phone_numbers import NumberNotFound
from usage.rent_form import RentForm
from usage.rent_wording import Told
from usage.running import Run

PER_PAGE = 50
RENTS = 24  # on the page of a number: two years
SET_UP_WITHIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Line:
    """A number in the list; `spent` is its rent of this month."""

    number: PhoneNumber
    run: Run
    spent: Decimal


@require_safe
@never_cache
@member()
def phone_number_list(request: HttpRequest) -> HttpResponse:
    account_id, now, funds = request.account.id, timezone.now(), funds_of(request)
    month = month_of(request, funds, now=now)
    rows = list(phone_numbers.rented(account_id).select_related("agent"))
    spent = rent_history.spent(account_id, month) if rows else {}
    lines = [Line(row, shown(row, funds, now=now), spent.get(row.id, ZERO)) for row in rows]
    page = Paginator(lines, PER_PAGE).get_page(request.GET.get("page", ""))
    told = rent_wording.of_numbers((line.run for line in lines), timezone=request.account.timezone, now=now)
    released = PhoneNumber.objects.filter(account_id=account_id, released_at__isnull=False)
    context = {
        "lines": page,
        "month": f"{month.first:%B}",
        "released": released.order_by("-released_at")[:PER_PAGE],
        "price": rents.price_at(now),
        "notes": notes(request, told),
        "may_rent": request.user.may("admin"),
        "newer": f"?page={page.previous_page_number()}" if page.has_previous() else "",
        "older": f"?page={page.next_page_number()}" if page.has_next() else "",
        "pages": f"{PER_PAGE} a page, newest first",
    }
    return render(request, "usage/phone_numbers.html", context)


@require_safe
@never_cache
@member()
def phone_number(request: HttpRequest, public_id: str) -> HttpResponse:
    row, now, funds = mine(request, public_id), timezone.now(), funds_of(request)
    run = shown(row, funds, now=now)
    told = rent_wording.of_number(row, run, timezone=request.account.timezone, now=now)
    context = {
        "number": row,
        "run": run,
        "rents": rent_history.history(row)[:RENTS],
        "most": RENTS,
        "period": rents.PERIOD,
        "price": rents.price_at(now),
        "is_unpaid": row.paid_until <= now,
        "is_late": not (row.number or row.released_at) and now - row.rented_at > SET_UP_WITHIN,
        "is_frozen": funds.frozen,
        "notes": notes(request, [told] if told else []),
        "may_release": request.user.may("owner"),
    }
    return render(request, "usage/phone_number.html", context)


@form_page
@never_cache
@member(role="admin")
def rent_number(request: HttpRequest) -> HttpResponse:
    agents = Agent.objects.filter(account=request.account).order_by("name_key")
    if request.method != "POST":
        return rent_page(request, RentForm(agents=agents))
    form = RentForm(request.POST, agents=agents)
    row = rented(request, form) if form.is_valid() else None
    if row is None:
        return rent_page(request, form)
    messages.success(request, "The number is rented. Its digits appear here once it is set up.")
    return see_other(url(row))


def rented(request: HttpRequest, form: RentForm) -> PhoneNumber | None:
    """The number of a sent form; None when the form says why not."""
    try:
        return phone_numbers.rent(
            request.account.id, agent=form.chosen, actor=request.user.public_id, now=timezone.now(),
            number_id=form.cleaned_data["id"],
        )  # fmt: skip
    except Problem as refused:
        form.add_error(None, refused.detail)
        return None


def rent_page(request: HttpRequest, form: RentForm) -> HttpResponse:
    now, funds = timezone.now(), funds_of(request)
    price = rents.price_at(now)
    context = {
        "form": form,
        "price": price,
        "funds": funds,
        "left": funds.available - price,
        "next_at": now + rents.PERIOD,
        "has_paid": selectors.has_paid_balance(request.account.id),
        "grace": rents.GRACE.days,
    }
    return render(request, "usage/rent_number.html", context)


@form_page
@never_cache
@member(role="owner")
def release_number(request: HttpRequest, public_id: str) -> HttpResponse:
    row = mine(request, public_id)
    if request.method != "POST" and row.released_at is None:
        return render(
            request, "usage/release_number.html", {"number": row, "price": rents.price_at(timezone.now())}
        )
    if request.method == "POST":
        phone_numbers.release(request.account.id, row.id, actor=request.user.public_id, now=timezone.now())
        messages.success(request, f"{name(row)} is released. It takes no calls and costs no more rent.")
    return see_other(url(row))


# --- What the pages share -------------------------------------------------------------------------------------


def mine(request: HttpRequest, public_id: str) -> PhoneNumber:
    try:
        return phone_numbers.find(request.account.id, public_id)
    except NumberNotFound:
        raise Http404 from None


def url(row: PhoneNumber) -> str:
    return reverse("phone_number", args=[row.public_id])


def name(row: PhoneNumber) -> str:
    return row.number or "The number that was being set up"


def shown(row: PhoneNumber, funds: Funds, *, now: datetime) -> Run:
    return phone_numbers.shown_as(row, phone_numbers.state_of(row, funds, now=now))


def funds_of(request: HttpRequest) -> Funds:
    try:
        return selectors.balance_of(request.account.id)
    except NoBalance:  # its owner has not confirmed the email address yet
        return selectors.NOTHING


def month_of(request: HttpRequest, funds: Funds, *, now: datetime) -> Period:
    today = periods.today(request.account.timezone, funds.last_day, now=now)
    return periods.month_of(today).until(today)


def notes(request: HttpRequest, told: Iterable[Told]) -> list[dict[str, str]]:
    """With the next step for those who may take it."""
    step = {"cta": "Add funds", "href": reverse("add_funds")} if request.user.may("admin") else {}
    return [asdict(one) | step for one in told]
