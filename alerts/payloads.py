"""What webhooks say of balances, phone numbers and campaigns: the API's own answers, amounts as exact strings."""

from datetime import datetime

from alerts.webhooks import exact
from billing.selectors import Funds
from usage import campaigns_api, phone_numbers_api
from usage.models import Campaign, PhoneNumber


def balance(funds: Funds) -> dict[str, object]:
    """As `GET /billing/v3/balance?expand=exact,held,granted`, without the spending."""
    return {
        "balance": exact(funds.balance),
        "available": exact(funds.available),
        "held": exact(funds.held),
        "granted": exact(funds.granted),
        "paid": exact(funds.paid),
    }


def phone_number(row: PhoneNumber, *, now: datetime) -> dict[str, object]:
    """As in `GET /billing/v3/phone-numbers`."""
    return phone_numbers_api.shown(row.account_id, [row], now=now)[0]


def campaign(row: Campaign, *, now: datetime) -> dict[str, object]:
    """As in `GET /billing/v3/campaigns`."""
    return campaigns_api.shown(row.account_id, [row], now=now)[0]
