"""/metrics: what it tells, to whom, what it costs, and what it never tells."""

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

import thinnest_billing
from accounts import redis_link
from accounts.models import Mail, User
from billing import topups
from billing.models import LedgerCheck, Reconciliation, StaffNotice
from tests import factories
from tests.api_client import ApiClient
from tests.billing.paying import LosesAnswers, begin, save_card
from tests.usage.events import chat
from thinnest_billing.metrics import counting, measuring, text
from thinnest_billing.models import Heartbeat
from usage import metering

pytestmark = pytest.mark.django_db
TOKEN = "prometheus-only"


@pytest.fixture(autouse=True)
def asked_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.METRICS_TOKEN = TOKEN
    monkeypatch.setattr(counting, "timings", {})
    monkeypatch.setattr(counting, "refusals", counting.Counter())


def scrape() -> dict[str, Decimal]:
    """Every sample by its name and labels, read as Prometheus reads them."""
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer["Content-Type"] == text.CONTENT_TYPE
    return parse(answer.content.decode())


def parse(body: str) -> dict[str, Decimal]:
    found = {}
    for line in body.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP|TYPE) thinnest_billing_\w+ \S.*", line), line
            continue
        name, labels, value = re.fullmatch(r"thinnest_billing_(\w+)(\{.*\})? (\S+)", line).groups()
        found[name + (labels or "")] = Decimal(value)
    return found


def test_it_is_not_there_without_a_token(settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    assert Client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}])
def test_it_tells_nobody_else(sent: dict[str, str]) -> None:
    answer = Client().get("/metrics", headers=sent)
    assert answer.status_code == 401
    assert b"thinnest" not in answer.content


def test_it_tells_what_was_charged_by_type_and_day(ada: User) -> None:
    assert metering.record(ada.account_id, chat("one")).status == "recorded"
    assert metering.record(ada.account_id, chat("two")).status == "recorded"
    found = scrape()
    day = f'{{day="{datetime.now(UTC):%Y-%m-%d}",type="chat"}}'
    assert found["charges_total" + day] == 2
    assert found["charged_dollars_total" + day] == Decimal("0.000783")


def test_it_counts_requests_by_route_and_refusals_by_code(ada: User, ada_key: str) -> None:
    """Ids in an address make no series of their own, nor does what a stranger types."""
    api = ApiClient()
    api.get("/billing/v3/balance", key=ada_key)
    api.get("/billing/v3/balance", key="tb_test_wrong")
    api.get("/billing/history/me", key=ada_key)
    api.get("/no/such/page")
    api.send("SPELL", "/healthz")
    found = scrape()
    balance = 'method="GET",route="billing/v3/balance"'
    assert found[f'request_seconds_count{{{balance},status="200"}}'] == 1
    assert found[f'request_seconds_bucket{{{balance},status="200",le="+Inf"}}'] == 1
    assert found[f'request_seconds_sum{{{balance},status="200"}}'] > 0
    assert found[f'request_seconds_count{{{balance},status="401"}}'] == 1
    assert found['refusals_total{code="unauthorized"}'] == 1
    routes = {name.partition('route="')[2].partition('"')[0] for name in found if "route=" in name}
    assert routes == {"billing/v3/balance", "billing/history/<user_id>", "unmatched", "healthz"}
    assert found['request_seconds_count{method="other",route="healthz",status="200"}'] == 1


def test_its_buckets_add_up() -> None:
    for seconds in (0.0005, 0.001, 0.0011, 0.3, 99):
        counting.count(("GET", "r", "200"), seconds)
    found = scrape()
    heights = [found[f'request_seconds_bucket{{method="GET",route="r",status="200",le="{le}"}}']
               for le in ("0.001", "0.0025", "0.25", "0.5", "10.0", "+Inf")]  # fmt: skip
    assert heights == [2, 3, 3, 4, 4, 5]


def test_it_tells_topups_by_outcome_and_gateway(ada: User) -> None:
    topups.pay(begin(ada, card=save_card(ada)))
    topups.pay(begin(ada, card=save_card(ada, "pm_card_chargeCustomerFail")))
    topups.record_manual(ada.account_id, Decimal(15), actor="t", reason="transfer")
    found = scrape()
    assert found['topups_day{gateway="sandbox",origin="page",outcome="succeeded"}'] == 1
    assert found['topups_day{gateway="sandbox",origin="page",outcome="failed"}'] == 1
    assert found['topups_day{gateway="manual",origin="staff",outcome="succeeded"}'] == 1


def test_it_tells_what_waits(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    with monkeypatch.context() as broken:
        broken.setattr("billing.gateways.gateway", LosesAnswers)
        topups.pay(begin(ada, card=save_card(ada), now=now - timedelta(minutes=11)))
    StaffNotice.objects.create(key="k", text="look", created_at=now)
    waiting = Mail.objects.filter(next_try_at__lte=now).count()
    Mail.objects.create(to="ada@example.com", subject="s", text="t", html="h", next_try_at=now)
    Heartbeat.beat("sweep", now=now - timedelta(seconds=90))
    found = scrape()
    assert found['waiting{what="mail"}'] == waiting + 1
    assert found['waiting{what="stuck_topups"}'] == found['waiting{what="open_topups"}'] == 1
    assert found['waiting{what="notices"}'] == 1
    assert found['waiting{what="webhook_deliveries"}'] == 0
    assert found["open_holds"] == found["held_dollars"] == 0
    assert 90 <= found["sweep_age_seconds"] <= 95
    assert found["database_up"] == found["redis_up"] == 1


def test_it_tells_the_lengths_of_the_queues() -> None:
    redis_link.client().rpush("celery", "one", "two")
    found = scrape()
    assert (found['celery_queue{queue="celery"}'], found['celery_queue{queue="unacked"}']) == (2, 0)


def test_it_tells_the_proofs_and_their_age(ada: User) -> None:
    now = datetime.now(UTC)
    LedgerCheck.objects.create(ran_at=now - timedelta(hours=2), full=True, accounts=1)
    found = [{"repaired": True}, {"repaired": False}]
    Reconciliation.objects.create(
        ran_at=now, mode="sandbox", since=now, until=now, payments=1, topups=1, differences=found
    )
    before = scrape()
    assert (before["ledger_check_breaches"], before["reconciliation_differences"]) == (0, 1)
    assert 7200 <= before["ledger_check_age_seconds"] <= 7205
    LedgerCheck.objects.create(ran_at=now, full=True, accounts=1, breaches=[{"account": "x"}])
    assert scrape()["ledger_check_breaches"] == 1


def test_it_goes_on_without_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_link, "ask", lambda command, otherwise: otherwise)
    found = scrape()
    assert found["redis_up"] == 0
    assert not [name for name in found if name.startswith("celery_queue")]


@pytest.mark.django_db(transaction=True)
def test_it_goes_on_without_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(connection, "cursor", away)
    found = scrape()
    assert found["database_up"] == 0
    assert "build_info" in next(name for name in found if name.startswith("build_info"))


def test_it_asks_the_same_few_questions_however_much_there_is(
    ada: User, django_assert_max_num_queries
) -> None:
    for number in range(20):
        metering.record(ada.account_id, chat(f"e{number}"))
    with django_assert_max_num_queries(16):
        scrape()


def test_it_escapes_what_prometheus_would_misread() -> None:
    written = text.write([text.Metric("m", "gauge", "h", [("", {"route": 'a"b\\c\nd'}, 1)])])
    assert written.splitlines()[-1] == 'thinnest_billing_m{route="a\\"b\\\\c\\nd"} 1'


def test_it_costs_a_request_a_few_microseconds() -> None:
    """Against the 700 or so of an answer; the figure is a bound that a busy machine keeps too."""
    request = RequestFactory().get("/healthz")
    request.resolver_match = type("Match", (), {"route": "healthz"})()
    answer = HttpResponse()
    counted = measuring.measure(lambda _: answer)
    best = min(_seconds(lambda: counted(request)) for _ in range(20))
    bare = min(_seconds(lambda: answer) for _ in range(20))
    assert (best - bare) / 1000 < 20e-6


def _seconds(act) -> float:
    began = time.process_time()
    for _ in range(1000):
        act()
    return time.process_time() - began


PROCESS = """
import time
from thinnest_billing.metrics import counting
counting.start()
for _ in range({times}):
    counting.count(("GET", "r", "200"), 0.002)
counting.refused("rate_limited")
time.sleep(3 * counting.EVERY)
times, codes = counting.everybody()
print(int(sum(times["GET", "r", "200"][:-1])), codes["rate_limited"])
"""


def test_any_process_tells_what_all_have_counted_and_those_that_died() -> None:
    """Processes of one server: two at once, then one more after both have died."""
    children = [process(times) for times in (3, 4)]
    assert [child.communicate()[0].split() for child in children] == [["7", "2"]] * 2
    later = process(1)
    assert later.communicate()[0].split() == ["8", "3"]


def process(times: int) -> subprocess.Popen[str]:
    code = PROCESS.format(times=times)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_it_forgets_servers_that_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for number in (ended.pid, os.getpid()):
        (tmp_path / f"{counting.PREFIX}{number}").mkdir()
    counting.forget_servers_that_ended()
    assert [path.name for path in tmp_path.iterdir()] == [f"{counting.PREFIX}{os.getpid()}"]


def test_a_file_that_was_cut_off_spoils_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "folder", lambda: tmp_path)
    monkeypatch.setattr(counting, "_own", tmp_path / "1-1.json")
    (tmp_path / "2-2.json").write_text('[[[["GET", "r"')
    (tmp_path / "3-3.json").write_text(json.dumps([[[["GET", "r", "200"], [1.0] * 15]], {"x": 1}]))
    times, codes = counting.everybody()
    assert (times["GET", "r", "200"][0], codes["x"]) == (1.0, 1)


def test_it_tells_the_version_of_the_project() -> None:
    project = Path(thinnest_billing.__file__).parents[1] / "pyproject.toml"
    assert f'version = "{thinnest_billing.__version__}"' in project.read_text()
    assert any(f'version="{thinnest_billing.__version__}"' in name for name in scrape())


def test_it_names_no_account_and_no_person(ada: User, ada_key: str) -> None:
    ApiClient().get("/billing/v3/balance", key=ada_key)
    body = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).content.decode()
    for secret in (ada.email, ada.account.public_id, ada_key, TOKEN, factories.PASSWORD):
        assert secret not in body
