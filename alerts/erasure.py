"""What was told to the people of an account, and to the platform about it."""

from uuid import UUID

from alerts.models import Delivery, Notification, Rule, Watched


def erase(account_id: UUID) -> None:
    """Repeatable."""
    for model in (Notification, Rule, Watched, Delivery):
        model.objects.filter(account_id=account_id).delete()
