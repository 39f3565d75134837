"""Reading the mail that the product wrote."""

import re

from django.conf import settings

from accounts.models import Mail


def links(to: str) -> list[str]:
    """The paths in the last email to somebody."""
    text = Mail.objects.filter(to=to).latest("created_at", "id").text
    return [url.removeprefix(settings.SITE_URL) for url in re.findall(r"http://\S+", text)]


def subjects(to: str) -> list[str]:
    return list(Mail.objects.filter(to=to).order_by("created_at", "id").values_list("subject", flat=True))
