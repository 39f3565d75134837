#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it works on the trial's own PostgreSQL and Redis."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "thinnest_billing.settings")
    from thinnest_billing.devstack import trial

    trial.serve_command()
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
