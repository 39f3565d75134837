"""The tables of money, by subject."""

from billing.models.ledger import Balance, Hold, LedgerEntry, TrialClaim

__all__ = ["Balance", "Hold", "LedgerEntry", "TrialClaim"]
