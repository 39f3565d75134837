"""`make run`: everything on this machine, until Ctrl+C. Usage: python -m thinnest_billing.devstack [port]"""

import sys

from thinnest_billing.devstack.runner import run

run(sys.argv[1] if len(sys.argv) > 1 else "")
