"""Pages of seeing, under Settings > Billing."""

from django.urls import path

from usage.views import (
    agent,
    agents,
    campaign_acts,
    campaigns,
    flags,
    phone_numbers,
    pricing,
    records,
    statement,
    usage,
    voice,
)

urlpatterns = [
    path("settings/billing/usage/", usage.usage, name="usage"),
    path("settings/billing/usage.csv", usage.usage_csv, name="usage_csv"),
    path("settings/billing/statement/", statement.statement, name="statement"),
    path("settings/billing/statement.csv", statement.statement_csv, name="statement_csv"),
    path("settings/billing/records/", records.record_list, name="records"),
    path("settings/billing/records.csv", records.records_csv, name="records_csv"),
    path("settings/billing/records/<str:public_id>/", records.record, name="record"),
    path("settings/billing/records/<str:public_id>/flag/", flags.flag_record, name="flag_record"),
    path(
        "settings/billing/records/<str:public_id>/flag/withdraw/", flags.withdraw_flag, name="withdraw_flag"
    ),
    path("settings/agents/", agents.agent_list, name="agents"),
    path("settings/agents/<str:public_id>/", agent.agent, name="agent"),
    path("settings/billing/pricing/", pricing.pricing, name="pricing"),
    path("settings/billing/pricing/voice/", voice.voice_billing, name="voice_billing"),
    path("settings/campaigns/", campaigns.campaign_list, name="campaigns"),
    path("settings/campaigns/<str:public_id>/", campaigns.campaign, name="campaign"),
    path("settings/campaigns/<str:public_id>/launch/", campaign_acts.launch, name="launch_campaign"),
    path("settings/campaigns/<str:public_id>/discard/", campaign_acts.discard, name="discard_campaign"),
    path("settings/campaigns/<str:public_id>/pause/", campaign_acts.pause, name="pause_campaign"),
    path("settings/campaigns/<str:public_id>/resume/", campaign_acts.resume, name="resume_campaign"),
    path("settings/phone-numbers/", phone_numbers.phone_number_list, name="phone_numbers"),
    path("settings/phone-numbers/rent/", phone_numbers.rent_number, name="rent_number"),
    path("settings/phone-numbers/<str:public_id>/", phone_numbers.phone_number, name="phone_number"),
    path(
        "settings/phone-numbers/<str:public_id>/release/", phone_numbers.release_number, name="release_number"
    ),
]
