"""A charge that somebody asks about, and the colleague of staff who answers."""

from datetime import datetime, timedelta

from django.contrib.auth.models import Group

from accounts.models import User
from tests import factories
from tests.usage import events
from tests.usage.spending import NOW, agent, use
from usage import flags
from usage.models import Charge, Flag


def a_charge(user: User, event_id: str = "order-7", *, at: datetime = NOW) -> Charge:
    """$0.0003915 of chat."""
    return use(user.account_id, events.chat(event_id, agent=agent("Support")), at=at)


def asked(user: User, charge: Charge, text: str = "We sent this message once", *, at: datetime = NOW) -> Flag:
    return flags.flag(charge.account_id, charge, by=user, text=text, now=at + timedelta(minutes=1))


def staff(group: str = "billing", email: str = "eve@example.com") -> User:
    """Somebody of the house, who is a member of no account."""
    person = User.objects.create_user(email, factories.PASSWORD, is_staff=True)
    person.groups.add(Group.objects.get(name=group))
    return User.objects.get(pk=person.pk)
