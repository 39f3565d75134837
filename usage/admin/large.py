"""Tables that grow with every event."""

from uuid import UUID

from django.core.paginator import Paginator
from django.utils.functional import cached_property

from accounts import ids
from billing.admin.read_only import ReadOnly

COUNTED = 5_000  # rows of a list that are worth leafing through; a search finds the others


class FewPages(Paginator):
    """Does not count a table of millions for the sake of its page numbers."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[:COUNTED].count()


class Large(ReadOnly):
    """Searched by exact matches that have an index."""

    paginator = FewPages
    list_select_related = ("account",)
    list_per_page = 50


def public(prefix: str, value: UUID | None) -> str:
    return ids.public(prefix, value) if value else ""
