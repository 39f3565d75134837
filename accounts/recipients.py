"""Who gets which email about an account: one rule, for billing's letters and for what alerts tell.

Owners always get what matters (payments, what stops and starts again): their cards are charged. Admins get it unless
they chose otherwise, viewers only if they did. Whoever gets everything gets what alert rules find as well. Emails
about somebody's own address, password and role are no part of this: they go to that person.
"""

from uuid import UUID

from accounts.models import Emails, User

BY_ROLE = {User.Role.OWNER: Emails.ALL, User.Role.ADMIN: Emails.ALL, User.Role.VIEWER: Emails.NONE}


def of_account(account_id: UUID, *, optional: bool = False) -> list[User]:
    """The members who get what matters, the oldest first; `optional`: those who get what alert rules find."""
    return [member for member in _members(account_id) if gets(member, optional=optional)]


def misses_any(account_id: UUID, written_to: list[User]) -> bool:
    """Whether an owner or admin is not among them: they read it in the dashboard instead."""
    return any(member.may(User.Role.ADMIN) and member not in written_to for member in _members(account_id))


def gets(member: User, *, optional: bool) -> bool:
    return wish_of(member) in ((Emails.ALL,) if optional else (Emails.ALL, Emails.IMPORTANT))


def wish_of(member: User) -> Emails:
    """What this member chose, else what the role begins with."""
    wish = Emails(member.emails or BY_ROLE[User.Role(member.role)])
    return Emails.IMPORTANT if wish == Emails.NONE and member.role == User.Role.OWNER else wish


def choices_of(member: User) -> list[Emails]:
    """What this member may choose: an owner hears of every payment."""
    return [wish for wish in Emails if wish != Emails.NONE or member.role != User.Role.OWNER]


def choose(member: User, wish: Emails) -> None:
    member.emails = wish
    member.save(update_fields=["emails"])


def _members(account_id: UUID) -> list[User]:
    return list(User.objects.filter(account_id=account_id, is_active=True).order_by("created_at", "id"))
