"""A browser and a server for the whole run; a table and phones of its own for each test."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Protocol

import httpx
import pytest

from tests.cli.helpers import STAFF_TOKEN, Server, a_server

from .chromium import (
    Browser,
    Chromium,
    find_chromium,
    running_chromium,
    tabs_closed_at_the_end,
)
from .needed import missing
from .phone import WIDTH, Phone, new_phone

TABLES = 60
RESTAURANT = 7

QUICK = [
    *("--order-timeout", "2"),
    *("--pos-timeout", "3"),
    *("--pos-delay", "0.2"),
    *("--retry-delay", "4"),
    *("--poll-interval", "0.5"),
]
"""The specification's times, shortened: one test waits for each of them."""


@dataclass
class Table:
    """A free table of the demonstration restaurant."""

    server: Server
    code: str

    @property
    def label(self) -> str:
        return f"T{self.code.removeprefix('demo-')}"

    @property
    def url(self) -> str:
        return f"{self.server.url}/t/{self.code}"

    async def staff(self, method: str, path: str, **body: object) -> httpx.Response:
        """A call with the staff's token."""
        headers = {"Authorization": f"Bearer {STAFF_TOKEN}"}
        async with httpx.AsyncClient(base_url=self.server.url, headers=headers) as http:
            answer = await http.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer

    async def set_available(self, menu_item_id: int, available: bool) -> None:
        path = f"/api/restaurants/{RESTAURANT}/menu/{menu_item_id}"
        await self.staff("PATCH", path, available=available)


class SeatAt(Protocol):
    """The guest's name; the screen's width in CSS pixels and whether it is dark."""

    async def __call__(self, name: str, width: int = WIDTH, dark: bool = False) -> Phone: ...


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    executable = find_chromium()
    if executable is None:
        missing("no Chromium on this machine; Debian's package is called chromium")
    with running_chromium(executable) as running:
        yield running


@pytest.fixture
async def browser(chromium: Chromium) -> AsyncIterator[Browser]:
    async with tabs_closed_at_the_end(chromium) as browser:
        yield browser


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limit = ("--lock-limit", "10")
    with a_server(tmp_path_factory.mktemp("page"), *QUICK, *limit, tables=TABLES) as running:
        yield running


_numbers = count(1)


@pytest.fixture
def table(server: Server) -> Table:
    return Table(server, f"demo-{next(_numbers)}")


@pytest.fixture
async def seat(browser: Browser, table: Table) -> AsyncIterator[SeatAt]:
    """Sits a guest down at the test's table. In the end every phone's console must be quiet."""
    phones = []

    async def sit(name: str, width: int = WIDTH, dark: bool = False) -> Phone:
        phone = await new_phone(browser, width, dark=dark)
        phones.append(phone)
        await phone.sit_down(table.url, name)
        return phone

    yield sit
    for phone in phones:
        await phone.check_quiet()
