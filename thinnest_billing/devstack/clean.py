"""Forgets the trial's data: part of `make clean`."""

import shutil

from thinnest_billing.devstack import trial

site = trial.running_site() if trial.home().exists() else None
if site is not None:
    raise SystemExit(f"It is running at {site.get('url')} (process {site.get('pid')}): stop it first.")
shutil.rmtree(trial.home(), ignore_errors=True)
