"""What accounts want printed on their receipts. They change it themselves, on their page."""

from django.contrib import admin

from billing.admin.read_only import ReadOnly
from billing.models import BillingDetails


@admin.register(BillingDetails)
class BillingDetailsAdmin(ReadOnly):
    list_display = ("account", "name", "tax_id")
    list_select_related = ("account",)
    search_fields = ("name", "tax_id")
    ordering = ("account",)
