"""What stands around every page: navigation, tabs, balance chip, theme, sandbox mark, and the page for a crash.

Navigation shows only what exists; whoever builds a page adds its line here.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from accounts.models import User
from billing import gateways, sandbox_views
from thinnest_billing.glance import NOTHING, Glance, glance

THEMES = ("light", "dark")
DEVICE = "device"  # whatever it prefers
YEAR = 60 * 60 * 24 * 365  # seconds
WORKSPACE = (
    ("agents", "Agents", "bot"),
    ("phone_numbers", "Phone numbers", "phone"),
    ("campaigns", "Campaigns", "megaphone"),
)
SETTINGS = (
    ("overview", "Billing", "wallet"),
    ("api_keys", "API keys", "key-round"),
    ("account", "Account", "user-round"),
)
BILLING_TABS = (
    ("overview", "Overview"),
    ("usage", "Usage"),
    ("records", "Records"),
    ("receipts", "Receipts"),
    ("payment_methods", "Payment methods"),
    ("auto_topup", "Auto-topup"),
    ("alerts", "Alerts"),
    ("pricing", "Pricing"),
)


@dataclass(frozen=True, slots=True)
class Link:
    """A place to go. `current` is the value of aria-current: page (here), true (below it) or nothing."""

    name: str
    url: str
    icon: str = ""
    current: str = ""


def links(places: tuple[tuple[str, ...], ...], path: str) -> list[Link]:
    """The places as links, the one that `path` is at or below marked as current."""
    made = [Link(name, reverse(url_name), *icon) for url_name, name, *icon in places]
    below = max((link.url for link in made if path.startswith(link.url)), key=len, default="")
    return [replace(link, current=_current(link.url, path)) if link.url == below else link for link in made]


def _current(url: str, path: str) -> str:
    return "page" if url == path else "true"


class Frame:
    """Read by base.html as `frame`; everything is looked up once, and only where it is shown."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.path = request.path

    @property
    def layout(self) -> str:
        """What an error page extends: signed out there is nothing to navigate."""
        return "base.html" if self.account_id else "base_plain.html"

    @property
    def theme(self) -> str:
        chosen = self.request.COOKIES.get("theme", "")
        return chosen if chosen in THEMES else ""

    @cached_property
    def account_id(self) -> UUID | None:
        user = getattr(self.request, "user", None)
        return getattr(user, "account_id", None)

    @cached_property
    def workspace(self) -> list[Link]:
        return links(WORKSPACE, self.path)

    @cached_property
    def settings(self) -> list[Link]:
        return links(SETTINGS, self.path)

    @cached_property
    def tabs(self) -> list[Link]:
        """The tabs of Billing. The overview lies above all of them and is current only by itself."""
        made = links(BILLING_TABS, self.path)
        return [replace(made[0], current=_exactly(made[0], self.path)), *made[1:]]

    @property
    def crumbs(self) -> list[Link]:
        """The way here, this page's own place last (without its link)."""
        return [link for link in (*self.workspace, *self.settings, *self.tabs[1:]) if link.current]

    @cached_property
    def glance(self) -> Glance:
        """The balance of the chip, the count of the bell, and the stamp that an open page compares."""
        if not self.account_id:
            return NOTHING
        assert isinstance(self.request.user, User)
        return glance(self.request.user)

    @property
    def support(self) -> str:
        """The address that "write to us" means, wherever a page says so."""
        return settings.SUPPORT_EMAIL

    @property
    def sandbox(self) -> bool:
        return gateways.is_sandbox()

    @property
    def outbox(self) -> bool:
        """Whether mail can be read on a page of the sandbox."""
        return sandbox_views.is_open()


def _exactly(link: Link, path: str) -> str:
    return "page" if link.url == path else ""


def frame(request: HttpRequest) -> dict[str, Frame]:
    """The context processor."""
    return {"frame": Frame(request)}


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember light or dark in a cookie, or forget it ("device"), and go back where the button was pressed."""
    chosen = request.POST.get("theme", "")
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = "/"
    response = HttpResponseRedirect(back, status=303)
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=YEAR, samesite="Lax", secure=settings.HTTPS)
    elif chosen == DEVICE:
        response.delete_cookie("theme", samesite="Lax")
    return response


class BareFrame(Frame):
    """The frame that asks neither session nor database."""

    account_id = None

    @property
    def layout(self) -> str:
        return "base.html" if settings.SESSION_COOKIE_NAME in self.request.COOKIES else "base_plain.html"


def crashed(request: HttpRequest) -> HttpResponse:
    """The page for a 500. Whatever broke may be what the usual frame is made of, so it gets the bare one."""
    return HttpResponse(render_to_string("500.html", {"frame": BareFrame(request)}), status=500)
