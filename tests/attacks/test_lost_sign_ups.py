"""A sign-up loses its address, while it goes on, to who proved that the mailbox is theirs: it hears so."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from accounts import email_change, invitations, links, people
from accounts.models import Invitation, Mail, User
from tests import factories
from tests.billing.paying import clock, in_parallel
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
EVE = "eve@example.org"
Take = Callable[[], object]


@pytest.fixture
def waiting(db: None) -> User:
    """Somebody signed up with Eve's address and has not confirmed it."""
    user = people.sign_up(email=EVE, password=PASSWORD, name="E", timezone="UTC", now=timezone.now())
    assert user is not None
    return user


@pytest.fixture(params=["invitation", "email change"])
def take(request: pytest.FixtureRequest, ada: User) -> Take:
    """Eve, who reads the mailbox, takes the address."""
    if request.param == "email change":
        return lambda: email_change.change(email_change.Wish(ada, EVE), now=clock())
    invitation = invitations.invite(EVE, "viewer", by=ada, now=timezone.now())
    return lambda: invitations.accept(invitation, password="another good one", now=timezone.now())


def once_meanwhile(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, take: Take) -> None:
    """What `module.name` finds is overtaken at once, the first time."""
    real, taken = getattr(module, name), []

    def then_take(*args: Any, **more: Any) -> Any:
        found = real(*args, **more)
        if not taken:
            taken.append(take())
        return found

    monkeypatch.setattr(module, name, then_take)


@pytest.mark.parametrize("act", ["confirm", "reset", "sign in"])
def test_it_is_told_that_the_link_is_over(
    client: Client, monkeypatch: pytest.MonkeyPatch, waiting: User, take: Take, act: str
) -> None:
    confirm, reset = links.confirm_url(waiting), links.reset_url(waiting)
    if act == "confirm":
        once_meanwhile(monkeypatch, links, "is_fingerprint", take)
        answer = client.post(confirm, {"password": PASSWORD})
    elif act == "reset":
        once_meanwhile(monkeypatch, links, "user_to_reset", take)
        answer = client.post(reset, {"new_password": "yet another good one"})
    else:
        monkeypatch.setattr("accounts.views.entrance.authenticate", lambda *_, **__: (take(), waiting)[1])
        answer = client.post("/sign-in/", {"email": EVE, "password": PASSWORD})
    assert answer.status_code in (200, 302, 404)
    assert "_auth_user_id" not in client.session
    assert User.objects.get(email=EVE).pk != waiting.pk
    assert not Mail.objects.filter(
        to=EVE, created_at__gt=User.objects.get(email=EVE).created_at, user=waiting
    )


def test_it_may_sign_up_again_in_the_moment_that_the_address_is_free(
    monkeypatch: pytest.MonkeyPatch, ada: User, cy: User
) -> None:
    """The address was somebody's when the row was written, and nobody's when its owner was looked up."""
    register = people.register

    def late(**details: Any) -> User:
        if User.objects.filter(email="cy@example.net").exists():
            people.part(cy)
            raise IntegrityError
        return register(**details)

    monkeypatch.setattr(people, "register", late)
    details = {"password": PASSWORD, "name": "C", "timezone": "UTC"}
    made = people.sign_up(email="cy@example.net", now=timezone.now(), **details)
    assert made is None or made.email == "cy@example.net"


def test_confirming_and_joining_at_once_is_one_of_both(transactional_db: None) -> None:
    """On two connections: one user with the address in the end, in one of the two accounts."""
    ada = factories.owner()
    for n in range(4):
        email = f"eve{n}@example.org"
        user = people.sign_up(email=email, password=PASSWORD, name="E", timezone="UTC", now=timezone.now())
        invitation = invitations.invite(email, "viewer", by=ada, now=timezone.now())
        assert user is not None
        ended = in_parallel(2, both(invitation, user))
        found = User.objects.get(email=email)
        assert (found.pk == user.pk) == (True in ended)


def both(invitation: Invitation, user: User) -> Callable[[int], object]:
    def act(n: int) -> object:
        if n:
            return people.confirm(user, now=timezone.now())
        try:
            return str(invitations.accept(invitation, password=PASSWORD, now=timezone.now()).pk)
        except invitations.NotJoined:
            return "not joined"

    return act
