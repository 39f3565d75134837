"""Pages of seeing, under Settings > Billing."""

from django.urls import path

from usage import views

urlpatterns = [
    path("settings/billing/records/", views.record_list, name="records"),
    path("settings/billing/records.csv", views.records_csv, name="records_csv"),
    path("settings/billing/records/<str:public_id>/", views.record, name="record"),
    path("settings/billing/pricing/", views.pricing, name="pricing"),
]
