"""What a campaign is expected to cost, held against the balance, in words."""

from dataclasses import dataclass
from decimal import Decimal

from billing.money import usd, usd_balance
from billing.selectors import Funds
from usage import campaigns
from usage.models import Campaign
from usage.pricing import Rates


@dataclass(frozen=True, slots=True)
class Estimate:
    """`cost` in dollars if every call is answered; `affordable`: how many of its calls the balance covers."""

    calls: int
    seconds_per_call: int
    cost: Decimal
    balance: Decimal
    affordable: int

    @property
    def is_covered(self) -> bool:
        return self.affordable >= self.calls

    @property
    def about(self) -> str:
        """`About $24.00 for 200 calls of 72 s`."""
        calls = "call" if self.calls == 1 else "calls"
        return f"About {usd(self.cost)} for {self.calls:,} {calls} of {self.seconds_per_call:,} s"

    @property
    def against_balance(self) -> str:
        """What the balance does about it."""
        if self.is_covered:
            return f"your balance of {usd_balance(self.balance)} covers it"
        if not self.affordable:
            return f"your balance of {usd_balance(self.balance)} does not cover one call"
        calls = "call" if self.affordable == 1 else "calls"
        return f"your balance of {usd_balance(self.balance)} covers about {self.affordable:,} {calls}"


def of(campaign: Campaign, funds: Funds, *, rates: Rates) -> Estimate:
    """At these rates. Below zero in paid nothing new is placed, whatever was granted."""
    cost = campaigns.estimate(campaign.calls, campaign.seconds_per_call, rates=rates)
    each = campaigns.price_of_call(campaign.seconds_per_call, rates=rates)
    spendable = funds.balance if funds.paid >= 0 else Decimal(0)
    affordable = min(campaign.calls, int(spendable / each)) if each else campaign.calls
    return Estimate(campaign.calls, campaign.seconds_per_call, cost, funds.balance, affordable)
