"""Flagged charges: a queue, the longest waiting first, each answered beside the arithmetic of its charge."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Case, Value, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from accounts.errors import Problem
from billing.admin.read_only import ReadOnly
from usage import flags
from usage.admin.forms import AnswerForm
from usage.admin.large import public
from usage.explanation import explain
from usage.models import Charge, Flag


@admin.register(Flag)
class FlagAdmin(ReadOnly):
    id_prefix = "flag"
    list_display = ("text", "account", "charge", "created_at", "outcome", "answer", "answered_by")
    list_filter = ("outcome", "created_at")
    list_select_related = ("account", "answered_by")
    search_fields = ("text", "answer")
    search_help_text = "Flag (flag_…) or account id, a member's email, words of the question or the answer"
    ordering = (Case(When(outcome="open", then=Value(0)), default=Value(1)), "created_at")

    @admin.display(description="charge")
    def charge(self, row: Flag) -> str:
        return public("bill", row.charge_id)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:  # fmt: skip
        """The question, the charge's arithmetic, and the answer or the form for it."""
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        form = AnswerForm(request.POST or None, may_reverse=request.user.has_perm(flags.TO_REVERSE))
        if request.method == "POST" and form.is_valid():
            try:
                answered = flags.answer(row, staff=request.user, now=timezone.now(), **form.cleaned_data)
            except Problem as refusal:
                form.add_error(None, f"{refusal.title} {refusal.detail}")
            else:
                messages.success(request, f"Answered: {answered.get_outcome_display().lower()}.")
                return HttpResponseRedirect(reverse("admin:usage_flag_changelist"))
        return render(request, "admin/usage/flag/answer.html", self._shown(request, row, form))

    def _shown(self, request: HttpRequest, row: Flag, form: AnswerForm) -> dict[str, Any]:
        charge = Charge.objects.filter(account_id=row.account_id, pk=row.charge_id).first()
        may = row.outcome == Flag.Outcome.OPEN and request.user.has_perm(flags.TO_ANSWER)
        return self.admin_site.each_context(request) | {
            "title": "A flagged charge", "opts": self.opts, "flag": row, "charge": charge, "form": form,
            "told": explain(charge) if charge else None, "may_answer": may,
            "is_own": request.user.account_id == row.account_id,
        }  # fmt: skip
