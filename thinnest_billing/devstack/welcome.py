"""The demo account of `make run`: who fills it, who keeps it moving, and what a newcomer is told."""

import json
import os
import sys
from collections.abc import Mapping

from thinnest_billing.devstack import trial

Known = Mapping[str, str]  # what `seed_demo` keeps in demo.json
PACE = "0.15"  # pieces of work a second: a few dollars an hour, so the balance moves and lasts for hours
SEEDING = [sys.executable, "-m", "django", "seed_demo", "--verbosity", "0"]


def demo_exists() -> bool:
    return (trial.home() / "demo.json").exists()


def read_demo() -> Known:
    return dict(json.loads((trial.home() / "demo.json").read_text()))


def simulator(url: str) -> list[str]:
    return [sys.executable, "-m", "django", "simulate", "--url", url, "--rate", PACE, "--verbosity", "0"]


def simulator_environment(demo: Known) -> dict[str, str]:
    """The key travels where no list of processes shows it."""
    return os.environ | {"SIMULATE_ACCOUNT": demo["account"], "SIMULATE_KEY": demo["platform_key"]}


def text(url: str, demo: Known) -> str:
    admin = f"{url}/{os.environ.get('ADMIN_PATH') or 'admin/'}"
    return f"""
  Demo sign-in  {demo["email"]}  {demo["password"]}
  Staff         {demo["staff_email"]}  {demo["staff_password"]}  at {admin}
  API key       {demo["api_key"]}
  Test card     {demo["payment_method_id"]}
  Try it        curl "{url}/billing/v3/balance?period=month" -H "Authorization: Bearer {demo["api_key"]}"

A simulator acts as the agent platform over the API, so the balance moves while you look."""
