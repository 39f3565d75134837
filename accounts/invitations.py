"""Inviting somebody into an account by email, and joining it.

Whether an address has a user of another account is told to its mailbox alone: the inviter reads the same words either
way, and whoever follows the link learns why they cannot join.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.db.models import QuerySet

from accounts import ids, limits, member_letters, members
from accounts.addresses import normalised
from accounts.models import Account, Invitation, User

WITHIN = timedelta(days=7)
DAY = timedelta(days=1)
OPEN_AT_MOST = 20  # of one account, expired ones too until they are withdrawn
A_DAY = 20  # new ones of one account in any 24 hours, withdrawn ones too
AGAIN_AFTER = timedelta(hours=1)
TO_ONE_ADDRESS = 3  # invitations a day, from whatever account


class State(models.TextChoices):
    """What the link of an invitation leads to."""

    OPEN = "open", "Open"
    EXPIRED = "expired", "Expired"
    WITHDRAWN = "withdrawn", "Withdrawn"
    USED = "used", "Used"


class NotSent(Exception):
    """No email was sent and nothing was changed; the text says why and what to do."""


class NotJoined(Exception):
    """The invitation lets nobody in (any more); `state` says why, or is empty where the address has a user."""

    def __init__(self, state: str = "") -> None:
        super().__init__(state or "The address has a user of another account.")
        self.state = state


def open_of(account_id: UUID) -> QuerySet[Invitation]:
    """Neither used nor withdrawn, the newest first; they may have expired."""
    waiting = Invitation.objects.filter(account_id=account_id, accepted_at=None, withdrawn_at=None)
    return waiting.select_related("invited_by", "account").order_by("-created_at", "-id")


def find(account_id: UUID, public_id: str) -> Invitation | None:
    """The open invitation of this account with this id (inv_…)."""
    invitation_id = ids.parse("inv", public_id)
    return open_of(account_id).filter(pk=invitation_id).first() if invitation_id else None


def state_of(invitation: Invitation, *, now: datetime) -> State:
    if invitation.accepted_at:
        return State.USED
    if invitation.withdrawn_at or invitation.account.closed_at:
        return State.WITHDRAWN
    return State.EXPIRED if invitation.expires_at <= now else State.OPEN


@transaction.atomic
def invite(email: str, role: str, *, by: User, now: datetime) -> Invitation:
    """Raises NotSent. The email leaves after the commit."""
    account = members.lock_as_owner(by)
    if members.of_account(account.id).filter(email=email).exists():
        raise NotSent(f"{email} is a member of this account already. Nothing was sent.")
    if open_of(account.id).filter(email=email).exists():
        raise NotSent(
            f"{email} is invited already. Send that invitation again from the list, or withdraw it."
        )
    _keep_to_the_limits(account, now=now)
    _keep_from_flooding(email)
    invitation = Invitation.objects.create(
        account=account, email=email, role=role, invited_by=by, created_at=now, expires_at=now + WITHIN
    )
    member_letters.invited(invitation, by=by, now=now)
    return invitation


@transaction.atomic
def send_again(invitation: Invitation, *, by: User, now: datetime) -> None:
    """The same invitation for another seven days. Raises NotSent."""
    members.lock_as_owner(by)
    invitation = _again(invitation)
    if now < invitation.expires_at - WITHIN + AGAIN_AFTER:
        raise NotSent(
            "It was sent less than an hour ago. Look in the spam folder, or wait. Nothing was sent."
        )
    _keep_from_flooding(invitation.email)
    invitation.expires_at, invitation.invited_by = now + WITHIN, by
    invitation.save(update_fields=["expires_at", "invited_by"])
    member_letters.invited(invitation, by=by, now=now)


@transaction.atomic
def withdraw(invitation: Invitation, *, by: User, now: datetime) -> None:
    """Its link lets nobody in any more. Raises NotSent when it was used meanwhile."""
    members.lock_as_owner(by)
    invitation = _again(invitation)
    invitation.withdrawn_at = now
    invitation.save(update_fields=["withdrawn_at"])


@transaction.atomic
def accept(invitation: Invitation, *, password: str, now: datetime) -> User:
    """A new member: the link came by email, so the address is confirmed; there is no trial. Raises NotJoined."""
    account = members.lock(invitation.account_id)
    invitation = Invitation.objects.select_for_update().get(pk=invitation.pk)
    invitation.account = account
    state = state_of(invitation, now=now)
    if state != State.OPEN:
        raise NotJoined(state)
    _end_waiting_sign_up(invitation.email)
    member = _join(invitation, password=password, now=now)
    invitation.accepted_at = now
    invitation.save(update_fields=["accepted_at"])
    member_letters.joined(member, now=now)
    return member


def has_user(email: str) -> bool:
    """Whether the address belongs to somebody, who proved it."""
    return User.objects.filter(email=email).exclude(email_confirmed_at=None).exists()


def _join(invitation: Invitation, *, password: str, now: datetime) -> User:
    try:
        with transaction.atomic():
            return User.objects.create_user(
                invitation.email, password, account=invitation.account, role=invitation.role,
                email_confirmed_at=now, created_at=now,
            )  # fmt: skip
    except IntegrityError:  # somebody's already, perhaps since a moment ago
        raise NotJoined from None


def _end_waiting_sign_up(email: str) -> None:
    """Somebody signed up with this address and proved nothing: whoever reads its mailbox comes first."""
    waiting = User.objects.filter(
        email=email, email_confirmed_at=None, is_staff=False, account__opened_at=None
    )
    user = waiting.select_for_update(of=("self",)).first()
    if user is not None and (account_id := user.account_id):
        user.delete()
        Account.objects.filter(pk=account_id).delete()


def _again(invitation: Invitation) -> Invitation:
    found = open_of(invitation.account_id).select_for_update(of=("self",)).filter(pk=invitation.pk).first()
    if found is None:
        raise NotSent("That invitation was used or withdrawn meanwhile. Nothing was changed.")
    return found


def _keep_to_the_limits(account: Account, *, now: datetime) -> None:
    if open_of(account.id).count() >= OPEN_AT_MOST:
        raise NotSent(
            f"{OPEN_AT_MOST} invitations are open, which is the limit. Withdraw one first. Nothing was sent."
        )
    if account.invitations.filter(created_at__gt=now - DAY).count() >= A_DAY:
        raise NotSent(
            f"You invited {A_DAY} people within 24 hours, which is the limit. Try again tomorrow. Nothing was sent."
        )


def _keep_from_flooding(email: str) -> None:
    """Our forms must not serve to flood a stranger's mailbox, from whatever account and however it is spelt."""
    if not limits.allow("invite", normalised(email), limit=TO_ONE_ADDRESS, seconds=86_400, without_redis=3):
        raise NotSent("This address was invited several times today. Try again tomorrow. Nothing was sent.")
