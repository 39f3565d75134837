"""The tables of money, by subject."""

from billing.models.ledger import Balance, Hold, LedgerCheck, LedgerEntry, TrialClaim, VerifiedThrough
from billing.models.payments import (
    Customer,
    Dispute,
    EventReceipt,
    Installation,
    Mode,
    PaymentMethod,
    TopUp,
    brand_name,
)
from billing.models.sandbox import (
    SandboxCard,
    SandboxCustomer,
    SandboxDispute,
    SandboxEvent,
    SandboxKey,
    SandboxPage,
    SandboxPayment,
    SandboxRefund,
)

__all__ = [
    "Balance",
    "Customer",
    "Dispute",
    "EventReceipt",
    "Hold",
    "Installation",
    "LedgerCheck",
    "LedgerEntry",
    "Mode",
    "PaymentMethod",
    "SandboxCard",
    "SandboxCustomer",
    "SandboxDispute",
    "SandboxEvent",
    "SandboxKey",
    "SandboxPage",
    "SandboxPayment",
    "SandboxRefund",
    "TopUp",
    "TrialClaim",
    "VerifiedThrough",
    "brand_name",
]
