"""Pages of watching and telling."""

from django.urls import path

from alerts.views import notifications

urlpatterns = [
    path("settings/notifications/", notifications.notifications, name="notifications"),
    path("settings/notifications/read/", notifications.read_notifications, name="read_notifications"),
    path("settings/notifications/email/", notifications.choose_email, name="choose_email"),
    path("unsubscribe/<str:token>/", notifications.unsubscribe, name="unsubscribe"),
]
