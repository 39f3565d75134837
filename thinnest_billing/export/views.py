"""Settings > Account > Export: what is in the file, and the button that fetches it."""

from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts import limits
from accounts.access import member
from billing.models import Balance
from billing.views import form_page
from thinnest_billing.export.archive import export
from thinnest_billing.export.contents import files_for
from thinnest_billing.export.table import Asked

AN_HOUR, HOUR = 10, 3_600  # exports, seconds


@form_page
@never_cache
@member()
def export_page(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """An owner gets the account, other members what is about them."""
    balance = Balance.objects.filter(pk=request.account.id).first()
    if request.method != "POST" or balance is None:
        asked = Asked(request.account, request.user, balance or Balance(pk=request.account.id))
        return render(
            request, "accounts/export.html", {"files": files_for(asked), "may_export": balance is not None}
        )
    if not limits.allow("exports", str(request.account.id), limit=AN_HOUR, seconds=HOUR):
        sentence = f"An account may export {AN_HOUR} times an hour. Nothing was exported."
        return render(request, "429.html", {"sentence": sentence, "wait": "an hour"}, status=429)
    now = timezone.now()
    day = now.astimezone(ZoneInfo(request.account.timezone)).date()
    headers = {"Content-Disposition": f'attachment; filename="thinnest-export-{day.isoformat()}.zip"'}
    return StreamingHttpResponse(
        export(request.user, now=now), content_type="application/zip", headers=headers
    )
