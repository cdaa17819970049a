from collections.abc import Iterator

import pytest

from .world import Shelf, open_shelf


@pytest.fixture(scope="module")
def shelf() -> Iterator[Shelf]:
    with open_shelf() as shelf:
        yield shelf
