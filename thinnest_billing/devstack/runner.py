"""Starts everything, restarts what dies, and takes everything down with it."""

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from thinnest_billing.devstack import trial, welcome
from thinnest_billing.devstack.children import Child, Process, say, stop_all, supervise
from thinnest_billing.devstack.ports import choose_port
from thinnest_billing.devstack.processes import die_with_parent, end_group, spawn, stop
from thinnest_billing.devstack.services import Postgres, Valkey


@dataclass
class Demo(Child):
    """Fills in the demo account beside the running product, once; then says how to get in and sets it moving."""

    url: str = ""
    children: list[Child] = field(default_factory=list)

    def tend(self) -> None:
        if self.process is None or self.process.poll() is None:
            return
        end_group(self.process)
        failed, self.process = self.process.returncode, None
        if not failed:
            self.greet()

    def greet(self) -> None:
        demo = welcome.read_demo()
        say(welcome.text(self.url, demo))
        environment = welcome.simulator_environment(demo)
        simulator = Child("simulator", partial(spawn, welcome.simulator(self.url), env=environment))
        self.children.append(simulator)
        simulator.start()


def run(port: str) -> None:
    """The whole of `make run`: returns when asked to stop, and then nothing of it is left."""
    if "MAKELEVEL" in os.environ:
        die_with_parent()  # `kill -9` of make counts as ours
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask_to_stop)
    trial.read_dotenv()
    services: list[Child] = []
    children: list[Child] = []
    with only_one() as note, contextlib.suppress(KeyboardInterrupt):
        try:
            url = f"http://127.0.0.1:{choose_port(port)}"
            note(url)
            start_services(services)
            start_product(children, url)
            supervise(services, children)
        finally:
            stop_all(children, services)


def ask_to_stop(*_: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextlib.contextmanager
def only_one() -> Iterator[Callable[[str], None]]:
    """Hold the runner's lock; where another holds it, say where that one is."""
    site = trial.running_site()
    if site is not None:
        say(f"Already running at {site.get('url')} (process {site.get('pid')}).")
        raise SystemExit(0)
    with trial.locked("runner", fcntl.LOCK_EX) as file:

        def note(url: str) -> None:
            file.truncate(0)
            file.write(json.dumps({"url": url, "pid": os.getpid()}))
            file.flush()

        yield note


def start_services(services: list[Child]) -> None:
    """PostgreSQL and Valkey, unless DATABASE_URL or REDIS_URL names others."""
    folder = trial.make_home()
    for variable, service in (
        ("DATABASE_URL", Postgres(folder / "pg")),
        ("REDIS_URL", Valkey(folder / "redis")),
    ):
        if trial.is_set(variable):
            continue
        with trial.locked(f"{service.home.name}.start", fcntl.LOCK_EX):
            wait_for_commands(service)
            child = Child(type(service).__name__, launcher(service))
            services.append(child)
            child.start()
        os.environ[variable] = service.running() or ""


def launcher(service: Postgres | Valkey) -> Callable[[], Process]:
    def launch() -> Process:
        service.start()
        assert service.process
        return service.process

    return launch


def wait_for_commands(service: Postgres | Valkey) -> None:
    """A `manage.py` command that started the service stops it when it ends; only then is it ours."""
    if service.running():
        say("Another command uses the trial's database (a manage.py shell?): waiting for it to end.")
    while service.running():
        time.sleep(0.1)


def start_product(children: list[Child], url: str) -> None:
    """Prepare the database, then web; once the page answers, say where it is and start the others."""
    trial.fill_environment(site_url=url)
    os.environ["PYTHONWARNINGS"] = "ignore:You're running the worker"  # as root
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    os.environ.setdefault("LOG_FORMAT", "plain")
    prepare()
    for name, command in commands(url).items():
        child = Child(name, partial(spawn, command))
        children.append(child)
        child.start()
        if name == "web":
            wait_for_page(url, child)
            say(f"thinnest billing is at {url}  (Ctrl+C stops everything)")
    start_demo(children, url)


def start_demo(children: list[Child], url: str) -> None:
    if not welcome.demo_exists():
        say("Filling in a demo account with 60 days of usage: a few seconds.")
    demo = Demo("demo", partial(spawn, welcome.SEEDING), url=url, children=children)
    children.append(demo)
    demo.start()


def prepare() -> None:
    process = spawn([sys.executable, "-m", "thinnest_billing.devstack.prepare"])
    try:
        if process.wait():
            raise SystemExit(1)
    finally:
        stop(process)


def commands(url: str) -> dict[str, list[str]]:
    python, port = sys.executable, url.rpartition(":")[2]
    celery = [python, "-m", "celery", "--app", "thinnest_billing", "--quiet"]
    return {
        "web": [
            *(python, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", port),
            *("--workers", "2", "--blocking-threads", "4", "--respawn-failed-workers"),
            *("--workers-kill-timeout", "5", "--log-level", "warning", "thinnest_billing.wsgi:application"),
        ],
        "worker": [*celery, "worker", "--concurrency", "2", "--loglevel", "WARNING"],
        "beat": [
            *celery,
            "beat",
            "--schedule",
            str(trial.home() / "beat"),
            "--pidfile=",
            "--loglevel",
            "WARNING",
        ],
    }


def wait_for_page(url: str, web: Child) -> None:
    while web.process and web.process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=5):
            return
        time.sleep(0.02)
    raise SystemExit("Not started: the web process ended. What it said is above.")
