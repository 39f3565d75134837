"""The tables of what spends, by subject."""

from usage.models.agents import Agent
from usage.models.charges import Charge, ChargeNote, DailySpend, Quantities, UsageType
from usage.models.flags import Flag
from usage.models.lines import Campaign, PhoneNumber
from usage.models.prices import Price, RateCard, in_force

__all__ = [
    "Agent",
    "Campaign",
    "Charge",
    "ChargeNote",
    "DailySpend",
    "Flag",
    "PhoneNumber",
    "Price",
    "Quantities",
    "RateCard",
    "UsageType",
    "in_force",
]
