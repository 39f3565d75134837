"""Found by Django's autodiscovery."""

from thinnest_billing.staff import audit

__all__ = ["audit"]
