"""Django admin for what spends: agents, charges (read, and reversed with a reason), the roll-up, and the price card."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import cached_property

from accounts import ids
from accounts.errors import Invalid
from billing.admin.read_only import ReadOnly
from usage import rate_card, reversals
from usage.admin_forms import PriceForm, ReversalForm
from usage.models import Agent, Charge, ChargeNote, DailySpend, Price, in_force

COUNTED = 5_000  # rows of a list that are worth leafing through; a search finds the others
MOST_REVERSALS = 100


class FewPages(Paginator):
    """Does not count a table of millions for the sake of its page numbers."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[:COUNTED].count()


class Large(ReadOnly):
    """Tables that grow with every event: searched by exact matches that have an index."""

    paginator = FewPages
    list_select_related = ("account",)
    list_per_page = 50


@admin.register(Agent)
class AgentAdmin(Large):
    id_prefix = "agent"
    list_display = ("name", "public_id", "account", "model", "created_at")
    search_help_text = "Agent id (agent_…), exact name, account id (acct_…) or a member's email"
    search_fields = ("=name",)
    ordering = ("-id",)
    fields = ("public_id", "account", "name", "model", "created_at")


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
        return _public("key", charge.api_key_id)

    @admin.display(description="hold")
    def hold(self, charge: Charge) -> str:
        return _public("hold", charge.hold_id)

    @admin.display(description="reversal")
    def reversal(self, charge: Charge) -> str:
        if charge.reverses:
            return f"reverses {_public('bill', charge.reverses)}"
        found = Charge.objects.filter(account_id=charge.account_id, reverses=charge.pk).first()
        return f"reversed by {found.public_id}" if found else "not reversed"

    @admin.action(description="Reverse the selected charges…", permissions=["reverse"])
    def reverse(self, request: HttpRequest, charges: QuerySet[Charge]) -> HttpResponse | None:
        """Asks for a reason first. The money goes back to where it came from, today; both records stay."""
        chosen = list(charges.select_related("account")[: MOST_REVERSALS + 1])
        if len(chosen) > MOST_REVERSALS:
            messages.error(
                request, f"Nothing was reversed: choose at most {MOST_REVERSALS} charges at a time."
            )
            return None
        if any(charge.account_id == request.user.account_id for charge in chosen):
            raise PermissionDenied("Nobody acts on an account of their own.")
        form = ReversalForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            self._reverse(request, chosen, form.cleaned_data["reason"])
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Reverse charges",
            "opts": self.opts,
            "form": form,
            "charges": chosen,
            "total": sum(charge.cost for charge in chosen),
        }
        return render(request, "admin/usage/reverse_charges.html", context)

    def _reverse(self, request: HttpRequest, chosen: list[Charge], reason: str) -> None:
        done = 0
        for charge in chosen:
            try:
                outcome = reversals.reverse(
                    charge.account_id, charge.pk, actor=request.user.public_id, reason=reason
                )
            except reversals.ChargeNotFound:
                messages.error(request, f"{charge.public_id} was not reversed: it is itself a reversal.")
                continue
            if not outcome.replayed:
                self.log_change(request, charge, f"Reversed: {reason}")
                done += 1
        messages.success(request, f"{done} reversed. What had been reversed before was left as it is.")


@admin.register(DailySpend)
class DailySpendAdmin(Large):
    """The roll-up. `manage.py rebuild_daily_spend` makes it anew from the charges."""

    list_display = ("day", "account", "type", "agent_id", "model", "count", "cost", "uncollected")
    list_filter = ("type",)
    search_fields = ("account__name",)
    search_help_text = "Account id (acct_…), name, or a member's email"
    ordering = ("-day", "account_id")


@admin.register(Price)
class PriceAdmin(admin.ModelAdmin):
    """The rate card: a price is added from a date on, never changed or removed. Old charges keep theirs."""

    form = PriceForm
    list_display = ("meter", "rate", "effective_from", "state", "actor", "reason", "created_at")
    list_filter = ("meter",)
    search_fields = ("meter", "reason", "actor")
    fields = ("meter", "rate", "effective_from", "reason", "confirmed")

    def has_change_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Price | None = None) -> Any:
        return ("meter", "rate", "effective_from", "reason", "actor", "created_at") if obj else self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        self.current = {price.pk for price in in_force(timezone.now())}
        return super().get_queryset(request)

    @admin.display(description="state")
    def state(self, price: Price) -> str:
        if price.pk in self.current:
            return "in force"
        return "coming" if price.effective_from > timezone.now() else "past"

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().add_view(request, form_url, extra_context)
        except Invalid as refusal:  # a colleague was quicker, between the form's checks and the writing
            messages.error(request, f"The price was not added. {refusal.detail}")
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Price, form: PriceForm, change: bool) -> None:
        now = timezone.now()
        made = rate_card.set_price(
            obj.meter, rate=obj.rate, effective_from=max(form.cleaned_data["effective_from"] or now, now),
            actor=request.user.public_id, now=now, reason=obj.reason,
        )  # fmt: skip
        obj.pk, obj.effective_from = made.pk, made.effective_from
        obj._state.adding = False


def _public(prefix: str, value: UUID | None) -> str:
    return ids.public(prefix, value) if value else ""
