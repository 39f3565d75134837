"""The trial's environment: what `make run` and `manage.py` work with where nobody named anything else."""

import atexit
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import environ

from thinnest_billing.devstack.processes import ROOT
from thinnest_billing.devstack.services import Postgres, Valkey

PROJECT = Path(__file__).resolve().parent.parent.parent


def home() -> Path:
    """Where the trial keeps its data: in the project, or as root where PostgreSQL's `nobody` can reach it.

    TRIAL_DATA names another folder, and with it another trial beside the first.
    """
    if is_set("TRIAL_DATA"):
        return Path(os.environ["TRIAL_DATA"])
    if not ROOT:
        return PROJECT / ".data"
    return Path("/var/tmp") / f"thinnest-billing-{hashlib.sha256(str(PROJECT).encode()).hexdigest()[:10]}"


def make_home() -> Path:
    folder = home()
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    if folder.stat().st_uid != os.geteuid():
        raise SystemExit(f"{folder} belongs to somebody else: remove it, or set DATABASE_URL and REDIS_URL.")
    return folder


def secret_key() -> str:
    """One key for as long as the data lives, so that sign-ins survive a restart."""
    path = make_home() / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()


def read_dotenv() -> None:
    environ.Env.read_env(os.environ.get("ENV_FILE", PROJECT / ".env"))


def fill_environment(*, site_url: str) -> None:
    """Name whatever the settings need and nobody has named. Local only: the sandbox may be open."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "thinnest_billing.settings")
    os.environ.setdefault("SECRET_KEY", secret_key())
    os.environ.setdefault("SITE_URL", site_url)
    os.environ.setdefault("SANDBOX_ALLOW_PUBLIC", "yes")
    os.environ.setdefault("STATIC_ROOT", str(make_home() / "static"))


def is_set(name: str) -> bool:
    return bool(os.environ.get(name))


@contextlib.contextmanager
def locked(name: str, how: int) -> Iterator[TextIO]:
    """Hold `home/name` locked; the kernel lets go when we die, however we die."""
    with (make_home() / name).open("a+") as file:
        fcntl.flock(file, how)
        yield file


def running_site() -> dict[str, object] | None:
    """What the running `make run` says of itself: `url` and `pid`; None where none runs."""
    try:
        with locked("runner", fcntl.LOCK_EX | fcntl.LOCK_NB):
            return None
    except BlockingIOError:
        text = (home() / "runner").read_text()
        return json.loads(text) if text else {}


def serve_command() -> None:
    """Give a `manage.py` command what nobody named: the running services, else its own for its length."""
    read_dotenv()
    if is_set("DATABASE_URL") and is_set("REDIS_URL") and not (home() / "secret_key").exists():
        return
    if not is_set("DATABASE_URL"):
        os.environ["DATABASE_URL"] = borrow(Postgres(make_home() / "pg"))
    if not is_set("REDIS_URL"):
        os.environ["REDIS_URL"] = borrow(Valkey(make_home() / "redis"))
    site = running_site() or {}
    fill_environment(site_url=str(site.get("url", "http://127.0.0.1:8000")))


def borrow(service: Postgres | Valkey) -> str:
    """The URL of the service, ours until we end. Who started it waits for the other borrowers."""
    users = (make_home() / f"{service.home.name}.users").open("a")
    fcntl.flock(users, fcntl.LOCK_SH)
    with locked(f"{service.home.name}.start", fcntl.LOCK_EX):
        url = service.running()
        if url is None:
            url = service.start()
            atexit.register(give_back, service, users)
    atexit.register(lambda: users)  # keeps the file open, and so the lock held
    return url


def give_back(service: Postgres | Valkey, users: TextIO) -> None:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"Waiting for the other commands that use {service.home}.", file=sys.stderr)
        fcntl.flock(users, fcntl.LOCK_EX)
    service.stop()
