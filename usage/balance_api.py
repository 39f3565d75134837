"""GET /billing/v3/balance: what there is, and what was spent in a period. The body exactly as promised."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from accounts.answers import answer
from accounts.api import account_of, existing_account, key
from accounts.models import Scope
from billing import selectors
from billing.money import balance_cents, cut_to_cents, spent_cents
from billing.selectors import Funds
from usage import periods, questions, reports

router = Router(tags=["Seeing"])
Body = dict[str, object]
EXPAND = ("exact", "by_model", "daily", "held", "granted", "timezone")


@router.get("/v3/balance", auth=key(Scope.BALANCE_READ), summary="The balance, and what was spent")
def balance(
    request: HttpRequest,
    period: Annotated[
        str, Query(description="day, month or year of today; or 2026-03-05, 2026-03, 2026")
    ] = "month",
    expand: Annotated[str, Query(description="Any of " + ", ".join(EXPAND))] = "",
    account: str | None = None,
) -> HttpResponse:
    """`breakdown` and `by_agent` each add up to `total_spent`. `balance` is always the current one."""
    account_id = account_of(request, account)
    timezone = request.caller.timezone or existing_account(account_id).timezone
    funds = selectors.balance_of(account_id)
    questions.only(request, "period", "expand", "account")
    asked = questions.words("expand", expand, allowed=EXPAND)
    today = periods.today(timezone, funds.last_day, now=datetime.now(UTC))
    which = periods.resolve(period, today=today)
    spending = reports.spending(account_id, which)
    body: Body = {
        "period": which.name,
        "total_spent": spent_cents(spending.total),
        "balance": balance_cents(funds.balance),
        "breakdown": cut_to_cents(
            (slug, spending.by_category.get(slug, Decimal(0))) for slug in reports.CATEGORIES
        ),
        "by_agent": _listed("agent", spending.by_agent),
    }
    if "daily" in asked:
        body["daily"] = _daily(account_id, which.until(today))
    return answer(200, body | _expanded(asked, spending, funds, timezone))


def _expanded(asked: set[str], spending: reports.Spending, funds: Funds, timezone: str) -> Body:
    body: Body = {}
    if "exact" in asked:
        body |= {"total_spent_exact": f"{spending.total:.9f}", "balance_exact": f"{funds.balance:.9f}"}
    if "by_model" in asked:
        body["by_model"] = _listed("model", spending.by_model)
    if "held" in asked:
        body |= {"held": spent_cents(funds.held), "available": balance_cents(funds.available)}
    if "granted" in asked:
        granted = balance_cents(funds.granted)
        body |= {"granted": granted, "paid": balance_cents(funds.balance) - granted}
    if "timezone" in asked:
        body["timezone"] = timezone
    return body


def _listed(name: str, amounts: reports.Amounts) -> list[Body]:
    return [{name: row.name, "spent": row.total} for row in reports.largest_first(amounts)]


def _daily(account_id: UUID, period: periods.Period) -> list[Body]:
    days = reports.daily(account_id, period)
    cut = cut_to_cents((day.isoformat(), sum(spent.values(), Decimal(0))) for day, spent in days.items())
    return [{"day": day, "spent": spent} for day, spent in cut.items()]
