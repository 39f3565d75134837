"""Charges: read, and reversed with a reason."""

from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.utils import timezone

from billing.admin.read_only import after
from billing.staff import NotYourOwn
from usage import reversals, staff
from usage.admin.forms import ReversalForm
from usage.admin.large import Large, public
from usage.explanation import explain
from usage.models import Agent, Charge, ChargeNote

MOST_REVERSALS = 100


@admin.register(Charge)
class ChargeAdmin(Large):
    id_prefix = "bill"
    list_display = (
        "public_id",
        "account",
        "type",
        "model",
        "cost",
        "uncollected",
        "recorded_at",
        "is_reversal",
    )
    list_filter = ("type", ("reverses", admin.EmptyFieldListFilter))
    search_help_text = "Charge id (bill_…), event id, account id (acct_…) or a member's email"
    search_fields = ("event_id__exact",)
    ordering = ("-id",)
    actions = ("reverse",)
    fields = (
        "public_id", "account", "event_id", "type", "agent", "model", "note", "input_tokens", "output_tokens",
        "retrieval_queries", "seconds", "answered", "pages", "chunks", "rates", "cost", "uncollected",
        "balance_after", "occurred_at", "recorded_at", "day", "key", "request_id", "hold", "reversal",
    )  # fmt: skip
    readonly_fields = ("public_id", "agent", "note", "key", "hold", "reversal")

    def has_reverse_permission(self, request: HttpRequest) -> bool:
        """Whoever may change charges may do the one thing that corrects them."""
        return request.user.has_perm("usage.change_charge")

    @admin.display(boolean=True, description="reversal")
    def is_reversal(self, charge: Charge) -> bool:
        return charge.reverses is not None

    @admin.display(description="agent")
    def agent(self, charge: Charge) -> str:
        found = Agent.objects.filter(pk=charge.agent_id).first()
        return f"{found.name} ({found.public_id})" if found else "Unassigned"

    @admin.display(description="note")
    def note(self, charge: Charge) -> str:
        found = ChargeNote.objects.filter(pk=charge.pk).first()
        return found.text if found else ""

    @admin.display(description="API key")
    def key(self, charge: Charge) -> str:
        return public("key", charge.api_key_id)

    @admin.display(description="hold")
    def hold(self, charge: Charge) -> str:
        return public("hold", charge.hold_id)

    @admin.display(description="reversal")
    def reversal(self, charge: Charge) -> str:
        if charge.reverses:
            return f"reverses {public('bill', charge.reverses)}"
        found = Charge.objects.filter(account_id=charge.account_id, reverses=charge.pk).first()
        return f"reversed by {found.public_id}" if found else "not reversed"

    def get_urls(self) -> list[URLPattern]:
        act = path("<uuid:pk>/reverse/", self.admin_site.admin_view(self.reverse_one), name="reverse_charge")
        return [act, *super().get_urls()]

    def reverse_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """One charge with its arithmetic, and a form with the reason for giving it back."""
        charge = get_object_or_404(Charge.objects.select_related("account"), pk=pk)
        if not self.has_reverse_permission(request):
            raise PermissionDenied
        form = ReversalForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            self._reverse(request, [charge], form.cleaned_data["reason"])
            return HttpResponseRedirect(after(request, charge.account))
        shown = {"title": "Reverse a charge", "opts": self.opts, "form": form, "charge": charge}
        context = self.admin_site.each_context(request) | shown | {"told": explain(charge)}
        return render(request, "admin/usage/reverse_charge.html", context)

    @admin.action(description="Reverse the selected charges…", permissions=["reverse"])
    def reverse(self, request: HttpRequest, charges: QuerySet[Charge]) -> HttpResponse | None:
        """Asks for a reason first. The money goes back to where it came from, today; both records stay."""
        chosen = list(charges.select_related("account")[: MOST_REVERSALS + 1])
        if len(chosen) > MOST_REVERSALS:
            text = f"Nothing was reversed: choose at most {MOST_REVERSALS} charges at a time."
            messages.error(request, text)
            return None
        if any(charge.account_id == request.user.account_id for charge in chosen):
            raise PermissionDenied("Nobody acts on an account of their own.")
        form = ReversalForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            self._reverse(request, chosen, form.cleaned_data["reason"])
            return None
        shown = {"title": "Reverse charges", "opts": self.opts, "form": form, "charges": chosen}
        shown["total"] = sum(charge.cost for charge in chosen)
        context = self.admin_site.each_context(request) | shown
        return render(request, "admin/usage/reverse_charges.html", context)

    def _reverse(self, request: HttpRequest, chosen: list[Charge], reason: str) -> None:
        done = 0
        for charge in chosen:
            try:
                made = staff.reverse(charge, staff=request.user, reason=reason, now=timezone.now())
            except reversals.ChargeNotFound:
                messages.error(request, f"{charge.public_id} was not reversed: it is itself a reversal.")
            except NotYourOwn as refusal:
                messages.error(request, f"{refusal.title} {refusal.detail}")
            else:
                done += not made.replayed
        messages.success(request, f"{done} reversed. What had been reversed before was left as it is.")
