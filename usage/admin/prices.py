"""The rate card: a price is added from a date on, after a look at what it would have done; never changed or removed."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from accounts.admin import Recorded
from accounts.errors import Invalid
from usage import staff
from usage.admin.forms import PriceForm
from usage.models import Price, in_force


@admin.register(Price)
class PriceAdmin(Recorded):
    """The rate card: a price is added from a date on, never changed or removed. Old charges keep theirs."""

    form = PriceForm
    list_display = ("meter", "rate", "effective_from", "state", "actor", "reason", "created_at")
    list_filter = ("meter",)
    search_fields = ("meter", "reason", "actor")
    fields = ("meter", "rate", "effective_from", "reason", "confirmed", "tried")
    change_form_template = "admin/usage/price/change_form.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
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
        made = staff.set_price(
            obj.meter, rate=obj.rate, effective_from=max(form.cleaned_data["effective_from"] or now, now),
            staff=request.user, reason=obj.reason, now=now,
        )  # fmt: skip
        obj.pk, obj.effective_from = made.pk, made.effective_from
        obj._state.adding = False

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The act itself is in the audit log."""
