"""Collected only where STRIPE_WORLD names a world, so that the suite neither needs nor mentions one."""

import os
from collections.abc import Iterator

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from tests.stripe_world.product import Product
from tests.stripe_world.road import Road
from tests.stripe_world.world import SECRET_KEY, WEBHOOK_SECRET, World, served

collect_ignore_glob = [] if os.environ.get("STRIPE_WORLD") else ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "stripe_world" in item.path.parts:
            item.add_marker(pytest.mark.stripe_world)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with served() as address:
        yield address


@pytest.fixture
def world(server: str, settings: Settings) -> Iterator[World]:
    """A fresh Stripe account for each test, and the product set up to charge there."""
    fresh = World(server)
    settings.STRIPE_SECRET_KEY = SECRET_KEY
    settings.STRIPE_WEBHOOK_SECRET = [WEBHOOK_SECRET]
    settings.STRIPE_API_BASE = fresh.url
    yield fresh
    fresh.close()


@pytest.fixture
def product(live_server: LiveServer, world: World, ada: User) -> Product:
    """The product over HTTP, and ada, whom the world knows as a customer without cards."""
    return Product(live_server.url, world, ada)


@pytest.fixture
def road(world: World, settings: Settings) -> Iterator[Road]:
    """From now on the product reaches the world through a proxy that loses answers."""
    way = Road(world.url)
    settings.STRIPE_API_BASE = way.url
    yield way
    way.close()
