"""Top-ups: from the row, committed before the processor is asked, to the credit that is posted once."""

from uuid import UUID

from django.conf import settings
from django.urls import reverse

from billing.models import TopUp


def page_url(topup: TopUp) -> str:
    """The page of one top-up, absolute: what the processor returns to, and what the API hands out."""
    return settings.SITE_URL + reverse("topup", args=[topup.public_id])


def in_progress(account_id: UUID) -> tuple[bool, str | None]:
    """Whether a top-up is on its way and, if one waits for its card holder, the page to confirm it on."""
    open_ones = TopUp.objects.filter(account_id=account_id, next_look_at__isnull=False).order_by(
        "-created_at"
    )
    found = list(open_ones[:20])
    waiting = [topup for topup in found if topup.status == TopUp.Status.REQUIRES_ACTION]
    return bool(found), page_url(waiting[0]) if waiting else None
