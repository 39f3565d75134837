"""Django admin for what spends: agents and the roll-up, charges, flags, and the price card."""

from usage.admin import agents, charges, flags, prices

__all__ = ["agents", "charges", "flags", "prices"]
