"""Why a payment failed, in the customer's words: the same on pages and in emails."""

from billing.models import TopUp

ASK_YOUR_BANK = "The bank declined this card. Please contact your bank."
NOT_FOR_THIS = "The bank does not allow this kind of payment with this card."
TYPED_WRONG = "A detail of the card was not right."
TRY_LATER = "The bank could not process the card just now. Trying again in a little while may work."
NEEDS_HOLDER = "The bank wants the card holder to confirm this payment."
SENTENCES = {
    "generic_decline": "The bank gave no reason; it can tell you more.",
    "insufficient_funds": "The bank said there are not enough funds on this card.",
    "withdrawal_count_limit_exceeded": "The bank said this card has reached its limit.",
    "card_velocity_exceeded": "This card was used too often in a short time.",
    "expired_card": "This card has expired.",
    "incorrect_cvc": "The card's security code was not right.",
    "invalid_cvc": "The card's security code was not right.",
    "duplicate_transaction": "The bank took this payment for a repeat of an earlier one.",
    "authentication_required": NEEDS_HOLDER,
    "authentication_not_handled": NEEDS_HOLDER,
    "payment_intent_authentication_failure": "The payment was not confirmed with your bank.",
    "resource_missing": "This card is no longer saved.",
    "never_arrived": "The payment service never received the payment.",
    "misconfigured": "Payments were not available because of a mistake of ours.",
    "testmode_decline": "This is a test card, and it does not work here.",
    **dict.fromkeys(("lost_card", "stolen_card", "pickup_card", "restricted_card", "fraudulent"), ASK_YOUR_BANK),
    **dict.fromkeys(("do_not_honor", "call_issuer", "no_action_taken", "security_violation"), ASK_YOUR_BANK),
    **dict.fromkeys(("do_not_try_again", "stop_payment_order", "revocation_of_authorization"), ASK_YOUR_BANK),
    **dict.fromkeys(("revocation_of_all_authorizations", "merchant_blacklist"), ASK_YOUR_BANK),
    **dict.fromkeys(("card_not_supported", "currency_not_supported", "not_permitted"), NOT_FOR_THIS),
    **dict.fromkeys(("transaction_not_allowed", "service_not_allowed", "invalid_amount"), NOT_FOR_THIS),
    **dict.fromkeys(("incorrect_number", "invalid_number", "invalid_account", "incorrect_zip"), TYPED_WRONG),
    **dict.fromkeys(("invalid_expiry_month", "invalid_expiry_year", "incorrect_address"), TYPED_WRONG),
    **dict.fromkeys(("processing_error", "issuer_not_available", "try_again_later"), TRY_LATER),
    **dict.fromkeys(("reenter_transaction", "approve_with_id"), TRY_LATER),
}  # fmt: skip


def sentence_of(topup: TopUp) -> str:
    """Why this payment failed; the processor's own message where we know no better."""
    codes = (topup.decline_code, topup.failure_code)
    return next((SENTENCES[code] for code in codes if code in SENTENCES), topup.failure_message)
