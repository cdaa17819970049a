from collections.abc import Iterator

import pytest

from comanda.simulation.shelf import Shelf, open_shelf


@pytest.fixture(scope="session")
def shelf() -> Iterator[Shelf]:
    with open_shelf() as shelf:
        yield shelf
