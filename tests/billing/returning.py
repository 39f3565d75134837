"""What the tests of refunds and disputes begin with: paid top-ups, the processor's doings, gateways that fail."""

from decimal import Decimal
from typing import Any

from accounts.models import User
from billing import auto_topup, refunds, selectors, topups, verify
from billing.gateways import Refund as Answer
from billing.gateways import Unavailable
from billing.gateways.sandbox import SandboxGateway
from billing.models import AutoTopup, LedgerEntry, Refund, SandboxEvent, SandboxPayment, TopUp
from tests.billing.paying import begin, clock, deliver, save_card
from usage import verify as usage_verify

D = Decimal
PROOFS = verify.CHECKS | verify.WHOLE | usage_verify.CHECKS
BACK = ("refund", "dispute", "dispute_won", "reversal")


def paid(user: User, token: str = "pm_card_visa", **changes: Any) -> TopUp:
    """A top-up of $25 that its card paid, with every event of it delivered."""
    topup = topups.pay(begin(user, card=save_card(user, token), **changes))
    deliver_all()
    return topup


def refund(topup: TopUp, amount: str = "25", **changes: Any) -> Refund:
    """As staff do it."""
    wanted = {
        "origin": Refund.Origin.STAFF,
        "actor": "usr_staff",
        "reason": "Ticket 7",
        "now": clock(),
        **changes,
    }
    return refunds.refund(topup, D(amount), **wanted)


def deliver_all() -> None:
    """What the processor has to tell reaches us, oldest first."""
    for event in SandboxEvent.objects.filter(delivered_at=None).order_by("created_at", "pk"):
        assert deliver(event.body.encode()).status_code == 200
        SandboxEvent.objects.filter(pk=event.pk).update(delivered_at=clock())


def payment_of(topup: TopUp) -> SandboxPayment:
    return SandboxPayment.objects.get(pk=TopUp.objects.get(pk=topup.pk).payment_id)


def moves(user: User) -> list[tuple[str, Decimal]]:
    """What refunds and disputes took and gave back, in order."""
    entries = LedgerEntry.objects.filter(account_id=user.account_id, kind__in=BACK)
    return list(entries.order_by("seq").values_list("kind", "paid"))


def paid_funds(user: User) -> Decimal:
    return selectors.balance_of(user.account_id).paid


def breaches(user: User) -> list[verify.Breach]:
    return verify.run(PROOFS, [user.account_id])


def turn_on_auto_topup(user: User) -> AutoTopup:
    """As its owner left it."""
    card = save_card(user)
    row = AutoTopup.objects.create(
        account=user.account, mode="sandbox", enabled=True, threshold=D(5), amount=D(25), card=card,
        monthly_limit=D(500), consented_at=clock(), consented_by=user.public_id,
    )  # fmt: skip
    assert auto_topup.of(user.account_id) is not None
    return row


class RefundsSilently(SandboxGateway):
    """No refund arrives there, and no answer comes back."""

    def refund(self, **_: Any) -> Answer:
        raise Unavailable("timed out")


class LosesRefunds(SandboxGateway):
    """Pays back as it is asked, but its answer gets lost."""

    def refund(self, **wanted: Any) -> Answer:
        super().refund(**wanted)
        raise Unavailable("the connection broke")


class NeverAskedAgain(SandboxGateway):
    """A processor that has forgotten our keys: asking would be a second refund."""

    def refund(self, **_: Any) -> Answer:
        raise AssertionError("a second refund")
