"""The logs of a running web and worker: one object a line, a request's id in both, and never a secret."""

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.logs import SECRET
from tests.accounts.test_logs import format_one
from thinnest_billing.devstack.ports import is_free
from thinnest_billing.devstack.processes import spawn, stop
from thinnest_billing.devstack.rehearsal.world import World, wait_for
from thinnest_billing.devstack.runner import commands
from thinnest_billing.devstack.services import Postgres, Valkey, own
from thinnest_billing.devstack.trial import PROJECT

REQUEST, PASSWORD = "seen-by-web-and-worker", "a password nobody may read"
EVENT = {"type": "chat", "model": "gpt-4o", "input_tokens": 1000, "output_tokens": 200, "event_id": "e"}


@pytest.fixture
def world() -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="tb-logs-", dir="/var/tmp"))
    folder.chmod(0o711)
    own(folder)
    postgres, redis = Postgres(folder / "pg", throwaway=True), Valkey(folder / "redis", throwaway=True)
    postgres.start()
    world = World(postgres, redis.start(), folder / "static")
    yield world
    redis.stop()
    postgres.stop()
    shutil.rmtree(folder)


def post(url: str, body: object, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "X-Request-ID": REQUEST}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.headers["X-Request-Id"] == REQUEST
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code


def visit(url: str) -> None:
    """Whatever it answers."""
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(url, timeout=20).close()


def test_one_id_leads_through_web_and_worker_and_no_secret_is_told(world: World) -> None:
    world.manage("migrate", "-v0")
    world.manage("collectstatic", "--noinput", "-v0")
    made = world.told(
        "create_account", "--email", "ada@example.com", "--password", PASSWORD, "--paid", "25", "--card", "pm_card_visa"
    )  # fmt: skip
    port = next(port for port in range(9100, 65536) if is_free(port))
    url = f"http://127.0.0.1:{port}"
    verbose = {"LOG_LEVEL": "INFO", "LOG_FORMAT": "json", "PYTHONPATH": str(PROJECT), "SITE_URL": url}
    logs = {name: world.postgres.home.parent / f"{name}.log" for name in ("web", "worker")}
    running = {
        name: spawn(commands(url)[name], env=world.environment | verbose, log=log)
        for name, log in logs.items()
    }
    try:
        wait_for(url, running["web"])
        work(url, made)
        wait_for_line(logs["worker"], REQUEST)
    finally:
        for process in running.values():
            stop(process)
    for name, log in logs.items():
        told = log.read_text()
        assert entries(told), name
        for secret in (made["api_key"], PASSWORD, made["payment_method_id"], "4242424242424242", "sessionid"):
            assert secret not in told, name
        assert world.environment["SECRET_KEY"] not in told
        assert "signed-token-of-a-letter" not in told, name
    assert REQUEST in {entry["request_id"] for entry in entries(logs["worker"].read_text())}


def work(url: str, made: dict[str, str]) -> None:
    """What goes well, what is refused, and what a stranger tries."""
    key = made["api_key"]
    funds = {"amount": 25, "payment_method_id": made["payment_method_id"]}
    assert post(f"{url}/billing/v3/topup", funds, key) == 201
    assert post(f"{url}/billing/v3/usage", EVENT, key) == 201
    assert post(f"{url}/billing/v3/usage", {**EVENT, "note": PASSWORD, "nonsense": key}, key) == 422
    assert post(f"{url}/billing/webhooks/stripe", {"card": "4242424242424242"}, key) == 400
    visit(f"{url}/settings/billing/?password={PASSWORD.replace(' ', '+')}")
    visit(f"{url}/no-page/MQ:1vXyZ:signed-token-of-a-letter-0123456789/")


def wait_for_line(log: Path, text: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.2)


def entries(told: str) -> list[dict[str, str]]:
    """Every line that is ours; the servers' own few lines of starting and stopping are not."""
    lines = [line for line in told.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/reset/MQ/cabc12-0123456789abcdef0123456789abcdef/", "/reset/MQ/…/"),
        ("/confirm/MQ:1vXyZa:AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_-abcde/", "/confirm/…/"),
        ("/settings/billing/receipts/top_01M84XKE2NFBMVAYJQYEK2R89N/", None),
        ("/settings/billing/statement/2026-11/", None),
    ],
)
def test_a_page_that_failed_is_named_without_the_secret_in_its_address(path: str, told: str | None) -> None:
    assert SECRET.sub("…", f"Not Found: {path}") == f"Not Found: {told or path}"


def test_the_formatter_leaves_it_out() -> None:
    entry = format_one(
        msg="Internal Server Error: %s", args=("/reset/MQ/cabc12-0123456789abcdef0123456789/",)
    )
    assert entry["message"] == "Internal Server Error: /reset/MQ/…/"


def test_nothing_else_is_printed_by_the_product() -> None:
    """`print` would go around the logs; the commands and the runner of the trial speak to a person."""
    apps = ("accounts", "billing", "usage", "alerts", "thinnest_billing")
    found = subprocess.run(
        ["grep", "-rnE", r"^\s*print\(", "--include=*.py", *apps], cwd=PROJECT, capture_output=True, text=True,
        check=False,
    ).stdout.splitlines()  # fmt: skip
    assert [line for line in found if "/devstack/" not in line and "/commands/" not in line] == []
