"""The tables of money, by subject."""

from billing.models.events import EventReceipt, Reconciliation, StaffNotice
from billing.models.ledger import Balance, Hold, LedgerCheck, LedgerEntry, TrialClaim, VerifiedThrough
from billing.models.payments import (
    BillingDetails,
    Customer,
    Installation,
    Mode,
    PaymentMethod,
    brand_name,
)
from billing.models.refunds import Dispute, Refund
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
from billing.models.topups import AutoTopup, TopUp

__all__ = [
    "AutoTopup",
    "Balance",
    "BillingDetails",
    "Customer",
    "Dispute",
    "EventReceipt",
    "Hold",
    "Installation",
    "LedgerCheck",
    "LedgerEntry",
    "Mode",
    "PaymentMethod",
    "Reconciliation",
    "Refund",
    "SandboxCard",
    "SandboxCustomer",
    "SandboxDispute",
    "SandboxEvent",
    "SandboxKey",
    "SandboxPage",
    "SandboxPayment",
    "SandboxRefund",
    "StaffNotice",
    "TopUp",
    "TrialClaim",
    "VerifiedThrough",
    "brand_name",
]
