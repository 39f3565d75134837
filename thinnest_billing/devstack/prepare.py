"""What `make run` does before the first page: check, migrate, collect the static files."""

import hashlib
import io
import sys
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor


def prepare() -> None:
    django.setup()
    call_command("check", stdout=io.StringIO())  # silent where nothing is wrong
    migrate()
    collect_static(clear=True)


def migrate() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0)


def collect_static(*, clear: bool) -> None:
    """Collect and compress, unless nothing changed since the last time."""
    stamp = Path(settings.STATIC_ROOT) / ".stamp"
    state = fingerprint()
    if not stamp.exists() or stamp.read_text() != state:
        call_command("collectstatic", verbosity=0, interactive=False, clear=clear)
        stamp.write_text(state)


def fingerprint() -> str:
    """Changes whenever a static file of the project or of a package does."""
    files = (storage.path(name) for finder in get_finders() for name, storage in finder.list(None))
    facts = sorted(
        f"{path} {stat.st_size} {stat.st_mtime_ns}" for path in files if (stat := Path(path).stat())
    )
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


if __name__ == "__main__":
    try:
        prepare()
    except (ImproperlyConfigured, SystemCheckError, OperationalError) as error:
        sys.exit(f"Not started. {error}")
