"""Django admin for money: everything is read-only, and what staff may do is an act with a reason.

Rights: `billing.add_ledgerentry` grants and adjusts, `billing.change_balance` freezes, `billing.change_topup` asks
the processor, `billing.change_eventreceipt` processes an event again, `billing.change_staffnotice` marks as done,
`billing.add_refund` refunds.
"""

from billing.admin import balances, events, notices, payments, proofs, receipts, refunds, sandbox
from billing.admin.read_only import ReadOnly

__all__ = [
    "ReadOnly",
    "balances",
    "events",
    "notices",
    "payments",
    "proofs",
    "receipts",
    "refunds",
    "sandbox",
]
