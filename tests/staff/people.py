"""Staff of each kind, signed in."""

from typing import Any

from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import User
from tests import factories


def person(*groups: str, email: str = "dee@example.com", **fields: Any) -> User:
    user = User.objects.create_user(
        email, factories.PASSWORD, is_staff=True, email_confirmed_at=factories.BIRTHDAY, **fields
    )
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def clerk(*groups: str) -> Client:
    return signed_in(person(*groups))


def root() -> Client:
    return signed_in(User.objects.create_superuser("root@example.com", factories.PASSWORD))
