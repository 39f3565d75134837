"""Stripe's objects as ours. Since package 15 they are no dicts: an absent field raises, so `part` reads them."""

from typing import Any

from billing.gateways import Card, Dispute, FraudWarning, Page, Payment, Refund, Status

DECLINED = "Your card was declined."
_STATUS = {
    "succeeded": Status.SUCCEEDED,
    "processing": Status.PROCESSING,
    "requires_action": Status.REQUIRES_ACTION,
    "canceled": Status.CANCELED,
}


def part(source: Any, *path: str) -> Any:
    """A field of a field; None where any of them is absent, or is an id that was not expanded."""
    for name in path:
        source = getattr(source, name, None)
    return source


def id_of(value: Any) -> str | None:
    """The id in a field that may hold the whole object."""
    return value if value is None or isinstance(value, str) else str(value.id)


def as_payment(intent: Any) -> Payment:
    """From a PaymentIntent; brand, receipt and what was refunded only where `latest_charge` is expanded."""
    error, charge = part(intent, "last_payment_error"), part(intent, "latest_charge")
    status = _STATUS.get(intent.status) or (Status.FAILED if error else Status.OPEN)
    brand, last4 = _shown(part(charge, "payment_method_details") or part(error, "payment_method"))
    failure = _failure(error) if status is Status.FAILED else {}
    return Payment(
        id=intent.id, status=status, amount=intent.amount, received=intent.amount_received,
        currency=intent.currency, customer=id_of(part(intent, "customer")),
        card=id_of(part(intent, "payment_method")) or id_of(part(error, "payment_method")),
        reference=part(intent, "metadata", "topup"), installation=part(intent, "metadata", "installation"),
        **failure, action_url=_action(intent) if status is Status.REQUIRES_ACTION else "",
        receipt_url=part(charge, "receipt_url") or "", brand=brand, last4=last4,
        refunded=part(charge, "amount_refunded") or 0,
    )  # fmt: skip


def _failure(error: Any) -> dict[str, str]:
    return {
        "code": part(error, "code") or "card_declined",
        "decline_code": part(error, "decline_code") or "",
        "message": part(error, "message") or DECLINED,
    }


def _shown(details: Any) -> tuple[str, str]:
    """What a person recognises a way to pay by: `visa`, `4242`; `us_bank_account`, `6789`; `link`, nothing."""
    kind = part(details, "type") or ""
    return (part(details, kind, "brand") or kind, part(details, kind, "last4") or "") if kind else ("", "")


def _action(intent: Any) -> str:
    """Where the holder confirms: the bank's page, or Stripe's for a bank account."""
    action = part(intent, "next_action")
    url = part(action, "redirect_to_url", "url")
    return url or part(action, "verify_with_microdeposits", "hosted_verification_url") or ""


def as_card(method: Any) -> Card:
    card = method.card
    return Card(
        method.id, id_of(part(method, "customer")), card.brand, card.last4, card.exp_month, card.exp_year
    )


def as_refund(refund: Any) -> Refund:
    return Refund(
        id=refund.id, payment_id=id_of(part(refund, "payment_intent")) or "", amount=refund.amount,
        status=part(refund, "status") or "pending", reference=part(refund, "metadata", "refund"),
    )  # fmt: skip


def as_dispute(dispute: Any) -> Dispute:
    payment_id = id_of(part(dispute, "payment_intent")) or ""
    return Dispute(dispute.id, payment_id, dispute.amount, dispute.status)


def as_warning(warning: Any) -> FraudWarning:
    payment_id = id_of(part(warning, "payment_intent")) or ""
    return FraudWarning(warning.id, payment_id, part(warning, "fraud_type") or "")


def as_page(session: Any) -> Page:
    return Page(session.id, part(session, "url") or "")
