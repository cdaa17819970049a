"""A table at which an example session can be played without troubling anybody."""

import random
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from urllib.parse import quote, urlsplit

import httpx
import trio
from msgspec import Struct

from comanda.actors.domain.messages import RestaurantInfo, TableAnswer

from .api import Api
from .connection import TableConnection, open_table
from .errors import ApiError, ClientError

DEMO_TABLE = "demo-{number}"
ROUNDS = 4
"""How often all demo tables are looked at before they count as taken."""

BETWEEN_ROUNDS_SECONDS = (0.1, 0.6)

MAX_DEMO_TABLES = 1000
SCOUT = "comanda play"
"""The name under which an open table is looked at."""

SEATS = 64
"""Members that a table takes, those included who have left their page."""


class PlayImpossible(Exception):
    """There is no server or no table to play at. The text is a sentence for a person."""


class ChosenTable(Struct, frozen=True):
    """Where a session is played. `menu` has the items' names by id; who sits down first says `pin`."""

    code: str
    label: str
    restaurant: RestaurantInfo
    menu: dict[int, str]
    pin: str | None = None


class _Sat(Struct, frozen=True):
    """What came of sitting down: an `objection` to playing there, or nothing against it and the `pin`."""

    objection: str = ""
    pin: str | None = None


@asynccontextmanager
async def hold_table(
    server_url: str, table_code: str | None, members: int, pin: str | None = None
) -> AsyncGenerator[ChosenTable, None]:
    """The table `table_code`, or a free one of the demo tables, for so many `members`.

    A demo table is free when no party is at it; when all have one, a quiet one is taken: nobody online,
    nothing locked, nothing in doubt. A guest of the name `SCOUT` sits at a demo table until the context is
    left, so that no two plays take the same. What a quiet table or `table_code` has in its cart is cleared.
    `pin` is that of `table_code`, where somebody sits there and joining needs it.

    Raises:
        PlayImpossible: the server cannot be reached or is none of ours, or there is no such table.
    """
    parts = urlsplit(server_url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise PlayImpossible(f"{server_url!r} is no web address; give http://host:port")
    async with AsyncExitStack() as holding:
        with trouble_in_words(server_url):
            async with Api(server_url) as api:
                if table_code is not None:
                    table, pin = await _wished_table(server_url, api, table_code, pin)
                else:
                    table, pin = await _demo_table(server_url, api, members, holding)
                menu = await api.menu(table.restaurant.id)
        names = {item.menu_item_id: item.name for item in menu.items}
        yield ChosenTable(table.code, table.label, table.restaurant, names, pin)


@contextmanager
def trouble_in_words(server_url: str) -> Iterator[None]:
    """Turns what a server that is away or foreign causes into `PlayImpossible`."""
    try:
        yield
    except ApiError as error:
        raise PlayImpossible(
            f"{server_url} does not answer as a Comanda server does: {error}"
        ) from error
    except trio.TooSlowError as error:
        raise PlayImpossible(f"{server_url} does not answer") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ClientError) as error:
        why = str(error) or type(error).__name__
        raise PlayImpossible(f"{server_url} cannot be reached: {why}") from error


async def _wished_table(
    server_url: str, api: Api, code: str, pin: str | None
) -> tuple[TableAnswer, str | None]:
    table = await _look(api, code)
    if table is None:
        raise PlayImpossible(f"{server_url} has no table {code!r}")
    if table.session_open:
        async with AsyncExitStack() as for_a_moment:
            sat = await _sit_down(server_url, table, _why_locked, for_a_moment, pin)
        if sat.objection:
            raise PlayImpossible(f"nothing can be played at table {code!r} now: {sat.objection}")
        pin = sat.pin
    return table, pin


async def _demo_table(
    server_url: str, api: Api, members: int, holding: AsyncExitStack
) -> tuple[TableAnswer, str | None]:
    def why_not(scout: TableConnection) -> str:
        return _why_not(scout, members)

    tables: list[TableAnswer] = []
    for number in range(1, MAX_DEMO_TABLES + 1):
        table = await _look(api, DEMO_TABLE.format(number=number))
        if table is None:
            break
        tables.append(table)
        if not table.session_open:
            sat = await _sit_down(server_url, table, why_not, holding)
            if not sat.objection:
                return table, sat.pin
    if not tables:
        raise PlayImpossible(f"{server_url} has no demo tables; give a table with --table CODE")
    for _ in range(ROUNDS):
        for table in tables:
            sat = await _sit_down(server_url, table, why_not, holding)
            if not sat.objection:
                return table, sat.pin
        # Of two plays that came to a table together both have left: come back at different times.
        await trio.sleep(random.uniform(*BETWEEN_ROUNDS_SECONDS))
    raise PlayImpossible(
        f"a party is at each of the {len(tables)} demo tables of {server_url}; give another table "
        "with --table CODE, or set COMANDA_STAFF_TOKEN so that tables are closed after a play"
    )


async def _look(api: Api, code: str) -> TableAnswer | None:
    try:
        return await api.call("GET", f"/api/tables/{quote(code, safe='')}", TableAnswer)
    except ApiError as error:
        if error.status == httpx.codes.NOT_FOUND:
            return None
        raise


async def _sit_down(
    server_url: str,
    table: TableAnswer,
    objection: Callable[[TableConnection], str],
    holding: AsyncExitStack,
    pin: str | None = None,
) -> _Sat:
    """Sit at the table for as long as `holding` lasts, its cart cleared; else the objection, and leave.

    Whoever comes later finds the earlier one online. So of two plays at most one stays.
    """
    async with AsyncExitStack() as sitting:
        try:
            scout = await sitting.enter_async_context(
                open_table(server_url, table.code, SCOUT, pin=pin)
            )
        except ApiError as error:
            if error.code == "pin_required":
                return _Sat("somebody sits there already; give the table's PIN with --pin")
            rests = error.code == "rate_limited" and pin is not None  # too many wrong PINs
            if error.code not in ("conflict", "too_busy", "pin_wrong") and not rests:
                raise
            return _Sat(error.message)
        why = objection(scout)
        if why:
            return _Sat(why)
        if scout.store.items:
            await scout.clear_cart()
        holding.push_async_exit(sitting.pop_all())
    return _Sat(pin=scout.store.join_pin)


def _why_not(scout: TableConnection, members: int) -> str:
    sitting = scout.store.members
    if any(one.online and one.member_id != scout.member_id for one in sitting):
        return "somebody is online"
    if len(sitting) + members > SEATS:
        return "there are not enough seats left"
    return _why_locked(scout)


def _why_locked(scout: TableConnection) -> str:
    if scout.store.cart_locked:
        return "its cart is locked by an order"
    return "it has an order in doubt" if scout.store.in_doubt else ""
