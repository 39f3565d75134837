"""Refusals about money, each with a sentence that tells the person what to do next."""

from django.conf import settings

from accounts.errors import AccountNotFound, Problem, TooManyRequests
from billing.money import usd


class NoBalance(AccountNotFound):
    """There is no such account, or its owner has not confirmed the email address yet."""


class AccountClosed(Problem):
    """The account is closed: its spending stays frozen. Nothing was changed; reopen it first."""

    status = 409
    code = "account_closed"
    title = "This account is closed."


class KeyReused(Problem):
    """The same key was used before for another amount or request."""

    status = 422
    code = "key_reused"
    title = "This key was used before for something else."


class NotEnough(Problem):
    """A debit by staff that the balance does not cover."""

    status = 422
    code = "not_enough"
    title = "The balance does not cover this."


class InsufficientBalance(Problem):
    """What was asked for does not fit the available balance. Nothing was charged; add funds and send it again."""

    status = 402
    code = "insufficient_balance"
    title = "The available balance does not cover this."


class SpendingFrozen(Problem):
    """Spending on this account is frozen by its owner or by staff. Nothing was charged."""

    status = 403
    code = "spending_frozen"
    title = "Spending is frozen on this account."

    def __init__(self, detail: str = "") -> None:
        """`detail`: what was not done and what to do; unless told, in the words of the API."""
        super().__init__(
            detail
            or "Nothing was started or charged. Once the freeze is lifted by whoever froze it, the account's owner or "
            "staff, send this again."
        )


class PaidBalanceRequired(Problem):
    """Renting numbers, launching campaigns and more than one call at a time need a top-up. Nothing was done."""

    status = 403
    code = "paid_balance_required"
    title = "This needs a paid balance."

    def __init__(self, detail: str = "Nothing was done.") -> None:
        """`detail`: what was not done, in a sentence; the next step is added."""
        super().__init__(
            f"{detail} Add at least {usd(settings.TOPUP_MIN)}, then try again.",
            topup_url=f"{settings.SITE_URL}/settings/billing/add-funds/",
        )


class HoldNotFound(Problem):
    """The account has no hold with this id."""

    status = 404
    code = "hold_not_found"
    title = "There is no such hold."

    def __init__(self) -> None:
        super().__init__(
            "Nothing was changed or charged. Name a hold of this account by the id (hold_…) that you got when it "
            "was made, not by its key; work without a hold is sent as usage."
        )


class HoldEnded(Problem):
    """A hold ends once: it was already captured, or already released."""

    status = 409
    code = "hold_ended"
    title = "This hold has already ended another way."

    def __init__(self, detail: str = "") -> None:
        """`detail`: what was not done and what to do; unless told, about a capture."""
        super().__init__(
            detail
            or "Nothing was recorded or charged. Its first ending stands; send work that was done after it as usage."
        )


class PaymentMethodNotFound(Problem):
    """This account has no saved card with that id. `GET /billing/v3/payment-methods` lists those it has."""

    status = 404
    code = "payment_method_not_found"
    title = "There is no such payment method."


class IdempotencyKeyReused(Problem):
    """The `Idempotency-Key` was sent before with another amount or card. Nothing was charged."""

    status = 422
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used before for something else."


class CardDeclined(Problem):
    """The bank declined the card; `decline_code` says why. Nothing was charged: try another card."""

    status = 402
    code = "card_declined"
    title = "The card was declined."


class PaymentFailed(Problem):
    """The payment did not come about for another reason than the bank's refusal. Nothing was charged."""

    status = 402
    code = "payment_failed"
    title = "The payment failed."


class TooManyTopUps(TooManyRequests):
    """More top-ups in an hour than the limit allows. Nothing was charged."""

    title = "Too many top-ups."


class CardTesting(TooManyRequests):
    """Too many declined cards within an hour: top-ups of this account rest for a day. Nothing was charged."""

    code = "card_testing"
    title = "Too many declined cards."


class PaymentsUnavailable(Problem):
    """Payments are switched off by a mistake in the configuration, or the processor is out of reach."""

    status = 503
    code = "payments_unavailable"
    title = "Payments are not available now."


class FormReused(Problem):
    """The form's top-up exists already, with another amount or card. Nothing more was charged."""

    status = 409
    code = "form_reused"
    title = "This form was sent before."


class UnsignedEvent(Problem):
    """A webhook delivery whose signature is missing, wrong or too old. It was not stored."""

    status = 400
    code = "bad_signature"
    title = "The signature does not match the body."
