"""Pages of seeing, under Settings > Billing."""

from django.urls import path

from usage.views import agent, agents, pricing, records

urlpatterns = [
    path("settings/billing/records/", records.record_list, name="records"),
    path("settings/billing/records.csv", records.records_csv, name="records_csv"),
    path("settings/billing/records/<str:public_id>/", records.record, name="record"),
    path("settings/agents/", agents.agent_list, name="agents"),
    path("settings/agents/<str:public_id>/", agent.agent, name="agent"),
    path("settings/billing/pricing/", pricing.pricing, name="pricing"),
]
