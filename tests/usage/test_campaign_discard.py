"""Discarding a draft: by who plans, asked first, and never what was launched."""

import pytest

from accounts.models import User
from tests import factories
from tests.billing.paying import in_parallel
from tests.billing.test_add_funds import signed_in, text_of
from tests.usage.campaigning import NOON, draft, fund, launched
from usage import campaigns
from usage.models import Campaign

pytestmark = pytest.mark.django_db
PAGE = "/settings/campaigns/"


def path(campaign: Campaign) -> str:
    return f"{PAGE}{campaign.public_id}/discard/"


def test_it_asks_and_then_the_draft_is_gone(ada: User) -> None:
    campaign, other = draft(ada), draft(ada, name="Another")
    browser = signed_in(ada)
    assert path(campaign) in browser.get(f"{PAGE}{campaign.public_id}/").content.decode()
    asked = text_of(browser.get(path(campaign)))
    assert "Discard “Spring catalogue”?" in asked
    assert "no call was placed and nothing was charged" in asked
    assert Campaign.objects.count() == 2
    after = browser.post(path(campaign), follow=True)
    assert after.redirect_chain == [(PAGE, 303)]
    assert "“Spring catalogue” is discarded." in text_of(after)
    assert Campaign.objects.get() == other
    assert browser.post(path(campaign)).status_code == 404


def test_what_was_launched_stays(ada: User) -> None:
    """S48: also when its page is older than the launch."""
    fund(ada)
    campaign, stale = launched(ada), draft(ada, name="Later")
    browser = signed_in(ada)
    assert path(campaign) not in browser.get(f"{PAGE}{campaign.public_id}/").content.decode()
    for answer in (browser.get(path(campaign)), browser.post(path(campaign))):
        assert (answer.status_code, answer["Location"]) == (303, f"{PAGE}{campaign.public_id}/")
    campaigns.launch(Campaign.objects.get(pk=stale.pk), actor=ada.public_id, now=NOON)
    with pytest.raises(campaigns.CampaignLaunched, match="was not discarded"):
        campaigns.discard(stale)
    assert Campaign.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_launch_and_a_discard_at_once_leave_one_of_them(ada: User) -> None:
    fund(ada)
    campaign = draft(ada)

    def act(number: int) -> bool:
        try:
            if number % 2:
                campaigns.discard(campaign)
            else:
                campaigns.launch(Campaign.objects.get(pk=campaign.pk), actor=ada.public_id, now=NOON)
        except (campaigns.CampaignLaunched, campaigns.CampaignNotFound, Campaign.DoesNotExist):
            return False
        return True

    in_parallel(6, act)
    assert not Campaign.objects.filter(launched_at=None).exists()


def test_a_draft_that_was_discarded_meanwhile_is_neither_changed_nor_launched(ada: User) -> None:
    fund(ada)
    campaign = draft(ada)
    campaigns.discard(Campaign.objects.get())
    campaigns.discard(campaign)
    plan = campaigns.Plan("Other", None, 1, 60)
    for act in (
        lambda: campaigns.launch(campaign, actor=ada.public_id, now=NOON),
        lambda: campaigns.edit(campaign, plan),
    ):
        with pytest.raises(campaigns.CampaignNotFound, match="discarded meanwhile"):
            act()


def test_viewers_and_strangers_discard_nothing(ada: User, bo: User, cy: User) -> None:
    campaign = draft(ada)
    admin = factories.member(ada.account, email="al@example.com", role=User.Role.ADMIN)
    assert path(campaign) not in signed_in(bo).get(f"{PAGE}{campaign.public_id}/").content.decode()
    assert signed_in(bo).post(path(campaign)).status_code == 403
    assert signed_in(cy).post(path(campaign)).status_code == 404
    assert Campaign.objects.get() == campaign
    assert signed_in(admin).post(path(campaign)).status_code == 303
    assert not Campaign.objects.exists()
