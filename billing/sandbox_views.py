"""The sandbox's own pages: its payment page, the bank's challenge, and the outbox. Only while there is no Stripe key.

They stand in for another company's site, so they reach the rest only as that would: by redirects and events.
"""

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import member
from accounts.models import Mail
from billing import gateways
from billing.forms import CheckoutForm
from billing.gateways import Rejected, Status, sandbox_bank, sandbox_cards
from billing.models import Customer, Mode, SandboxPage, SandboxPayment
from billing.money import from_cents
from billing.views import see_other

View = Callable[..., HttpResponse]
LATEST = 50  # mails shown
SHOWN_FIRST = 6  # test cards, as in the template
form_page = require_http_methods(["GET", "HEAD", "POST"])


def is_open() -> bool:
    """The sandbox's pages exist in sandbox mode; on a public server only where that is wanted."""
    return gateways.is_sandbox() and (settings.DEBUG or settings.SANDBOX_ALLOW_PUBLIC)


def sandbox_only(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not is_open():
            raise Http404
        return never_cache(view)(request, *args, **kwargs)

    return guarded


def _local(url: str) -> str:
    """The same site, whatever name the browser knows it by."""
    return url.removeprefix(settings.SITE_URL)


def _require_payer(request: HttpRequest, customer_id: str) -> None:
    """404 unless the signed-in account is the one that pays."""
    own = Customer.objects.filter(account=request.account, mode=Mode.SANDBOX, gateway_id=customer_id)
    if not own.exists():
        raise Http404


@sandbox_only
@form_page
@member(role="admin")
def checkout(request: HttpRequest, page_id: str) -> HttpResponse:
    page = SandboxPage.objects.filter(pk=page_id).select_related("challenged_card").first()
    if page is None:
        raise Http404
    _require_payer(request, page.customer_id)
    if page.state == SandboxPage.State.COMPLETE:
        return see_other(_local(page.success_url))
    if request.method != "POST":
        return _checkout_page(request, page, CheckoutForm())
    form = CheckoutForm(request.POST)
    form.fields["pick"].choices = [(card.token, card.title) for card in sandbox_cards.CARDS]
    try:
        return see_other(_submit(request, page, form))
    except Rejected as refusal:
        form.add_error(None, str(refusal))
        page.refresh_from_db()
        return _checkout_page(request, page, form)


def _submit(request: HttpRequest, page: SandboxPage, form: CheckoutForm) -> str:
    """Where the browser goes next. Raises Rejected with what to tell."""
    now = timezone.now()
    if page.challenged_card is not None:
        sandbox_bank.answer_setup(page.id, confirmed="confirm" in request.POST, now=now)
        return reverse("sandbox_checkout", args=[page.id])
    if not form.is_valid():
        raise Rejected("Choose one of the test cards.")
    kind = sandbox_cards.typed(form.cleaned_data["number"] or form.cleaned_data["pick"])
    if page.amount is None:
        sandbox_bank.save_on_page(page.id, kind, now=now)
        return reverse("sandbox_checkout", args=[page.id])
    payment = sandbox_bank.pay_on_page(page.id, kind, now=now)
    if payment.status == Status.FAILED:
        raise Rejected(payment.message)
    if payment.status == Status.REQUIRES_ACTION:
        return reverse("sandbox_confirm", args=[payment.id])
    return _local(page.success_url)


def _checkout_page(request: HttpRequest, page: SandboxPage, form: CheckoutForm) -> HttpResponse:
    failed = None if form.is_bound else page.payments.filter(status=Status.FAILED).first()
    cards = [card for card in sandbox_cards.CARDS if page.amount or card.attachable]
    picked = form.data.get("pick") or cards[0].token
    context = {
        "page": page,
        "form": form,
        "amount": from_cents(page.amount) if page.amount else None,
        "cards": cards,
        "picked": picked,
        "picked_late": picked in [card.token for card in cards[SHOWN_FIRST:]],
        "back": _local(page.cancel_url),
        "refusal": failed.message if failed else "",
        "is_closed": page.state != SandboxPage.State.OPEN,
    }
    return render(request, "sandbox/checkout.html", context)


@sandbox_only
@form_page
@member(role="admin")
def confirm(request: HttpRequest, payment_id: str) -> HttpResponse:
    """The bank's page (3-D Secure): confirm the payment, or refuse it."""
    payment = SandboxPayment.objects.filter(pk=payment_id).select_related("card", "page").first()
    if payment is None:
        raise Http404
    _require_payer(request, payment.customer_id)
    if request.method == "POST":
        confirmed = "confirm" in request.POST
        payment = sandbox_bank.answer_challenge(payment.id, confirmed=confirmed, now=timezone.now())
    if payment.status != Status.REQUIRES_ACTION:
        return see_other(_after(payment))
    context = {"amount": from_cents(payment.amount), "card": sandbox_bank.kind_of(payment.card)}
    return render(request, "sandbox/confirm.html", context)


def _after(payment: SandboxPayment) -> str:
    """A payment page lets its customer try another card; else the shop is told."""
    if payment.page is not None and payment.status == Status.FAILED:
        return reverse("sandbox_checkout", args=[payment.page.id])
    return _local(payment.return_url)


@sandbox_only
@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """Mail that would have been sent: your own, all for staff, or what this browser just asked for."""
    shown = Mail.objects.filter(_visible(request)).order_by("-created_at")[:LATEST]
    return render(request, "sandbox/outbox.html", {"mails": shown, "own": _own(request)})


def _own(request: HttpRequest) -> list[str]:
    """Addresses whose secret links (a confirmation, a reset) this browser may see."""
    if request.user.is_authenticated:
        return [request.user.email]
    return [address for address in [request.session.get("wrote_to")] if address]


def _visible(request: HttpRequest) -> Q:
    if request.user.is_authenticated and request.user.is_staff:
        return Q()
    if request.user.is_authenticated:
        return Q(user=request.user) | Q(to=request.user.email)
    return Q(to__in=_own(request))
