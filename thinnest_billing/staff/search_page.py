"""The search of staff: straight to the one hit, else a list of hits with their accounts."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_safe

from thinnest_billing.staff import search as everywhere


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "")
    hits = everywhere.find(text, staff=request.user)
    if len(hits) == 1:
        return HttpResponseRedirect(hits[0].url)
    shown = {
        "title": "Search",
        "q": text[: everywhere.LONGEST],
        "hits": hits,
        "newest": everywhere.NEWEST_CHARGES,
    }
    return render(request, "admin/search.html", admin.site.each_context(request) | shown)
