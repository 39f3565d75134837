"""The same thing twice at the same moment: one of them, and the limits hold."""

from decimal import Decimal

import pytest
from pytest_django import Settings

from alerts import rules
from alerts.models import Rule
from alerts.rule_wishes import RuleRefused, Wish
from billing import selectors
from billing.errors import InsufficientBalance
from tests import factories
from tests.billing.paying import clock, in_parallel
from tests.usage import campaigning, renting
from usage import campaigns, phone_numbers, rents
from usage.agents import NOBODY
from usage.models import Campaign, PhoneNumber

pytestmark = pytest.mark.django_db(transaction=True)
Kind = Rule.Kind


def test_it_keeps_the_limit_of_rules_when_many_are_added_at_once(settings: Settings) -> None:
    ada = factories.owner()
    settings.LIMIT_RULES = Rule.objects.count() + 2

    def add(number: int) -> bool:
        try:
            rules.add(ada.account_id, Wish(Kind.DAILY_SPEND, Decimal(number + 1)), now=clock())
        except RuleRefused:
            return False
        return True

    assert sum(in_parallel(8, add)) == 2
    assert Rule.objects.count() == settings.LIMIT_RULES


def test_it_saves_one_rule_for_many_windows_that_want_the_same() -> None:
    ada = factories.owner()
    first, second = (
        rules.add(ada.account_id, Wish(Kind.DAILY_SPEND, Decimal(amount)), now=clock()) for amount in (8, 9)
    )

    def want(number: int) -> bool:
        try:
            if number % 2:
                rules.add(ada.account_id, Wish(Kind.DAILY_SPEND, Decimal(7)), now=clock())
            else:
                changed = first if number % 4 else second
                rules.change(changed, amount=Decimal(7), channel="both", now=clock())
        except RuleRefused:
            return False
        return True

    in_parallel(8, want)
    assert Rule.objects.filter(kind=Kind.DAILY_SPEND, amount=7).count() == 1


def test_it_rents_once_with_exactly_the_price_and_releases_once() -> None:
    ada = factories.owner()
    renting.top_up(ada, "25.00", at=clock())
    renting.leave(ada, str(rents.price_at(clock())), at=clock())

    def rent(number: int) -> bool:
        try:
            phone_numbers.rent(ada.account_id, agent=NOBODY, actor="tests", now=clock())
        except InsufficientBalance:
            return False
        return True

    assert sum(in_parallel(8, rent)) == 1
    assert selectors.balance_of(ada.account_id).balance == 0
    row = PhoneNumber.objects.get()
    told = in_parallel(
        8, lambda one: phone_numbers.release(ada.account_id, row.pk, actor=str(one), now=clock())
    )
    assert len({(one.released_at, one.released_by) for one in told}) == 1


def test_it_launches_once_for_many_windows() -> None:
    ada = factories.owner()
    campaigning.fund(ada)
    draft = campaigning.draft(ada, now=clock())

    def launch(number: int) -> bool:
        return campaigns.launch(Campaign.objects.get(pk=draft.pk), actor=str(number), now=clock())

    assert sum(in_parallel(8, launch)) == 1
