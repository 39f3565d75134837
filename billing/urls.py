"""Pages of paying, the processor's webhook, and the sandbox's pages."""

from django.urls import path

from billing import sandbox_views
from billing.views import add_funds, auto_topup, freeze, payment_methods, receipts, refunds, topups, webhook

urlpatterns = [
    path("settings/billing/add-funds/", add_funds.add_funds, name="add_funds"),
    path("settings/billing/auto-topup/", auto_topup.auto_topup_page, name="auto_topup"),
    path("settings/billing/freeze/", freeze.freeze_page, name="freeze"),
    path("settings/billing/topups/<str:topup_id>/", topups.topup, name="topup"),
    path("settings/billing/topups/<str:topup_id>/confirm/", topups.confirm_topup, name="confirm_topup"),
    path("settings/billing/topups/<str:topup_id>/cancel/", topups.cancel_topup, name="cancel_topup"),
    path("settings/billing/topups/<str:topup_id>/refund/", refunds.refund_topup, name="refund_topup"),
    path("settings/billing/receipts/", receipts.receipts_page, name="receipts"),
    path("settings/billing/receipts/<str:topup_id>/", receipts.receipt, name="receipt"),
    path("settings/billing/details/", receipts.billing_details, name="billing_details"),
    path("settings/billing/payment-methods/", payment_methods.payment_method_list, name="payment_methods"),
    path("settings/billing/payment-methods/add/", payment_methods.add_card, name="add_card"),
    path(
        "settings/billing/payment-methods/<str:card>/default/",
        payment_methods.make_default,
        name="make_default",
    ),
    path(
        "settings/billing/payment-methods/<str:card>/remove/", payment_methods.remove_card, name="remove_card"
    ),
    path("billing/webhooks/stripe", webhook.stripe_webhook, name="stripe_webhook"),
    path("sandbox/checkout/<slug:page_id>/", sandbox_views.checkout, name="sandbox_checkout"),
    path("sandbox/3ds/<slug:payment_id>/", sandbox_views.confirm, name="sandbox_confirm"),
    path("sandbox/outbox/", sandbox_views.outbox, name="sandbox_outbox"),
]
