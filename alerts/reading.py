"""What a member has read: everything up to a moment. It only ever moves forward."""

from datetime import datetime

from django.db.models import Q

from accounts.models import User
from alerts.models import Reader


def read(user: User, *, through: datetime) -> None:
    """Mark as read what was told until `through`, the newest notification that they saw."""
    Reader.objects.get_or_create(user=user)
    behind = Q(read_through=None) | Q(read_through__lt=through)
    Reader.objects.filter(behind, user=user).update(read_through=through)
