from django.apps import AppConfig


class ThinnestBillingConfig(AppConfig):
    name = "thinnest_billing"

    def ready(self) -> None:
        from thinnest_billing import celery, checks, deploy_checks  # noqa: F401  tasks, checks
        from thinnest_billing.staff import groups, sessions  # noqa: F401  receivers
