"""Proofs that the numbers tie: the ledger within itself, and our books with the processor's."""

from django.contrib import admin
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from accounts import ids
from billing.admin.read_only import ReadOnly
from billing.models import LedgerCheck, Reconciliation


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnly):
    list_display = ("ran_at", "result", "payments", "topups", "since", "until", "mode")
    list_filter = ("mode", "ran_at")
    fields = ("ran_at", "mode", "since", "until", "payments", "topups", "found")
    readonly_fields = ("found",)

    @admin.display(description="result")
    def result(self, row: Reconciliation) -> str:
        repaired = sum(difference["repaired"] for difference in row.differences)
        count = len(row.differences) - repaired
        told = [f"{count} difference{pluralize(count)}"] if count else []
        return ", ".join([*told, f"{repaired} repaired"] if repaired else told) or "clean"

    @admin.display(description="differences")
    def found(self, row: Reconciliation) -> str:
        lines = (
            (difference["text"], " Repaired." if difference["repaired"] else "", _topup(difference["topup"]),
             difference["account"])
            for difference in row.differences
        )  # fmt: skip
        return format_html_join("", "<p>{}{} {} {}</p>", lines) or "None: everything agrees."


def _topup(known: str) -> str:
    pk = ids.parse("top", known)
    return format_html('<a href="{}">{}</a>', reverse("admin:compare_topup", args=[pk]), known) if pk else ""


@admin.register(LedgerCheck)
class LedgerCheckAdmin(ReadOnly):
    list_display = ("ran_at", "result", "accounts", "full")
    list_filter = ("full", "ran_at")
    fields = ("ran_at", "full", "accounts", "found")
    readonly_fields = ("found",)

    @admin.display(description="result")
    def result(self, row: LedgerCheck) -> str:
        count = len(row.breaches)
        return f"{count} breach{pluralize(count, 'es')}" if count else "clean"

    @admin.display(description="breaches")
    def found(self, row: LedgerCheck) -> str:
        lines = ((breach["account"], breach["rule"], breach["detail"]) for breach in row.breaches)
        return format_html_join("", "<p>{}: {} ({})</p>", lines) or "None: every number ties."
