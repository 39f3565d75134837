"""The composition root: settings, URLs, Celery, health, the runner, and the one page that mixes all apps.

May import every app; nobody imports it. Two signals tie the apps together, each carrying only an account id
(who hears one re-reads the facts, so a late, lost or repeated signal is harmless):

- `accounts.signals.account_opened`: the owner's email address is confirmed. billing opens the Balance and
  grants the trial.
- `billing.signals.billing_changed`: after commit, whenever money or a hold moved. Listeners re-read what they
  need.
"""

__version__ = "0.1.0"
