"""The stores that the contract holds for, each on a new SQLite file."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from comanda.actors.ports import Store
from comanda.storage.inline import open_inline
from comanda.storage.store import open_store

from .house import OpenStore, restaurant


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'house.db'}"


@pytest.fixture(params=["sql", "inline"])
def open_again(request: pytest.FixtureRequest, url: str) -> OpenStore:
    """Opens a store on the test's own file, as often as it is called."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Store]:
        if request.param == "sql":
            async with open_store(url) as store:
                yield store
        else:
            with open_inline(url) as inline:
                yield inline

    return opened


@pytest.fixture
async def store(open_again: OpenStore) -> AsyncIterator[Store]:
    """A store with one restaurant in it."""
    async with open_again() as store:
        await store.install([restaurant()], "menu 1")
        yield store
