"""The processor's events."""

import logging

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts.errors import BodyTooLarge
from billing import webhooks
from billing.errors import UnsignedEvent
from billing.gateways import BadSignature

LARGEST_EVENT = 256 * 1024  # bytes
log = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """200: stored and done, or not for us. 400: not signed. 500: stored, failed, send it again."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > LARGEST_EVENT:
        log.warning("A webhook delivery of %.20s bytes was refused unread", length)
        raise BodyTooLarge(f"Send at most {LARGEST_EVENT:,} bytes.")
    try:
        done = webhooks.receive(request.body, request.headers.get("Stripe-Signature", ""), now=timezone.now())
    except BadSignature as error:  # forged, or our STRIPE_WEBHOOK_SECRET is not the endpoint's
        log.warning("A webhook delivery was refused: %s", error)
        raise UnsignedEvent(str(error)) from None
    return HttpResponse(status=200 if done else 500)
