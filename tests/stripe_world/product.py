"""The product as this test runs it: its own HTTP server, an account with a card saved at the world, Stripe's post."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from accounts.models import User
from billing import auto_charge, payment_methods, selectors
from billing.auto_topup import Wish
from billing.gateways import Card
from billing.models import TopUp
from billing.reconciliation import reconcile
from tests import factories
from tests.accounts.mailbox import subjects
from tests.billing.paying import WEBHOOK, clock
from tests.stripe_world.world import NUMBERS, World, sign
from usage.verify import verify_ledger

MESSAGE = {"type": "chat", "model": "gpt-4-turbo", "input_tokens": 50_000, "output_tokens": 5_000}  # $0.65


class Product:
    """`ada` pays. Her account begins with the trial's dollar."""

    def __init__(self, url: str, world: World, ada: User) -> None:
        self.url, self.world, self.ada = url, world, ada
        self.customer = payment_methods.customer_of(ada.account_id)
        self._key = factories.key(ada.account)

    # --- What Stripe does -----------------------------------------------------------------------------------

    def post(self, body: bytes, *, signature: str | None = None) -> int:
        """One delivery to our webhook over HTTP; its status."""
        headers = {
            "Content-Type": "application/json",
            "Stripe-Signature": sign(body) if signature is None else signature,
        }
        return self._send("POST", WEBHOOK, body, headers)[0]

    def relay(self, bodies: Iterable[bytes] | None = None) -> list[str]:
        """Deliver what happened since the last time; the types. Our webhook must take each."""
        told = list(self.world.events() if bodies is None else bodies)
        assert [self.post(body) for body in told] == [200] * len(told)
        return [json.loads(body)["type"] for body in told]

    # --- What its customer does -----------------------------------------------------------------------------

    def save_card(self, kind: str = "ok") -> str:
        """A card attached at the world; we hear of it by its event."""
        card = self.world.card(self.customer, kind)
        assert "payment_method.attached" in self.relay()
        return card

    def hold_card(self, kind: str) -> str:
        """A saved card that its bank would decline by now: the world lets nobody attach such a card today."""
        loose = self.world.loose_card(kind)
        payment_methods.remember(
            Card(loose, self.customer, "visa", NUMBERS[kind][-4:], 12, 2034), now=clock()
        )
        return loose

    def wish(self, card: str, *, threshold: str = "0.50") -> None:
        """Auto-topup: below the threshold, $25 on this card. The trial's dollar is above it."""
        wanted = Wish(
            enabled=True, threshold=Decimal(threshold), amount=Decimal(25), card=card,
            monthly_limit=Decimal(500),
        )  # fmt: skip
        auto_charge.save(self.ada.account_id, wanted, actor=self.ada.public_id, now=clock())

    def say(self, event_id: str) -> tuple[int, dict[str, Any]]:
        """A message of $0.65, as the platform records it."""
        body = json.dumps({"event_id": event_id, **MESSAGE}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        status, answer = self._send("POST", "/billing/v3/usage", body, headers)
        return status, json.loads(answer)

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read()

    # --- What came of it ------------------------------------------------------------------------------------

    @property
    def balance(self) -> Decimal:
        return selectors.balance_of(self.ada.account_id).balance

    def auto_rows(self) -> list[TopUp]:
        """What auto-topup made, oldest first."""
        rows = TopUp.objects.filter(account_id=self.ada.account_id, origin=TopUp.Origin.AUTO)
        return list(rows.order_by("created_at"))

    def letters(self) -> list[str]:
        """The subjects of her mail, oldest first."""
        return subjects(self.ada.email)

    def prove(self) -> None:
        """The ledger is sound, and the world's books and ours agree, payment by payment."""
        assert verify_ledger(now=clock()).breaches == []
        compared = reconcile(now=clock() + timedelta(seconds=2))  # the world's clock counts whole seconds
        assert (compared.differences, compared.payments) == ([], len(self.world.objects("payment_intents")))
