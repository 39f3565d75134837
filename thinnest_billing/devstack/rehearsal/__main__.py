"""Usage: python -m thinnest_billing.devstack.rehearsal [--seconds 5]"""

import argparse

from thinnest_billing.devstack.rehearsal.story import rehearse

parser = argparse.ArgumentParser(prog="make rehearse-restore", description=__doc__)
parser.add_argument("--seconds", type=float, default=5, help="of traffic in each of three parts (5)")
rehearse(parser.parse_args().seconds)
