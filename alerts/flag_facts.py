"""What staff answered to a member's question about a charge, told to the account."""

from django.urls import reverse

from accounts import ids
from alerts.models import Notification
from alerts.telling import tell
from alerts.watched import Look
from alerts.webhook_facts import WINDOW
from billing.money import usd_exact
from usage.models import Charge, Flag

Level, Outcome = Notification.Level, Flag.Outcome


def tell_flags(look: Look) -> None:
    since = max(look.now - WINDOW, look.began)
    for flag in Flag.objects.filter(account=look.account, answered_at__gt=since).order_by("answered_at"):
        assert flag.answered_at is not None, "asked for"
        if look.is_news(flag.pk, flag.outcome, since=flag.answered_at):
            _tell(look, flag)


def _tell(look: Look, flag: Flag) -> None:
    charge = Charge.objects.get(account_id=flag.account_id, id=flag.charge_id)
    is_back = flag.outcome == Outcome.REVERSED
    title = "Your question about a charge is answered"
    if is_back and charge.cost:
        title = f"You have {usd_exact(charge.cost)} back"
    result = "The charge was given back to your balance." if is_back else "The charge stays as it is."
    tell(
        look.account.pk, key=f"flag:{flag.public_id}", kind="flag", level=Level.GOOD if is_back else Level.INFO,
        title=title, body=f"{result} We wrote: “{flag.answer}”",
        href=reverse("record", args=[ids.public("bill", flag.charge_id)]), now=look.now,
    )  # fmt: skip
