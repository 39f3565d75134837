"""A session lets staff into admin for some hours, and for less where nobody is at it. Customers' pages know no end."""

import time

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

SINCE, SEEN = "staff_since", "staff_seen"  # of a session, in seconds since 1970
EVERY = 60  # seconds between two notes of somebody being at it


@receiver(user_logged_in)
def begin(request: HttpRequest, **_: object) -> None:
    """For everybody: who becomes staff is let in without signing in once more."""
    request.session[SINCE] = request.session[SEEN] = int(time.time())


def is_fresh(request: HttpRequest) -> bool:
    """Whether staff signed in here not long ago and were here since. Else they sign in again."""
    now = int(time.time())
    since, seen = request.session.get(SINCE, 0), request.session.get(SEEN, 0)
    if now - since >= settings.STAFF_SESSION_HOURS * 3600 or now - seen >= settings.STAFF_IDLE_MINUTES * 60:
        return False
    if now - seen >= EVERY:
        request.session[SEEN] = now
    return True
