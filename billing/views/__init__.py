"""Pages of paying, under Settings > Billing, one module a subject; and the processor's webhook."""

from django.http import HttpResponseRedirect
from django.views.decorators.http import require_http_methods

form_page = require_http_methods(["GET", "HEAD", "POST"])


def see_other(url: str) -> HttpResponseRedirect:
    """303: the browser goes on with GET, so that reloading never pays again."""
    return HttpResponseRedirect(url, status=303)
