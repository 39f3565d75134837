"""What an open page asks every few seconds (static/js/frame.js): did anything of its account change?"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from thinnest_billing.frame import Frame


@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """The frame's parts that change by themselves; 304 while the page's stamp is right, 204 for whoever left.

    Not 401: a browser writes that into its console. Three queries, and the session stays as it is.
    """
    frame = Frame(request)
    if not frame.account_id:
        return HttpResponse(status=204)
    etag = f'"{frame.glance.stamp}"'
    answer = get_conditional_response(request, etag=etag) or render(request, "live.html", {"frame": frame})
    answer["ETag"] = etag
    return answer
