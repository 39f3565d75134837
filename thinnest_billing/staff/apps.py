"""`django.contrib.admin` with our site."""

from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    default_site = "thinnest_billing.staff.site.StaffSite"
