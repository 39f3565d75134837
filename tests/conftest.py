"""What every test shares. The database and Redis come from thinnest_billing.devstack.testing."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

from accounts import afterwards, redis_link
from accounts.models import User
from tests import factories
from tests.api_client import ApiClient


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make the flush after a transactional test pass the ledger's triggers, and keep what migrations wrote.

    The append-only tables refuse TRUNCATE; only here, on the test connection, do triggers sleep for a flush.
    """
    with django_db_blocker.unblock():
        restore = copy_rows_of_migrations()
    truncate = DatabaseOperations.sql_flush

    def sql_flush(self: DatabaseOperations, *args: object, **kwargs: object) -> list[str]:
        return ["SET LOCAL session_replication_role = replica", *truncate(self, *args, **kwargs), *restore]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush)
        yield


def copy_rows_of_migrations() -> list[str]:
    """Copy every filled table (rates, groups, content types) aside; the statements that bring rows back."""
    statements = []
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS pristine")
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT EXISTS (SELECT FROM "{table}")')
            if table != "django_migrations" and cursor.fetchone()[0]:
                cursor.execute(f'CREATE TABLE IF NOT EXISTS pristine."{table}" AS TABLE "{table}"')
                statements.append(f'INSERT INTO "{table}" SELECT * FROM pristine."{table}"')
    return statements


@pytest.fixture(autouse=True)
def fresh_redis() -> None:
    """What one test counted (sign-ins of 127.0.0.1, say) is no business of the next."""
    redis_link.ask(lambda server: server.flushdb(), otherwise=None)


@pytest.fixture(autouse=True)
def nothing_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No thread looks into the database between tests: `afterwards.flush()` does now what it would do."""
    monkeypatch.setattr(afterwards, "_wake", lambda: None)
    yield
    afterwards._waiting.clear()


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """A million rounds of PBKDF2 for every member of the cast would be most of the suite's time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada(db: None) -> User:
    """The owner: every test's main person."""
    return factories.owner()


@pytest.fixture
def bo(ada: User) -> User:
    """Ada's colleague, a viewer."""
    return factories.member(ada.account, email="bo@example.com")


@pytest.fixture
def cy(db: None) -> User:
    """A stranger with an account of his own."""
    return factories.owner("cy@example.net", name="Cy's shop")


@pytest.fixture
def ada_key(ada: User) -> str:
    return factories.key(ada.account)


@pytest.fixture
def platform_key(db: None) -> str:
    return factories.key(None)


@pytest.fixture
def api() -> ApiClient:
    """Speaks JSON with a key: `api.post("/billing/v3/usage", {...}, key=ada_key)`."""
    return ApiClient()
