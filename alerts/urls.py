"""Pages of watching and telling."""

from django.urls import path

from alerts.views import channel, notifications, rules

urlpatterns = [
    path("settings/billing/alerts/", rules.alerts, name="alerts"),
    path("settings/billing/alerts/<str:rule>/", rules.alert, name="alert"),
    path("settings/billing/alerts/<str:rule>/remove/", rules.remove_alert, name="remove_alert"),
    path("settings/notifications/", notifications.notifications, name="notifications"),
    path("settings/notifications/read/", notifications.read_notifications, name="read_notifications"),
    path("settings/notifications/email/", notifications.choose_email, name="choose_email"),
    path("settings/account/channel/", channel.choose_channel, name="choose_channel"),
    path("unsubscribe/<str:token>/", notifications.unsubscribe, name="unsubscribe"),
]
