from django.apps import AppConfig


class ThinnestBillingConfig(AppConfig):
    name = "thinnest_billing"

    def ready(self) -> None:
        from thinnest_billing import celery, checks, staff_groups  # noqa: F401  tasks, checks, receivers
