"""What spending leaves to be settled before an account is closed, and what ends with it."""

from datetime import datetime
from uuid import UUID

from django.urls import reverse

from billing.closing import Hindrance
from usage import phone_numbers
from usage.models import Campaign


def hindrances(account_id: UUID) -> list[Hindrance]:
    """Rented numbers: their owner alone gives them up. Under the Balance lock it stays so."""
    body = "Release it: it stops at once and costs nothing more. It cannot be had back."
    return [
        Hindrance(f"{row.number or 'A phone number that is being set up'} is rented", body, "Release it",
                  reverse("release_number", args=[row.public_id]))
        for row in phone_numbers.rented(account_id)
    ]  # fmt: skip


def close(account_id: UUID, *, now: datetime) -> None:
    """Campaigns are finished. Agents stay as they are until the account is erased."""
    running = Campaign.objects.filter(account_id=account_id, launched_at__isnull=False, finished_at=None)
    running.update(finished_at=now)
