"""API keys: their form, and what we keep of them."""

import hashlib
import re

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings

from accounts import api_keys
from accounts.models import ApiKey, Scope, User
from tests.factories import BIRTHDAY

pytestmark = pytest.mark.django_db


def test_it_makes_a_key_of_the_published_form(ada: User) -> None:
    row, plain = api_keys.create(account=ada.account, name="ci", scopes=[Scope.USAGE_WRITE], now=BIRTHDAY)
    assert re.fullmatch("tb_test_[0-9A-Za-z]{36}", plain)
    assert api_keys.well_formed(plain)
    assert row.prefix == plain[:12]
    assert re.fullmatch("key_[0-9A-Z]{26}", row.public_id)


def test_it_keeps_only_the_sha_256(ada: User) -> None:
    _, plain = api_keys.create(account=ada.account, name="ci", scopes=Scope.values, now=BIRTHDAY)
    kept = ApiKey.objects.values().get()
    assert bytes(kept["digest"]) == hashlib.sha256(plain.encode()).digest()
    assert not any(plain[12:] in str(value) for value in kept.values())


def test_it_says_live_only_with_a_live_stripe_key(ada: User, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_live_x"
    assert api_keys.create(account=ada.account, name="l", scopes=[], now=BIRTHDAY)[1].startswith("tb_live_")
    settings.STRIPE_SECRET_KEY = "sk_test_x"
    assert api_keys.create(account=ada.account, name="t", scopes=[], now=BIRTHDAY)[1].startswith("tb_test_")


def test_it_notices_any_single_wrong_character(ada: User) -> None:
    _, plain = api_keys.create(account=ada.account, name="ci", scopes=[], now=BIRTHDAY)
    for place in range(len(plain)):
        other = "a" if plain[place] != "a" else "b"
        assert not api_keys.well_formed(plain[:place] + other + plain[place + 1 :])
    assert not api_keys.well_formed(plain + "a")
    assert not api_keys.well_formed(plain[:-1] + "é")


def test_it_never_lets_a_platform_key_top_up() -> None:
    with pytest.raises(IntegrityError, match="platform_keys_never_top_up"), transaction.atomic():
        api_keys.create(account=None, name="calls", scopes=[Scope.TOPUP_WRITE], now=BIRTHDAY)


def test_it_keeps_the_first_moment_of_a_repeated_revocation(ada: User) -> None:
    row, _ = api_keys.create(account=ada.account, name="ci", scopes=[], now=BIRTHDAY)
    api_keys.revoke(row, now=BIRTHDAY)
    api_keys.revoke(row, now=BIRTHDAY.replace(year=2027))
    assert row.revoked_at == BIRTHDAY
    assert not row.is_usable(BIRTHDAY)
