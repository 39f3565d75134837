"""What was written to whom."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin.recorded import Recorded
from accounts.models import Mail


@admin.register(Mail)
class MailAdmin(Recorded):
    """The text of a mail with a link that signs in is shown to nobody."""

    list_display = ("subject", "to", "created_at", "sent_at", "refused_at", "tries", "error")
    list_filter = (
        "created_at",
        ("sent_at", admin.EmptyFieldListFilter),
        ("refused_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("to", "subject")
    fields = (
        "to", "subject", "shown_text", "created_at", "sent_at", "next_try_at", "refused_at", "tries", "error",
    )  # fmt: skip
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="Text")
    def shown_text(self, mail: Mail) -> str:
        return "Hidden: it holds a link that signs in." if mail.secret else mail.text
