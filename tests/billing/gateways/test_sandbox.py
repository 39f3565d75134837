"""The sandbox does what every gateway does."""

from datetime import UTC, datetime

import pytest
import stripe

from billing.gateways import Gateway, Page, Rejected, sandbox_bank, sandbox_cards, sandbox_events, signatures
from billing.gateways.sandbox import SandboxGateway
from billing.models import SandboxEvent
from tests.billing.gateways.conformance import *  # noqa: F403  the suite
from tests.billing.gateways.conformance import Bench, charge, checkout, parsed

pytestmark = pytest.mark.django_db
KINDS = {
    "ok": "4242424242424242",
    "fails_when_charged": "4000000000000341",
    "needs_confirmation": "4000002760003184",
    "insufficient": "4000000000009995",
    "lost": "4000000000009987",
    "expired": "4000000000000069",
    "disputed": "4000000000000259",
    "refund_fails": "4000000000005126",
}


def now() -> datetime:
    return datetime.now(UTC)


class SandboxBench:
    features = {"on_session", "checkout", "refund_fails", "smallest_amount"}

    def __init__(self) -> None:
        self.gateway: Gateway = SandboxGateway()
        self.secret = sandbox_events.webhook_secret()

    def card(self, customer: str, kind: str) -> str:
        return sandbox_bank.save_by_token(customer, self.loose_card(kind), now=now()).id

    def loose_card(self, kind: str) -> str:
        return sandbox_cards.typed(KINDS[kind]).token

    def answer_challenge(self, payment_id: str, *, confirmed: bool) -> None:
        sandbox_bank.answer_challenge(payment_id, confirmed=confirmed, now=now())

    def pay_on_page(self, page: Page, kind: str) -> None:
        sandbox_bank.pay_on_page(page.id, sandbox_cards.typed(KINDS[kind]), now=now())

    def events(self) -> list[tuple[bytes, str]]:
        bodies = [row.body.encode() for row in SandboxEvent.objects.order_by("created_at", "pk")]
        SandboxEvent.objects.all().delete()
        at = int(now().timestamp())
        return [(body, signatures.sign(body, self.secret, at=at)) for body in bodies]


@pytest.fixture
def bench() -> Bench:
    return SandboxBench()


def test_it_signs_as_stripe_signs() -> None:
    """Our few lines and Stripe's own library agree, in both directions."""
    at = int(now().timestamp())
    ours = signatures.sign(b'{"id": "evt_1"}', "whsec_x", at=at)
    assert stripe.WebhookSignature.verify_header('{"id": "evt_1"}', ours, "whsec_x", tolerance=300)
    theirs = stripe.WebhookSignature.generate_signature_header('{"id": "evt_1"}', "whsec_x", at)
    signatures.verify(b'{"id": "evt_1"}', theirs, "whsec_x", now=at)


def test_it_refuses_real_card_numbers() -> None:
    """A rehearsal is no place for a real card: nothing but Stripe's test cards is taken or kept."""
    with pytest.raises(Rejected, match="Never type a real card"):
        sandbox_cards.typed("4111 1111 1111 1111")


@pytest.mark.parametrize("card", sandbox_cards.CARDS, ids=lambda card: card.token)
def test_it_behaves_as_each_test_card_says(
    bench: SandboxBench, customer: str, card: sandbox_cards.TestCard
) -> None:
    page = checkout(bench, customer)
    payment = sandbox_bank.pay_on_page(page.id, card, now=now())
    if card.confirm:
        assert payment.status == "requires_action"
        payment = sandbox_bank.answer_challenge(payment.id, confirmed=True, now=now())
    if card.decline:
        assert (payment.status, payment.code, payment.decline_code, payment.message) == (
            "failed",
            *card.decline,
        )
    else:
        assert payment.status == ("processing" if card.arrives_after else "succeeded")


def test_it_refuses_to_save_what_banks_refuse(bench: SandboxBench, customer: str) -> None:
    for card in sandbox_cards.CARDS:
        if not card.attachable:
            with pytest.raises(Rejected):
                sandbox_bank.save_by_token(customer, card.token, now=now())
    with pytest.raises(Rejected):
        sandbox_bank.save_by_token(customer, "pm_card_nope", now=now())


def test_it_asks_once_for_a_card_that_was_set_up(bench: SandboxBench, customer: str) -> None:
    kind = sandbox_cards.typed("4000002500003155")
    page = bench.gateway.card_setup(
        reference="a", customer=customer, currency="usd", success_url="http://x/", cancel_url="http://x/"
    )
    assert sandbox_bank.save_on_page(page.id, kind, now=now()).state == "open"
    sandbox_bank.answer_setup(page.id, confirmed=False, now=now())
    assert bench.gateway.cards(customer) == []
    sandbox_bank.save_on_page(page.id, kind, now=now())
    sandbox_bank.answer_setup(page.id, confirmed=True, now=now())
    [saved] = bench.gateway.cards(customer)
    assert charge(bench, customer, saved.id).status == "succeeded"


def test_it_brings_in_a_bank_debit_after_a_minute(bench: SandboxBench, customer: str) -> None:
    """S24: another supported method than a card."""
    page = checkout(bench, customer, reference="debit")
    debit = next(card for card in sandbox_cards.CARDS if card.arrives_after)
    payment = sandbox_bank.pay_on_page(page.id, debit, now=now())
    sandbox_bank.bring_in_debits(now=now())
    assert bench.gateway.payment(payment.id).status == "processing"
    sandbox_bank.bring_in_debits(now=now() + debit.arrives_after)
    assert bench.gateway.payment(payment.id).received == 2500
    assert [event.type for event in parsed(bench)][-1] == "payment_intent.succeeded"


def test_it_closes_pages_that_nobody_paid_on(bench: SandboxBench, customer: str) -> None:
    page = checkout(bench, customer, expires_at=now())
    with pytest.raises(Rejected, match="closed"):
        sandbox_bank.pay_on_page(page.id, sandbox_cards.typed(KINDS["ok"]), now=now())
    sandbox_bank.expire_pages(now=now())
    sandbox_bank.expire_pages(now=now())
    assert [event.type for event in parsed(bench)] == ["checkout.session.expired"]
