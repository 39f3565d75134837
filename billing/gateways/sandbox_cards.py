"""Stripe's test cards (docs.stripe.com/testing), by number and by token, and how each behaves."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from billing.gateways import Rejected

DECLINED = "Your card was declined."
NO_FUNDS = "Your card has insufficient funds."


@dataclass(frozen=True, slots=True)
class TestCard:
    """`decline`: code, decline code and message of every charge. `confirm`: whether the holder must confirm a
    payment: "" never, "always", or "setup" (until the card was set up for later use)."""

    __test__ = False  # pytest: not a test case

    number: str
    token: str
    title: str
    brand: str = "visa"
    decline: tuple[str, str, str] | None = None
    attachable: bool = True
    confirm: str = ""
    disputed: bool = False
    refund: str = "succeeded"
    arrives_after: timedelta | None = None  # a slow method

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def spaced(self) -> str:
        groups = (4, 6, 5) if self.brand == "amex" else (4,) * (len(self.number) // 4)
        digits = iter(self.number)
        return " ".join("".join(islice(digits, size)) for size in groups)


def _declined(number: str, token: str, title: str, decline_code: str, message: str = DECLINED) -> TestCard:
    """Declined at every charge, and refused when somebody tries to save it."""
    return TestCard(number, token, title, decline=("card_declined", decline_code, message), attachable=False)


CARDS = (
    TestCard("4242424242424242", "pm_card_visa", "Visa, succeeds"),
    TestCard("5555555555554444", "pm_card_mastercard", "Mastercard, succeeds", "mastercard"),
    TestCard("4000002760003184", "pm_card_authenticationRequired", "Always asks to confirm", confirm="always"),
    _declined(
        "4000000000009995", "pm_card_visa_chargeDeclinedInsufficientFunds", "Not enough funds",
        "insufficient_funds", NO_FUNDS,
    ),
    _declined("4000000000000002", "pm_card_visa_chargeDeclined", "Declined", "generic_decline"),
    TestCard(
        "000123456789", "pm_usBankAccount_success", "Bank debit, arrives after a minute", "us_bank_account",
        attachable=False, arrives_after=timedelta(minutes=1),
    ),
    TestCard("378282246310005", "pm_card_amex", "American Express, succeeds", "amex"),
    TestCard("4000002500003155", "pm_card_authenticationRequiredOnSetup", "Asks once", confirm="setup"),
    TestCard(
        "4000008260003178", "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
        "Confirmed, then no funds", confirm="always", decline=("card_declined", "insufficient_funds", NO_FUNDS),
    ),
    _declined("4000000000009987", "pm_card_visa_chargeDeclinedLostCard", "Lost card", "lost_card"),
    _declined("4000000000009979", "pm_card_visa_chargeDeclinedStolenCard", "Stolen card", "stolen_card"),
    _declined(
        "4000000000006975", "pm_card_visa_chargeDeclinedVelocityLimitExceeded", "Used too often",
        "card_velocity_exceeded",
    ),
    TestCard(
        "4000000000000069", "pm_card_chargeDeclinedExpiredCard", "Expired card", attachable=False,
        decline=("expired_card", "", "Your card has expired."),
    ),
    TestCard(
        "4000000000000127", "pm_card_chargeDeclinedIncorrectCvc", "Wrong security code", attachable=False,
        decline=("incorrect_cvc", "", "Your card's security code is incorrect."),
    ),
    TestCard(
        "4000000000000119", "pm_card_chargeDeclinedProcessingError", "Processing error", attachable=False,
        decline=("processing_error", "", "An error occurred while processing your card. Try again in a bit."),
    ),
    TestCard(
        "4000000000000341", "pm_card_chargeCustomerFail", "Can be saved, then declines",
        decline=("card_declined", "generic_decline", DECLINED),
    ),
    TestCard("4000000000000259", "pm_card_createDispute", "Succeeds, then is disputed", disputed=True),
    TestCard("4000000000007726", "pm_card_pendingRefund", "Refunds take a while", refund="pending"),
    TestCard("4000000000005126", "pm_card_refundFail", "Refunds fail", refund="failed"),
)  # fmt: skip
_BY_NUMBER = {card.number: card for card in CARDS}
_BY_TOKEN = {card.token: card for card in CARDS}


def by_token(token: str) -> TestCard | None:
    return _BY_TOKEN.get(token)


def typed(text: str) -> TestCard:
    """The card behind what somebody typed. Real card numbers are refused, and never stored."""
    compact = text.replace(" ", "").replace("-", "")
    card = _BY_NUMBER.get(compact) or _BY_TOKEN.get(compact)
    if card is None:
        raise Rejected(
            "This is not one of the test cards. Never type a real card number here.", "incorrect_number"
        )
    return card
