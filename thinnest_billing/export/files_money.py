"""The files about money: the balance, every movement of it, top-ups and what went back, cards."""

from collections.abc import Iterator

from accounts import ids
from billing.models import (
    AutoTopup,
    Balance,
    BillingDetails,
    Dispute,
    Hold,
    LedgerEntry,
    PaymentMethod,
    Refund,
    TopUp,
)
from thinnest_billing.export.table import Asked, File, column, in_chunks

MODE = "sandbox, stripe_test, stripe_live or manual"


def _entries(asked: Asked) -> Iterator[LedgerEntry]:
    rows = LedgerEntry.objects.filter(account=asked.account, seq__lte=asked.balance.seq)
    return in_chunks(rows, by="seq")


FILES = (
    File(
        "balance.json", "The balance at the moment of the export.", (Balance,), lambda asked: iter([asked.balance]),
        (
            column("granted", "dollars of credit that we gave"), column("paid", "dollars from top-ups"),
            column("held", "dollars reserved for work that has begun"),
            column("movements", "how many lines ledger.csv has", "seq"),
            column("as_of", "when it last moved", "last_recorded_at"),
            column("depleted_at", "since when it is used up"),
            column("refused_at", "since when requests do not fit"),
            column("refused_amount", "dollars that the last such request needed"),
            column("frozen_by_owner_at", "since when its owner froze it", "owner_froze_at"),
            column("frozen_by_us_at", "since when we froze it", "staff_froze_at"),
            column("unfrozen_at", "when the last freeze was lifted"),
        ),
    ),
    File(
        "ledger.csv", "Every movement of the balance, the first one first. Each line follows from the one before.",
        (LedgerEntry,), _entries,
        (
            column("number", "1, 2, 3 and so on, without a gap", "seq"),
            column("id", "its id; of a charge also the charge's",
                   lambda row, asked: ids.public("bill" if row.kind == "charge" else "entry", row.id)),
            column("kind", "grant, topup, charge, reversal, refund, dispute, dispute_won or adjustment"),
            column("recorded_at", "when"), column("day", "the day it counts to, in your time zone then"),
            column("granted", "dollars it moved of granted credit"), column("paid", "dollars it moved of paid funds"),
            column("granted_after", "granted credit after it"), column("paid_after", "paid funds after it"),
            column("by", "who caused it", lambda row, asked: asked.who(row.actor)),
            column("reason", "why, where somebody wrote it down"),
            column("refers_to", "the id of what it is about", "key"),
        ),
        is_small=False,
    ),
    File(
        "holds.csv", "Funds reserved for work.", (Hold,),
        lambda asked: in_chunks(Hold.objects.filter(account=asked.account), by="key"),
        (
            column("id", "its id", "public_id"), column("key", "the platform's own name for it"),
            column("amount", "dollars"), column("state", "open, captured, released or expired"),
            column("purpose", "chat, voice or knowledge"), column("terms", "quantities and the rates it froze"),
            column("created_at", "when it was made"), column("expires_at", "until when it held"),
            column("ended_at", "when it ended"),
        ),
        is_small=False,
    ),
    File(
        "top_ups.csv", "Top-ups; the id is the number of the receipt.", (TopUp,),
        lambda asked: in_chunks(TopUp.objects.filter(account=asked.account)),
        (
            column("id", "its id, and the receipt's number", "public_id"), column("created_at", "when"),
            column("origin", "page, api, auto or staff"), column("by", "who", lambda row, asked: asked.who(row.actor)),
            column("reason", "why, where we entered it"), column("amount", "dollars asked for"),
            column("received", "dollars that came in"), column("status", "what became of it"),
            column("brand", "of the card"), column("last4", "its last four digits"),
            column("failure", "why it failed", "failure_message"), column("declined_at", "when the bank declined"),
            column("ended_at", "when it ended"), column("payment_id", "its id at the payment service"),
            column("mode", MODE),
        ),
    ),
    File(
        "refunds.csv", "What was paid back.", (Refund,),
        lambda asked: in_chunks(Refund.objects.filter(account=asked.account).select_related("topup")),
        (
            column("id", "its id", "public_id"), column("top_up", "of which top-up", "topup.public_id"),
            column("created_at", "when"), column("origin", "customer, staff or gateway"),
            column("by", "who", lambda row, asked: asked.who(row.actor)), column("reason", "why"),
            column("amount", "dollars paid back"), column("taken", "dollars that left the balance for it"),
            column("status", "what became of it"), column("ended_at", "when it ended"), column("mode", MODE),
        ),
    ),
    File(
        "disputes.csv", "Payments that a bank took back, or asked about.", (Dispute,),
        lambda asked: in_chunks(Dispute.objects.filter(topup__account=asked.account).select_related("topup")),
        (
            column("id", "its id at the payment service"), column("top_up", "of which top-up", "topup.public_id"),
            column("created_at", "when"), column("amount", "dollars disputed"),
            column("taken", "dollars that left the balance for it"), column("status", "what became of it"),
            column("mode", MODE),
        ),
    ),
    File(
        "cards.csv", "Saved cards. The payment service has the number; we never had it.", (PaymentMethod,),
        lambda asked: in_chunks(PaymentMethod.objects.filter(account=asked.account)),
        (
            column("id", "its id at the payment service", "gateway_id"), column("brand", "its brand"),
            column("last4", "its last four digits"), column("exp_month", "the month it expires"),
            column("exp_year", "the year it expires"), column("is_default", "charged unless you choose another"),
            column("created_at", "when it was saved"), column("removed_at", "when it was removed"),
            column("mode", MODE),
        ),
    ),
    File(
        "auto_topup.json", "Auto-topup; null if it was never saved.", (AutoTopup,),
        lambda asked: iter(AutoTopup.objects.filter(pk=asked.account.pk)),
        (
            column("enabled", "whether it is on"), column("threshold", "dollars below which it charges"),
            column("amount", "dollars it charges"), column("monthly_limit", "dollars a month at most"),
            column("card", "the card's id at the payment service"), column("consented_at", "when you agreed to it"),
            column("consented_by", "which member agreed"), column("failures", "declines in a row"),
            column("next_attempt_at", "when it tries again"), column("stopped_reason", "why we stopped it"),
            column("stopped_at", "when we stopped it"),
        ),
    ),
    File(
        "billing_details.json", "What is printed on receipts; null if you gave nothing.", (BillingDetails,),
        lambda asked: iter(BillingDetails.objects.filter(pk=asked.account.pk)),
        (column("name", "the name"), column("address", "the address"), column("tax_id", "the tax id")),
    ),
)  # fmt: skip
