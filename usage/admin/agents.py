"""Agents, and the roll-up of what they spent: to read."""

from django.contrib import admin

from usage.admin.large import Large
from usage.models import Agent, DailySpend


@admin.register(Agent)
class AgentAdmin(Large):
    id_prefix = "agent"
    list_display = ("name", "public_id", "account", "model", "created_at")
    search_help_text = "Agent id (agent_…), exact name, account id (acct_…) or a member's email"
    search_fields = ("=name",)
    ordering = ("-id",)
    fields = ("public_id", "account", "name", "model", "created_at")


@admin.register(DailySpend)
class DailySpendAdmin(Large):
    """`manage.py rebuild_daily_spend` makes it anew from the charges."""

    list_display = ("day", "account", "type", "agent_id", "model", "count", "cost", "uncollected")
    list_filter = ("type",)
    search_fields = ("account__name",)
    search_help_text = "Account id (acct_…), name, or a member's email"
    ordering = ("-day", "account_id")
