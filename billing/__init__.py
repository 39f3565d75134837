"""Money only: the balance, the ledger, holds, top-ups and the gateways to payment processors.

Has never heard of tokens, models or agents. Imports `accounts` and nothing further right.

One gate: the SQL functions of `billing/sql/` are the only writers of Balance, LedgerEntry and Hold (3-money of the
spec; a test greps for others). Everything else re-reads facts: `billing.selectors` for balances,
`billing.signals.billing_changed` after every commit that moved money or a hold.
"""
