"""Emails about membership, to those concerned: invited, joined, another role, gone."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from accounts import links, mail
from accounts.models import Invitation, User
from accounts.roles import WORDS, sentence

LINKLIKE = ("://", "www.")


def invited(invitation: Invitation, *, by: User, now: datetime) -> None:
    """The link lets whoever reads the mailbox join, so nobody else may see it."""
    role = User.Role(invitation.role)
    context = {
        "account_name": _harmless(invitation.account.name), "by": by.email, "role": WORDS[role],
        "means": sentence(role), "email": invitation.email, "until": invitation.expires_at,
        "button": "See the invitation", "url": links.invitation_url(invitation), "letter": "emails/invitation",
    }  # fmt: skip
    mail.send(invitation.email, "invitation", context, user=by, secret=True, now=now)


def joined(member: User, *, now: datetime) -> None:
    """To every owner."""
    owners = User.objects.filter(account=member.account_id, role=User.Role.OWNER, is_active=True)
    about = {"who": member.email, "role": WORDS[User.Role(member.role)]}
    _to_members(owners, "member_joined", about, now=now)


def role_changed(member: User, *, was: str, by: User, now: datetime) -> None:
    role = User.Role(member.role)
    about = {"was": WORDS[User.Role(was)], "role": WORDS[role], "means": sentence(role), "by": by.email}
    _to_members([member], "role_changed", about, now=now)


def new_owner(member: User, *, by: User, stays: bool, now: datetime) -> None:
    """To the other owners, and to who did it: a stranger in their session should not stay unseen."""
    owners = User.objects.filter(account=member.account_id, role=User.Role.OWNER, is_active=True)
    others = [owner for owner in owners if owner.pk not in (member.pk, by.pk)]
    _to_members([*others, by], "new_owner", {"who": member.email, "by": by.email, "stays": stays}, now=now)


def parted(member: User, others: Iterable[User], *, by: User, now: datetime) -> None:
    """To the one who is gone, at the address as it was; to the other owners."""
    about = {"who": member.email, "by": by.email, "by_themselves": by.pk == member.pk}
    context = about | {"account": member.account, "letter": "emails/parted", "button": "Create an account"}
    mail.send(member.email, "parted", context | {"url": settings.SITE_URL + reverse("sign_up")}, now=now)
    _to_members(others, "member_parted", about, now=now)


def _to_members(readers: Iterable[User], name: str, about: Mapping[str, object], *, now: datetime) -> None:
    shared = {
        **about,
        "letter": f"emails/{name}", "button": "See the members", "url": settings.SITE_URL + reverse("members"),
    }  # fmt: skip
    for reader in readers:
        mail.send(reader.email, name, shared | {"account": reader.account}, user=reader, now=now)


def _harmless(name: str) -> str:
    """An account's name goes to strangers here: one that holds a link is left out, so that it advertises nothing."""
    return "" if any(sign in name.lower() for sign in LINKLIKE) else name
