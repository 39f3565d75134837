"""The files for operators: what they start exists, what they watch is told, and nothing in them runs as root."""

import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.test import Client
from pytest_django import Settings

from thinnest_billing.handler import Handler

PROJECT = Path(__file__).resolve().parents[1]
UNITS = sorted((PROJECT / "deploy/systemd").glob("*.service"))
BIN = Path(sys.prefix, "bin")
MANAGE = {"migrate", "collectstatic"}
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")


def read(name: str) -> str:
    return (PROJECT / name).read_text()


def installed_here(unit: Path) -> str:
    """The unit as it reads on a machine whose virtual environment is this one."""
    return unit.read_text().replace("/srv/thinnest-billing/.venv/bin", str(BIN))


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_takes_the_unit_without_a_word(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    copy.write_text(installed_here(unit))
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False
    )
    ours = [line for line in said.stderr.splitlines() if unit.name in line]
    assert (said.returncode, ours) == (0, [])


@needs_systemd
def test_systemd_would_complain(tmp_path: Path) -> None:
    """The negative control of the test above."""
    copy = tmp_path / UNITS[0].name
    copy.write_text(installed_here(UNITS[0]).replace("ExecStart=/", "ExecStart=/nowhere/"))
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, check=False)
    assert said.returncode


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_unit_is_hardened(unit: Path) -> None:
    """systemd's own judgement: 0.0 is closed, 10.0 is open."""
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout[-300:] + said.stderr


def test_the_units_are_the_processes_of_the_procfile() -> None:
    lines = dict(line.split(": ", 1) for line in read("Procfile").splitlines())
    assert set(lines) == {"release", "web", "worker", "beat"}
    assert [unit.stem for unit in UNITS] == [
        f"thinnest-billing-{name}" for name in ("beat", "migrate", "web", "worker")
    ]
    for name, command in {**lines, "migrate": lines["release"]}.items():
        program = command.split()[0]
        assert (BIN / Path(program).name).exists(), name
        if name != "release":
            unit = read(f"deploy/systemd/thinnest-billing-{name}.service")
            assert f"/srv/thinnest-billing/{program} " in unit
    assert "thinnest_billing.wsgi:application" in lines["web"]


def test_the_image_is_built_from_hashes_and_run_by_nobody_special() -> None:
    steps = read("Dockerfile").split("\nFROM ")
    assert len(steps) == 3, "one stage builds, another runs"
    assert "--require-hashes" in steps[1]
    assert "requirements/production.txt" in steps[1]
    assert "pip install" not in steps[2]
    assert steps[2].index("USER billing") < steps[2].index("\nCMD")
    assert "HEALTHCHECK" in steps[2]
    assert not re.search(r"index-url|https?://(?!127)|--hash", read("Dockerfile"))


def test_the_image_holds_all_that_the_product_is_made_of() -> None:
    from django.conf import settings

    kept = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    ours = {app.partition(".")[0] for app in settings.INSTALLED_APPS if not app.startswith("django.")}
    assert ours | {"templates", "static", "manage.py", "requirements/production.txt"} <= kept
    assert all((PROJECT / name).exists() for name in kept)
    assert ".env" not in kept


def test_compose_migrates_once_before_anything_starts() -> None:
    services = yaml.safe_load(read("compose.yaml"))["services"]
    assert set(services) == {"web", "worker", "beat", "migrate", "postgres", "valkey"}
    for name in ("web", "worker", "beat"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert services[name]["read_only"] is True
    assert services["migrate"]["restart"] == "no"
    assert services["migrate"]["command"][2] in MANAGE
    for name in ("worker", "beat"):
        assert (BIN / services[name]["command"][0]).exists()
        assert services[name]["healthcheck"] == {"disable": True}
    assert [port.startswith("127.0.0.1:") for port in services["web"]["ports"]] == [True]
    assert "ports" not in services["postgres"]
    assert "ports" not in services["valkey"]


@pytest.mark.django_db
def test_the_alerts_watch_figures_that_are_told(settings: Settings) -> None:
    """A figure that appears only after the first sweep or proof counts as told too."""
    settings.METRICS_TOKEN = "t"
    from thinnest_billing.metrics import figures

    written = (
        Path(figures.__file__).read_text()
        + Client().get("/metrics", headers={"Authorization": "Bearer t"}).content.decode()
    )
    rules = [
        rule
        for group in yaml.safe_load(read("deploy/prometheus/alerts.yml"))["groups"]
        for rule in group["rules"]
    ]
    assert len(rules) > 10
    late = {"ledger_check_breaches", "ledger_check_age_seconds", "reconciliation_differences",
            "reconciliation_age_seconds"}  # fmt: skip
    for rule in rules:
        for name in re.findall(r"thinnest_billing_(\w+)", rule["expr"]):
            bare = re.sub(r"_(count|bucket|sum)$", "", name)
            assert bare in late or bare in written, f"{rule['alert']} watches {name}"
        for waiting in re.findall(r'what="(\w+)"', rule["expr"]):
            assert f'what="{waiting}"' in written
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


@pytest.mark.parametrize(("path", "status"), [("/healthz", "200"), ("/metrics", "404"), ("/sign-in/", "400")])
@pytest.mark.django_db
def test_a_balancer_asks_by_address_and_nobody_else_may(path: str, status: str, settings: Settings) -> None:
    """Only the product's name is in ALLOWED_HOSTS; health checks come with the machine's address."""
    settings.ALLOWED_HOSTS, settings.METRICS_TOKEN = ["billing.example.com"], ""
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_NAME": "10.0.0.7", "SERVER_PORT": "8000",
        "HTTP_HOST": "10.0.0.7:8000", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
    }  # fmt: skip
    said: list[str] = []
    Handler()(environ, lambda line, headers, *_: said.append(line))
    assert said[0].startswith(status)


def test_the_proxies_pass_on_what_the_product_believes() -> None:
    nginx, caddy = read("deploy/proxy/nginx.conf"), read("deploy/proxy/Caddyfile")
    for header in ("Host", "X-Forwarded-Proto", "X-Forwarded-For", "X-Request-ID"):
        assert re.search(rf"proxy_set_header {header} ", nginx)
    for inside in ("/metrics", "/readyz"):
        assert inside in nginx
        assert inside in caddy
