"""A pytest plugin: the tests' own PostgreSQL and Valkey, and an environment free of the shell's settings.

Named in pyproject.toml (`-p thinnest_billing.devstack.testing`), so plain `pytest` and IDEs have it too.
Tests never use DATABASE_URL, which may be production: their own throw-away servers, or TEST_DATABASE_URL and
TEST_REDIS_URL. With TEST_PGBOUNCER they reach their PostgreSQL through PgBouncer.
"""

import atexit
import fcntl
import functools
import os
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Generator
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from thinnest_billing.devstack.pooling import PgBouncer
from thinnest_billing.devstack.processes import ROOT
from thinnest_billing.devstack.services import Postgres, Valkey
from thinnest_billing.devstack.trial import PROJECT

PREFIX = "tb-tests-"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-browser", action="store_true", help="fail unless tests of the real browser ran and passed"
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """Before pytest-django reads the settings."""
    isolate()
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart() -> None:
    """Static files as production has them: collected, compressed and named by their content."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    from thinnest_billing.devstack.prepare import collect_static

    try:
        collect_static(clear=False)  # another run may be serving the older files
    except (CommandError, ValueError) as error:
        warnings.warn(pytest.PytestWarning(f"collectstatic: {error}"), stacklevel=1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("browser") and (reason := why_no_browser()):
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if reason := why_no_browser():
        terminalreporter.write_line(f"browser tests: not run, {reason}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not session.config.getoption("--require-browser"):
        return
    if not any("browser" in report.keywords for report in reporter.stats.get("passed", [])):
        reporter.write_line("--require-browser: no browser test passed", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def chromium() -> str | None:
    """The browser of the browser tests, where this machine has one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@functools.cache
def why_no_browser() -> str:
    """Nothing where the browser tests can run."""
    if chromium() is None:
        return "no chromium"
    from playwright._impl import _driver

    node, _ = _driver.compute_driver_executable()
    tried = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return f"Playwright does not start: {tried.stderr.strip()}" if tried.returncode else ""


def isolate() -> None:
    """Point the settings at the tests' own servers. A worker of xdist inherits its controller's."""
    if not os.environ.get("TEST_DATABASE_URL") or not os.environ.get("TEST_REDIS_URL"):
        start_services()
    forget_settings()
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
    os.environ["REDIS_URL"] = own_redis(os.environ["TEST_REDIS_URL"])
    os.environ["SECRET_KEY"] = "only for tests: nothing signed with it is worth anything"
    os.environ["ENV_FILE"] = os.devnull
    os.environ["STATIC_ROOT"] = str(PROJECT / ".cache/static")


def forget_settings() -> None:
    """Forget every setting named in .env.example: a developer's Stripe key is no business of the tests."""
    for name in re.findall(r"^#? ?([A-Z_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE):
        os.environ.pop(name, None)


def own_redis(url: str) -> str:
    """Each worker of xdist has a numbered database of its own, so that one may flush it."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return f"{url}{'&' if '?' in url else '?'}db={number}" if number else url


def start_services() -> None:
    remove_leftovers()
    # PostgreSQL runs as `nobody` where we are root; it cannot look into root's own TMPDIR.
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp" if ROOT else None))
    folder.chmod(0o711)
    lock = (folder / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_SH)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(lambda: lock)  # keeps the file open, and so the lock held
    postgres = Postgres(folder / "pg", throwaway=True)
    for name, service in (
        ("TEST_DATABASE_URL", postgres),
        ("TEST_REDIS_URL", Valkey(folder / "redis", throwaway=True)),
    ):
        if not os.environ.get(name):
            os.environ[name] = service.start()
            atexit.register(service.stop)
    if os.environ.get("TEST_PGBOUNCER") and postgres.folder:
        pool = PgBouncer(folder / "pgbouncer", postgres=str(postgres.folder))
        os.environ["TEST_DATABASE_URL"] = pool.start()
        atexit.register(pool.stop)


def remove_leftovers() -> None:
    """Clusters of runs that were killed: nobody holds their lock any more."""
    for lock in Path("/tmp" if ROOT else tempfile.gettempdir()).glob(f"{PREFIX}*/lock"):
        try:
            with lock.open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            continue
