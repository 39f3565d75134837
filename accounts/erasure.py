"""What is personal about the people of an account, erased for good. Ids stay: books and audit logs name them."""

from collections.abc import Iterable

from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils import timezone

from accounts import people
from accounts.models import Account, ApiKey, Invitation, Mail, StaffNote, User

NAME = "Erased account"


def addresses_of(account: Account) -> list[str]:
    """Every email address that rows about this account may hold, but for those of other accounts' people."""
    members = User.objects.filter(account=account, is_staff=False).values_list("email", flat=True)
    invited = Invitation.objects.filter(account=account).values_list("email", flat=True)
    written_to = Mail.objects.filter(user__account=account, user__is_staff=False).values_list("to", flat=True)
    found = {*members, *invited, *written_to}
    elsewhere = User.objects.filter(email__in=found).exclude(account=account).values_list("email", flat=True)
    return sorted(found.difference(elsewhere))


def erase(account: Account, addresses: Iterable[str]) -> None:
    """People, invitations, letters, the names of the account and of its keys. Repeatable."""
    own = [address for address in addresses if not address.endswith("@removed.invalid")]
    Mail.objects.filter(Q(user__account=account) | Q(user=None, to__in=own)).delete()
    Invitation.objects.filter(account=account).delete()
    StaffNote.objects.filter(account=account).delete()
    ApiKey.objects.filter(account=account).update(name="", last_used_at=None)
    for address in own:
        _forget_in_the_log(address)
    for user in User.objects.filter(account=account):
        people.part(user)
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    Account.objects.filter(pk=account.pk).update(name=NAME)


def _forget_in_the_log(address: str) -> None:
    """Django's own log of the admin names rows as they were called then."""
    LogEntry.objects.filter(Q(object_repr__icontains=address) | Q(change_message__icontains=address)).update(
        object_repr="erased", change_message=""
    )
