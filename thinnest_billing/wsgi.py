"""WSGI entry point, served by granian."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "thinnest_billing.settings")
django.setup(set_prefix=False)

from thinnest_billing import startup  # noqa: E402  needs Django
from thinnest_billing.handler import Handler  # noqa: E402
from thinnest_billing.metrics import counting  # noqa: E402

startup.refuse_wrong_payments()
counting.start()
application = Handler()
