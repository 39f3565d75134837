"""Pages of paying, the processor's webhook, and the sandbox's pages."""

from django.urls import path

from billing import sandbox_views, views

urlpatterns = [
    path("settings/billing/add-funds/", views.add_funds, name="add_funds"),
    path("settings/billing/topups/<str:topup_id>/", views.topup, name="topup"),
    path("settings/billing/topups/<str:topup_id>/confirm/", views.confirm_topup, name="confirm_topup"),
    path("settings/billing/topups/<str:topup_id>/cancel/", views.cancel_topup, name="cancel_topup"),
    path("settings/billing/payment-methods/", views.payment_method_list, name="payment_methods"),
    path("settings/billing/payment-methods/add/", views.add_card, name="add_card"),
    path("settings/billing/payment-methods/<str:card>/default/", views.make_default, name="make_default"),
    path("settings/billing/payment-methods/<str:card>/remove/", views.remove_card, name="remove_card"),
    path("billing/webhooks/stripe", views.stripe_webhook, name="stripe_webhook"),
    path("sandbox/checkout/<slug:page_id>/", sandbox_views.checkout, name="sandbox_checkout"),
    path("sandbox/3ds/<slug:payment_id>/", sandbox_views.confirm, name="sandbox_confirm"),
    path("sandbox/outbox/", sandbox_views.outbox, name="sandbox_outbox"),
]
