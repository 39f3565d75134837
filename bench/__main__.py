"""What `bench/metering` and the others start: services first, since models need settings to be imported."""

import argparse
from importlib import import_module

from bench.services import throwaway


def main() -> None:
    options = arguments()
    with throwaway() as postgres:
        import_module(f"bench.{options.benchmark}").main(postgres, options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Prints ratios; see bench/README.md.")
    parser.add_argument("benchmark", choices=("metering", "batch", "overview", "alerts", "peers", "kills"))
    parser.add_argument("--rounds", type=int, default=5, help="of everything, in shuffled order (5)")
    parser.add_argument("--seconds", type=int, default=5, help="of every job in a round of metering (5)")
    parser.add_argument("--kills", type=int, default=200, help="of the worker (200)")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 2 seconds: a glance, not a figure")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 3, 2
    return options


if __name__ == "__main__":
    main()
