"""StripeGateway: Stripe by its official package, at the API version that the package pins. Amounts are cents.

What must not happen twice carries a key of our rows; what does no harm twice (cancel, close, detach) carries the
package's own. Metadata names our row and this installation, so that events lead back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property

import stripe
from stripe.params import PaymentIntentCreateParams, PaymentIntentListParams
from stripe.params.checkout import SessionCreateParams, SessionCreateParamsPaymentIntentData

from billing.gateways import Card, Event, Page, Payment, Refund, Rejected, Status, stripe_events
from billing.gateways.stripe_errors import translated
from billing.gateways.stripe_line import NarrowLine
from billing.gateways.stripe_objects import DECLINED, as_card, as_page, as_payment, as_refund, id_of, part
from billing.installation import installation_id
from billing.models import Mode

TIMEOUT = 15  # seconds, of one try
RETRIES = 1  # by the package itself, under the same key; the sweep does the rest
WITH_CHARGE = "latest_charge"


class StripeGateway:
    label = "Stripe"

    def __init__(
        self, *, secret_key: str, webhook_secrets: Sequence[str], mode: Mode, api_base: str,
        timeout: float = TIMEOUT, http_client: stripe.HTTPClient | None = None,
    ) -> None:  # fmt: skip
        stripe.enable_telemetry = False  # it would write a file into the home directory
        self.mode, self.webhook_secrets = mode, webhook_secrets
        self.client = stripe.StripeClient(
            secret_key, max_network_retries=RETRIES, base_addresses={"api": api_base},
            http_client=http_client or NarrowLine(timeout=timeout),
        )  # fmt: skip

    @cached_property
    def v1(self) -> stripe.V1Services:
        return self.client.v1

    # --- customers and cards --------------------------------------------------------------------------------

    def create_customer(self, *, reference: str, email: str) -> str:
        ours = {"account": reference.partition(":")[0], "installation": installation_id()}
        with translated():
            made = self.v1.customers.create(
                {"email": email, "metadata": ours}, {"idempotency_key": f"customer:{reference}"}
            )
            return made.id

    def cards(self, customer: str) -> list[Card]:
        with translated(about="customer"):
            saved = self.v1.customers.payment_methods.list(customer, {"type": "card", "limit": 100})
            return [as_card(method) for method in saved.auto_paging_iter()]

    def remove_card(self, card: str) -> None:
        with translated():
            try:
                self.v1.payment_methods.detach(card)
            except stripe.InvalidRequestError as refusal:
                self._refuse_gone(card, refusal)
                raise

    # --- paying ---------------------------------------------------------------------------------------------

    def checkout(
        self, *, reference: str, customer: str, amount: int, currency: str, description: str,
        success_url: str, cancel_url: str, save_card: bool, expires_at: datetime,
    ) -> Page:  # fmt: skip
        ours = self._ours(topup=reference)
        intent: SessionCreateParamsPaymentIntentData = {"description": description, "metadata": ours}
        if save_card:
            intent["setup_future_usage"] = "off_session"
        wanted: SessionCreateParams = {
            "mode": "payment", "customer": customer, "client_reference_id": reference, "metadata": ours,
            "line_items": [{"quantity": 1, "price_data": {
                "currency": currency, "unit_amount": amount, "product_data": {"name": description},
            }}],
            "payment_intent_data": intent, "success_url": success_url, "cancel_url": cancel_url,
            "expires_at": int(expires_at.timestamp()),
        }  # fmt: skip
        with translated():
            made = self.v1.checkout.sessions.create(wanted, {"idempotency_key": f"checkout:{reference}"})
            return as_page(made)

    def card_setup(
        self, *, reference: str, customer: str, currency: str, success_url: str, cancel_url: str
    ) -> Page:
        ours = self._ours(account=reference)
        wanted: SessionCreateParams = {
            "mode": "setup", "customer": customer, "currency": currency, "client_reference_id": reference,
            "metadata": ours, "setup_intent_data": {"metadata": ours},
            "success_url": success_url, "cancel_url": cancel_url,
        }  # fmt: skip
        with translated():
            return as_page(self.v1.checkout.sessions.create(wanted))

    def charge(
        self, *, reference: str, customer: str, card: str, amount: int, currency: str, description: str,
        off_session: bool, return_url: str,
    ) -> Payment:  # fmt: skip
        ours = self._ours(topup=reference)
        wanted: PaymentIntentCreateParams = {
            "amount": amount, "currency": currency, "customer": customer, "payment_method": card,
            "confirm": True, "description": description, "metadata": ours, "expand": [WITH_CHARGE],
        }  # fmt: skip
        if off_session:
            wanted["off_session"] = True
        else:
            wanted["return_url"] = return_url
        with translated():
            try:
                key = f"charge:{reference}"
                return as_payment(self.v1.payment_intents.create(wanted, {"idempotency_key": key}))
            except stripe.CardError as refusal:
                asked = Payment(
                    id="", status=Status.FAILED, amount=amount, received=0, currency=currency,
                    customer=customer, card=card, reference=reference, installation=ours["installation"],
                )  # fmt: skip
                return declined(refusal, asked)
            except stripe.InvalidRequestError as refusal:
                self._refuse_gone(card, refusal, owner=customer)
                raise

    def _refuse_gone(self, card: str, refusal: stripe.InvalidRequestError, *, owner: str = "") -> None:
        """Of a card that was detached, Stripe says only without a code that it "may not be used again"."""
        if refusal.code:
            return
        holder = id_of(part(self.v1.payment_methods.retrieve(card), "customer"))
        if holder is None or holder != (owner or holder):
            raise Rejected(str(refusal), "resource_missing", "payment_method") from refusal

    def confirm(self, *, reference: str, payment_id: str, card: str, return_url: str) -> Payment:
        with translated():
            try:
                confirmed = self.v1.payment_intents.confirm(
                    payment_id,
                    {"payment_method": card, "return_url": return_url, "expand": [WITH_CHARGE]},
                    {"idempotency_key": f"confirm:{reference}"},
                )
                return as_payment(confirmed)
            except stripe.CardError as refusal:
                known = self.payment(payment_id)  # another window may have paid it meanwhile
                return known if known.status is Status.SUCCEEDED else declined(refusal, known)

    def payment(self, payment_id: str, *, retries: int = RETRIES) -> Payment:
        with translated():
            found = self.v1.payment_intents.retrieve(
                payment_id, {"expand": [WITH_CHARGE]}, {"max_network_retries": retries}
            )
            return as_payment(found)

    def find_payment(self, *, customer: str, reference: str) -> Payment | None:
        with translated():
            try:
                newest_first = self.v1.payment_intents.list(
                    {"customer": customer, "limit": 100, "expand": [f"data.{WITH_CHARGE}"]}
                ).auto_paging_iter()
                found = (item for item in newest_first if part(item, "metadata", "topup") == reference)
                return next(map(as_payment, found), None)
            except stripe.InvalidRequestError as refusal:
                if refusal.code == "resource_missing":  # the customer was deleted: nobody to look under
                    return None
                raise

    def payments(self, *, since: datetime, until: datetime) -> Iterator[Payment]:
        wanted: PaymentIntentListParams = {
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
            "limit": 100, "expand": [f"data.{WITH_CHARGE}"],
        }  # fmt: skip
        with translated():
            yield from map(as_payment, self.v1.payment_intents.list(wanted).auto_paging_iter())

    def cancel(self, payment_id: str) -> Payment:
        try:
            with translated():
                return as_payment(self.v1.payment_intents.cancel(payment_id, {"expand": [WITH_CHARGE]}))
        except Rejected:  # too late, or canceled already: what it is now counts
            return self.payment(payment_id)

    def close_page(self, page_id: str) -> None:
        with translated():
            if self.v1.checkout.sessions.retrieve(page_id).status == "open":
                self.v1.checkout.sessions.expire(page_id)

    # --- refunds --------------------------------------------------------------------------------------------

    def refund(self, *, reference: str, payment_id: str, amount: int) -> Refund:
        ours = self._ours(refund=reference)
        with translated():
            made = self.v1.refunds.create(
                {"payment_intent": payment_id, "amount": amount, "metadata": ours},
                {"idempotency_key": f"refund:{reference}"},
            )
            return as_refund(made)

    def refunds(self, payment_id: str) -> list[Refund]:
        with translated():
            every = self.v1.refunds.list({"payment_intent": payment_id, "limit": 100})
            return [as_refund(refund) for refund in every.auto_paging_iter()]

    # --- events ---------------------------------------------------------------------------------------------

    def parse_event(self, body: bytes, signature: str) -> Event:
        return stripe_events.verified(body, signature, self.webhook_secrets)

    def read_event(self, body: bytes) -> Event:
        return stripe_events.read(body, self)

    def _ours(self, **row: str) -> dict[str, str]:
        """Metadata of everything we make: which row of ours, of which installation."""
        return {**row, "installation": installation_id()}


def declined(refusal: stripe.CardError, asked: Payment) -> Payment:
    """The bank's no as a value: of the payment that Stripe names, else of what was asked for."""
    intent = part(refusal.error, "payment_intent")
    return replace(
        as_payment(intent) if intent else asked,
        status=Status.FAILED,
        code=refusal.code or "card_declined",
        decline_code=part(refusal.error, "decline_code") or "",
        message=refusal.user_message or DECLINED,
    )
