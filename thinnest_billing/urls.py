"""Every URL of the product: pages under /settings/billing/, the API under /billing/."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from accounts.views import account
from billing.views.add_funds import add_funds
from billing.views.auto_topup import auto_topup_page
from thinnest_billing import account_page, frame, health, overview
from thinnest_billing.api import api
from thinnest_billing.api_docs import api_docs
from thinnest_billing.export.views import export_page
from thinnest_billing.leaving.views import close_account
from thinnest_billing.live import live
from thinnest_billing.metrics.page import metrics

urlpatterns = [
    path("billing/docs", api_docs, name="api_docs"),
    path("billing/", api.urls),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics),
    path("theme/", frame.theme, name="theme"),
    path("settings/live/", live, name="live"),
    path("", RedirectView.as_view(pattern_name="overview")),
    path("settings/billing/", overview.overview, name="overview"),
    path("settings/billing/add-funds/", add_funds, {"pace_of": overview.pace}),  # billing knows no usage
    path("settings/billing/auto-topup/", auto_topup_page, {"pace_of": overview.pace}),
    path("settings/account/", account.account, {"more": account_page.more}, name="account"),
    path(
        "settings/account/password/",
        account.change_password,
        {"more": account_page.more},
        name="change_password",
    ),
    path("settings/account/export/", export_page, name="export"),
    path("settings/account/close/", close_account, name="close_account"),
    path("", include("accounts.urls")),
    path("", include("billing.urls")),
    path("", include("usage.urls")),
    path("", include("alerts.urls")),
    path(settings.ADMIN_PATH, admin.site.urls),
]

handler500 = frame.crashed
