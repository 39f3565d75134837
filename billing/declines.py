"""Why a bank said no, in the customer's words: the same on pages and in emails."""

from billing.models import TopUp

SENTENCES = {
    "generic_decline": "The bank gave no reason; it can tell you more.",
    "insufficient_funds": "The bank said there are not enough funds on this card.",
    "lost_card": "The bank declined this card. Please contact your bank.",
    "stolen_card": "The bank declined this card. Please contact your bank.",
    "card_velocity_exceeded": "This card was used too often in a short time.",
    "expired_card": "This card has expired.",
    "incorrect_cvc": "The card's security code was not right.",
    "processing_error": "The bank could not process the card just now. Trying again in a little while may work.",
    "payment_intent_authentication_failure": "The payment was not confirmed with your bank.",
}


def sentence_of(topup: TopUp) -> str:
    """Why this payment failed; the processor's own message where we know no better."""
    codes = (topup.decline_code, topup.failure_code)
    return next((SENTENCES[code] for code in codes if code in SENTENCES), topup.failure_message)
