"""Whatever staff can do in admin or at the command line leaves a row in the audit log. A new way without one fails."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts import closing
from accounts.models import ApiKey, StaffAct, User
from alerts import webhooks
from alerts.models import Delivery, Endpoint
from billing import ledger, notices, refunds, topups
from billing.gateways import sandbox_bank
from billing.models import (
    EventReceipt,
    Refund,
    SandboxDispute,
    SandboxPayment,
    SandboxRefund,
    StaffNotice,
    TopUp,
)
from tests import factories
from tests.alerts.platform import endpoint
from tests.billing.paying import begin, clock, deliver, events, save_card
from tests.staff.people import root
from tests.usage import events as usage_events
from tests.usage.spending import use
from usage import flags
from usage.models import Charge, Flag

pytestmark = pytest.mark.django_db
PROJECT = Path(__file__).parents[2]
STANDARD = ("changelist", "add", "history", "delete", "change")
OF_DJANGO = {
    "index", "login", "logout", "password_change", "password_change_done", "autocomplete", "jsi18n", "view_on_site",
    "app_list", None,
}  # fmt: skip
READING = {"compare_topup", "audit_csv", "account_page", "staff_search"}
ONLY_READ = {  # commands that change nothing of staff's own will, or are no work of staff
    "sweep", "verify_ledger", "reconcile_payments", "seed_demo", "simulate", "erase_accounts", "prune",
}  # fmt: skip


class World:
    """Ada's account, a superuser who is a stranger to it, and whatever an act needs."""

    def __init__(self, ada: User) -> None:
        self.ada, self.client = ada, root()

    def post(self, name: str, /, *args: Any, **data: Any) -> None:
        answer = self.client.post(reverse(f"admin:{name}", args=args), data)
        assert answer.status_code in (302, 303), (name, answer.status_code, answer.content.decode()[:3000])

    def choose(self, table: str, action: str, row: Any, **data: Any) -> None:
        chosen = {"action": action, "_selected_action": [str(row.pk)], **data}
        self.client.post(reverse(f"admin:{table}_changelist"), chosen)

    def paid(self) -> TopUp:
        topup = topups.pay(begin(self.ada, card=save_card(self.ada)))
        assert topup.status == "succeeded"
        return topup

    def payment(self) -> SandboxPayment:
        return SandboxPayment.objects.get(pk=self.paid().payment_id)

    def dispute(self) -> SandboxDispute:
        return sandbox_bank.open_dispute(self.payment(), now=clock())

    def refund(self) -> SandboxRefund:
        origin = {"origin": Refund.Origin.STAFF, "actor": "t", "reason": "t", "now": clock()}
        refunds.refund(self.paid(), Decimal(5), **origin)
        return SandboxRefund.objects.get()

    def event(self) -> EventReceipt:
        self.paid()
        deliver(events("payment_intent.succeeded")[0])
        return EventReceipt.objects.get()

    def notice(self) -> StaffNotice:
        notices.tell_staff("key", "Look.", account_id=self.ada.account_id, now=clock())
        return StaffNotice.objects.get()

    def charge(self) -> Charge:
        return use(self.ada.account_id, usage_events.chat("one"), at=clock())

    def flag(self) -> Flag:
        return flags.flag(self.ada.account_id, self.charge(), by=self.ada, text="Why?", now=clock())

    def key(self) -> ApiKey:
        factories.key(self.ada.account)
        return ApiKey.objects.get()

    def endpoint(self) -> Endpoint:
        return endpoint("https://127.0.0.1:9/")

    def delivery(self) -> Delivery:
        self.endpoint()
        webhooks.queue(self.ada.account_id, key="k", type=webhooks.Type.BALANCE_LOW, data={}, now=clock())
        return Delivery.objects.get()

    def by_hand(self, name: str, **more: str) -> None:
        form = {"amount": "5", "reason": "Ticket 7", "key": "staff:1", **more}
        self.post(f"{name}_balance", self.ada.account_id, **form)

    def unfreeze(self) -> None:
        ledger.freeze(self.ada.account_id, by="staff", frozen=True)
        self.by_hand("unfreeze")

    def price(self) -> None:
        form = {
            "meter": "knowledge.page", "rate": "0.02", "reason": "New", "effective_from_0": "", "effective_from_1": "",
            "tried": "knowledge.page 0.02 None",
        }  # fmt: skip
        self.post("usage_price_add", **form)

    def change_user(self) -> None:
        groups = [str(Group.objects.get(name="support").pk)]
        self.post("accounts_user_change", self.ada.pk, is_active="on", is_staff="on", groups=groups)

    def new_password(self) -> None:
        form = {"usable_password": "true", "password1": "a brand new one", "password2": "a brand new one"}
        self.post("auth_user_password_change", self.ada.pk, **form, **{"set-password": "1"})

    def add_user(self) -> None:
        form = {"usable_password": "true", "password1": "a brand new one", "password2": "a brand new one"}
        self.post("accounts_user_add", email="new@example.com", **form)

    def platform_key(self) -> None:
        self.post(
            "accounts_apikey_add", name="calls", scopes=["usage:write"], expires_at_0="", expires_at_1=""
        )

    def add_endpoint(self) -> None:
        factories.key(None)
        self.post("alerts_endpoint_add", api_key=str(ApiKey.objects.get().pk), url="https://x.example.com/")

    def answer(self) -> None:
        self.post("usage_flag_change", self.flag().pk, outcome="explained", text="It is right.")

    def reopen(self) -> None:
        closing.close(self.ada.account_id, now=clock())
        self.post("reopen_account", self.ada.account.public_id, reason="Closed by mistake")

    def write_note(self) -> None:
        form = {"id": "0197a3c0-0000-7000-8000-000000000001", "text": "Calls on Fridays."}
        self.post("add_staff_note", self.ada.account.public_id, **form)


ACTS: dict[str, Callable[[World], None]] = {
    "accounts.account:change": lambda w: w.post(
        "accounts_account_change", w.ada.account_id, name="New", timezone="UTC"
    ),
    "accounts.user:add": World.add_user,
    "accounts.user:change": World.change_user,
    "auth_user_password_change": World.new_password,
    "auth.group:add": lambda w: w.post("auth_group_add", name="night shift"),
    "auth.group:change": lambda w: w.post(
        "auth_group_change", Group.objects.get(name="support").pk, name="support"
    ),
    "accounts.apikey:add": World.platform_key,
    "accounts.apikey:revoke": lambda w: w.choose("accounts_apikey", "revoke", w.key()),
    "billing.topup:look_again": lambda w: w.choose("billing_topup", "look_again", begin(w.ada, card=save_card(w.ada))),
    "retry_topup": lambda w: w.post("retry_topup", w.paid().pk),
    "billing.eventreceipt:process_again": lambda w: w.choose("billing_eventreceipt", "process_again", w.event()),
    "process_event_again": lambda w: w.post("process_event_again", w.event().pk),
    "billing.staffnotice:done": lambda w: w.choose("billing_staffnotice", "done", w.notice()),
    "billing.sandboxpayment:refund": lambda w: w.choose("billing_sandboxpayment", "refund", w.payment(), amount="5"),
    "billing.sandboxpayment:dispute": lambda w: w.choose("billing_sandboxpayment", "dispute", w.payment()),
    "billing.sandboxpayment:ask": lambda w: w.choose("billing_sandboxpayment", "ask", w.payment()),
    "billing.sandboxpayment:warn": lambda w: w.choose("billing_sandboxpayment", "warn", w.payment()),
    "billing.sandboxrefund:fail": lambda w: w.choose("billing_sandboxrefund", "fail", w.refund()),
    "billing.sandboxdispute:win": lambda w: w.choose("billing_sandboxdispute", "win", w.dispute()),
    "billing.sandboxdispute:lose": lambda w: w.choose("billing_sandboxdispute", "lose", w.dispute()),
    "grant_balance": lambda w: w.by_hand("grant"),
    "adjust_balance": lambda w: w.by_hand("adjust"),
    "receive_balance": lambda w: w.by_hand("receive", topup_id="top_00000000000000000000000007"),
    "freeze_balance": lambda w: w.by_hand("freeze"),
    "unfreeze_balance": World.unfreeze,
    "refund_topup": lambda w: w.post(
        "refund_topup", w.paid().pk, refund="ref_00000000000000000000000007", amount="5", reason="Ticket 7"
    ),
    "usage.charge:reverse": lambda w: w.choose("usage_charge", "reverse", w.charge(), reason="Wrong"),
    "reverse_charge": lambda w: w.post("reverse_charge", w.charge().pk, reason="Wrong"),
    "usage.flag:change_view": World.answer,
    "usage.price:add": World.price,
    "usage.price:add_view": World.price,
    "alerts.endpoint:add": World.add_endpoint,
    "alerts.endpoint:change": lambda w: w.post(
        "alerts_endpoint_change", w.endpoint().pk, url="https://y.example.com/"
    ),
    "endpoint_test": lambda w: w.post("endpoint_test", w.endpoint().pk),
    "endpoint_rotate": lambda w: w.post("endpoint_rotate", w.endpoint().pk),
    "endpoint_turn_on": lambda w: w.post("endpoint_turn_on", w.endpoint().pk),
    "endpoint_turn_off": lambda w: w.post("endpoint_turn_off", w.endpoint().pk),
    "alerts.delivery:send_again": lambda w: w.choose("alerts_delivery", "send_again", w.delivery()),
    "send_delivery_again": lambda w: w.post("send_delivery_again", w.delivery().pk),
    "add_staff_note": World.write_note,
    "reopen_account": World.reopen,
}  # fmt: skip


@pytest.fixture(autouse=True)
def the_next_group_has_a_number_of_its_own(db: None) -> None:
    """Tests that empty the database make the groups anew and may leave their sequence behind them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('auth_group', 'id'), max(id)) FROM auth_group")


def ways(user: User) -> set[str]:
    """Everything in admin that may do something, for a superuser."""
    request = RequestFactory().get("/")
    request.user = user
    found = {pattern.name for pattern in admin.site.get_urls() if hasattr(pattern, "name")} - OF_DJANGO
    for model, table in admin.site._registry.items():
        label, url_name = model._meta.label_lower, f"{model._meta.app_label}_{model._meta.model_name}"
        assert not table.has_delete_permission(request), f"{label} can be deleted"
        found |= {f"{label}:{name}" for name in table.get_actions(request)}
        found |= {f"{label}:add"} if table.has_add_permission(request) else set()
        found |= {f"{label}:change"} if table.has_change_permission(request) else set()
        own = {pattern.name for pattern in table.get_urls() if hasattr(pattern, "name")} - {None}
        found |= own - {f"{url_name}_{name}" for name in STANDARD}
        views = ("add_view", "change_view", "changelist_view", "delete_view", "changeform_view")
        found |= {f"{label}:{view}" for view in views if is_ours(table, view)}
    return found - READING


def is_ours(table: ModelAdmin, view: str) -> bool:
    module = getattr(type(table), view).__module__
    return not module.startswith("django.") and module != "accounts.admin.recorded"


def test_it_knows_every_way_to_do_something(ada: User) -> None:
    staff = User.objects.create_superuser("root@example.com", factories.PASSWORD)
    list_of_keys = {"accounts.apikey:change"}  # opens the list for `revoke`; a key never changes
    of_django = {"accounts.user:add_view"}
    assert ways(staff) - list_of_keys - of_django == set(ACTS)


@pytest.mark.parametrize("name", ACTS)
def test_it_writes_down_every_act(ada: User, name: str, settings: Any) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    world = World(ada)
    ACTS[name](world)
    act = StaffAct.objects.latest("id")
    assert act.staff == User.objects.get(email="root@example.com")
    assert act.act
    assert act.request_id.startswith("req_")
    assert not LogEntry.objects.exists(), "there is one log"
    told = f"{act.details} {act.target}"
    assert "@" not in told, "the log outlives the person"


# --- Commands -------------------------------------------------------------------------------------------------

COMMANDS: dict[str, Callable[[User], list[str]]] = {
    "set_price": lambda ada: ["--meter", "knowledge.page", "--rate", "0.02"],
    "adjust_balance": lambda ada: [
        "--account",
        ada.account.public_id,
        "--amount",
        "3",
        "--reason",
        "Ticket 7",
    ],
    "freeze_account": lambda ada: ["--account", ada.account.public_id],
    "unfreeze_account": lambda ada: ["--account", ada.account.public_id],
    "create_platform_key": lambda ada: ["--name", "calls"],
    "create_account": lambda ada: ["--email", "new@example.com"],
    "rebuild_daily_spend": lambda ada: ["--account", ada.account.public_id],
    "reopen_account": lambda ada: ["--account", ada.account.public_id, "--reason", "Closed by mistake"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_it_writes_down_what_a_command_did(ada: User, name: str) -> None:
    if name == "reopen_account":
        closing.close(ada.account_id, now=clock())
    call_command(name, *COMMANDS[name](ada), verbosity=0)
    assert StaffAct.objects.get().staff is None


def test_it_knows_every_command() -> None:
    files = PROJECT.glob("*/management/commands/*.py")
    assert {file.stem for file in files} - {"__init__"} - ONLY_READ == set(COMMANDS)


def test_a_refused_act_leaves_no_row(ada: User) -> None:
    world = World(ada)
    path = reverse("admin:adjust_balance", args=[ada.account_id])
    answer = world.client.post(path, {"amount": "-50", "reason": "Too much", "key": "staff:1"})
    assert "Nothing was changed" in answer.content.decode()
    assert not StaffAct.objects.exists()


def test_a_double_click_is_one_act(ada: User) -> None:
    world = World(ada)
    for _ in range(2):
        world.by_hand("grant")
        world.by_hand("receive", topup_id="top_00000000000000000000000007")
        world.by_hand("freeze")
        world.write_note()
    assert sorted(StaffAct.objects.values_list("act", flat=True)) == [
        "enter bank transfer", "freeze spending", "grant credit", "write note",
    ]  # fmt: skip
    assert TopUp.objects.get().mode == "manual"


def test_a_transfer_s_form_is_not_sent_again_with_another_amount(ada: User) -> None:
    world = World(ada)
    topup_id = "top_00000000000000000000000007"
    world.by_hand("receive", topup_id=topup_id)
    path = reverse("admin:receive_balance", args=[ada.account_id])
    again = world.client.post(path, {"amount": "6", "reason": "Again", "topup_id": topup_id})
    assert "Nothing more was added." in again.content.decode()
    assert TopUp.objects.count() == 1


@pytest.mark.parametrize("group", ["support", "billing", "pricing"])
def test_only_superusers_enter_transfers(ada: User, group: str) -> None:
    from tests.staff.people import clerk

    client: Client = clerk(group)
    path = reverse("admin:receive_balance", args=[ada.account_id])
    assert client.post(path, {"amount": "5000", "reason": "?"}).status_code == 403
    assert (
        "Enter a bank transfer"
        not in client.get(reverse("admin:account_page", args=[ada.account.public_id])).content.decode()
    )


def test_now_is_the_time_of_the_act(ada: User) -> None:
    before = timezone.now()
    World(ada).by_hand("grant")
    assert before <= StaffAct.objects.get().at <= timezone.now()
