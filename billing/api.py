"""The API of paying: add funds with a saved card, and list the saved cards."""

from datetime import UTC, datetime
from typing import Annotated

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Header, Router
from pydantic import Field, field_validator

from accounts import ids
from accounts.answers import answer
from accounts.api import key
from accounts.bodies import Body, Number, Text
from accounts.errors import Problem
from accounts.json import timestamp
from accounts.models import Scope
from accounts.nudges import nudge
from billing import payment_methods, selectors, topup_limits, topups
from billing.errors import CardDeclined, PaymentFailed
from billing.models import PaymentMethod, TopUp
from billing.money import CENT, balance_cents
from billing.tasks import pursue_topup

router = Router(tags=["Paying"])
REPLAYED = {"Idempotent-Replayed": "true"}
HTTP_STATUS = {TopUp.Status.SUCCEEDED: 201, TopUp.Status.CANCELED: 200}  # the others: 202, or refused
TOLD_AS = {TopUp.Status.CREATED: "processing", TopUp.Status.UNKNOWN: "processing"}
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x20-\x7e]+$",
        description="1 to 255 printable ASCII characters: the same key, the same top-up",
    ),
]


class TopUpBody(Body):
    amount: Annotated[Number, Field(description="Dollars, with at most two decimals")]
    payment_method_id: Annotated[Text, Field(min_length=1, max_length=255)]

    @field_validator("amount")
    @classmethod
    def _within_limits(cls, amount: Number) -> Number:
        if refusal := topup_limits.amount_refusal(amount):
            raise ValueError(refusal)
        return amount.quantize(CENT)


@router.post(
    "/v3/topup",
    auth=key(Scope.TOPUP_WRITE, body_limit=settings.LIMIT_BODY),
    summary="Add funds with a saved card",
)
def top_up(request: HttpRequest, body: TopUpBody, idempotency_key: IdempotencyKey = None) -> HttpResponse:
    """Charge the card and credit the balance: 201 once added, 202 while the bank or the card holder must act."""
    account_id = request.caller.account_id
    payment_methods.find(account_id, body.payment_method_id)
    order = topups.Order(
        amount=body.amount, card=body.payment_method_id, origin=TopUp.Origin.API,
        actor=ids.public("key", request.caller.key_id), idempotency_key=idempotency_key,
    )  # fmt: skip
    topup, is_new = topups.begin(account_id, order, now=datetime.now(UTC))
    if is_new:
        topup = topups.pay(topup)
    if topup.status == TopUp.Status.UNKNOWN:
        nudge(pursue_topup, str(topup.id), countdown=2)
    return told(topup, headers={} if is_new else REPLAYED)


def told(topup: TopUp, *, headers: dict[str, str]) -> HttpResponse:
    """What became of a top-up, so far. Raises CardDeclined or PaymentFailed."""
    if topup.status == TopUp.Status.FAILED:
        raise failure(topup, headers)
    body: dict[str, object] = {
        "id": topup.public_id,
        "status": TOLD_AS.get(TopUp.Status(topup.status), topup.status),
        "amount": topup.received or topup.amount,
        "balance": balance_cents(selectors.balance_of(topup.account_id).balance),
        "created_at": timestamp(topup.created_at),
    }
    if topup.status == TopUp.Status.REQUIRES_ACTION:
        body["action_url"] = topups.page_url(topup)
    return answer(HTTP_STATUS.get(TopUp.Status(topup.status), 202), body, headers)


def failure(topup: TopUp, headers: dict[str, str]) -> Problem:
    said = topup.failure_message.rstrip(".") or "The payment failed"
    detail = f"{said}. Nothing was charged."
    if topup.declined_at is None:
        return PaymentFailed(detail, headers=headers, topup=topup.public_id, reason=topup.failure_code)
    decline_code = topup.decline_code or topup.failure_code
    return CardDeclined(detail, headers=headers, topup=topup.public_id, decline_code=decline_code)


@router.get("/v3/payment-methods", auth=key(Scope.TOPUP_WRITE), summary="The saved cards")
def list_payment_methods(request: HttpRequest) -> HttpResponse:
    """The default card first, then the newest."""
    cards = payment_methods.of_account(request.caller.account_id)
    return answer(200, {"payment_methods": [shown(card) for card in cards]})


def shown(card: PaymentMethod) -> dict[str, object]:
    return {
        "id": card.gateway_id, "brand": card.brand, "last4": card.last4,
        "exp_month": card.exp_month, "exp_year": card.exp_year, "default": card.is_default,
    }  # fmt: skip
