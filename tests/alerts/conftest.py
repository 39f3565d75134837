"""A platform that listens on this machine, which only WEBHOOK_ALLOW_PRIVATE lets us speak to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from pytest_django import Settings

from tests.alerts.platform import Platform, listening, trust


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our side takes certificates of the authority, as an operator would have it: by SSL_CERT_FILE."""
    monkeypatch.setenv("SSL_CERT_FILE", trust(authority, tmp_path))


@pytest.fixture
def platform(authority: trustme.CA, trusted: None, settings: Settings) -> Iterator[Platform]:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with listening(authority) as one:
        yield one
