"""The groups of staff, made and topped up after every migration; rights that an operator adds by hand stay.

support reads, answers flags and writes notes; billing also grants and adjusts (within STAFF_DAILY_LIMIT a day),
freezes, reverses charges, refunds and looks after payments; pricing also adds rates. Superusers may do everything;
only they enter bank transfers, make platform keys and change people's rights.
"""

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission
from django.db.models import Q
from django.db.models.signals import post_migrate
from django.dispatch import receiver

OURS = ("accounts", "billing", "usage", "alerts")
MORE = {
    "support": ("change_flag", "add_staffnote"),
    "billing": (
        "change_flag",
        "add_staffnote",
        "add_ledgerentry",
        "change_balance",
        "change_topup",
        "change_eventreceipt",
        "change_staffnotice",
        "change_charge",
        "add_refund",
    ),
    "pricing": ("add_price",),
}


@receiver(post_migrate)
def make_groups(sender: AppConfig, **_: Any) -> None:
    if sender.name != "thinnest_billing":  # the last of our apps: by now all permissions exist
        return
    ours = Permission.objects.filter(content_type__app_label__in=OURS)
    for name, codenames in MORE.items():
        group, _created = Group.objects.get_or_create(name=name)
        group.permissions.add(*ours.filter(Q(codename__startswith="view_") | Q(codename__in=codenames)))
