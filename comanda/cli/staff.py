"""`comanda orders`, `comanda resolve` and `comanda forget`: what the staff do from a terminal."""

import re
import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeVar, get_args

import httpx
import trio
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from comanda.actors.domain.messages import (
    MAX_ORDER_ID_CHARACTERS,
    MAX_REASON_CHARACTERS,
    MAX_REFERENCE_CHARACTERS,
    OrderStateName,
    StaffOrder,
    StaffOrderList,
    encode,
)
from comanda.client import ApiError, StaffClient

from .documents import printable
from .failing import failures_in_words, first_of, give_up
from .phone import clean

DEFAULT_SERVER: Final = "http://127.0.0.1:8080"
LISTED_DEFAULT: Final = 50
LISTED_MOST: Final = 10_000
PAGE_MOST: Final = 200
"""Orders a page, by the protocol."""

NO_REASON: Final = "no reason was given"
"""What the record says where nobody could be asked."""

REFUSED: Final = 1
ORDER_ID: Final = re.compile(r"ORD-[0-9]+-[0-9]+")
"""What is no id could be a path to something else than was meant."""

STATES: Final[tuple[OrderStateName, ...]] = get_args(OrderStateName)
COLUMNS: Final = (
    "order",
    "table",
    "state",
    "placed",
    "by",
    "total",
    "POS reference",
    "incidents",
    "lines",
)

T = TypeVar("T")

Server = Annotated[str, typer.Option(help="The server's address.", envvar="COMANDA_SERVER")]
StaffTokenFile = Annotated[
    Path | None,
    typer.Option(
        help="File with the staff's token. Or set COMANDA_STAFF_TOKEN in the environment; there is no "
        "option for the token itself, since options can be read in process listings.",
        envvar="COMANDA_STAFF_TOKEN_FILE",
    ),
]


class Outcome(StrEnum):
    """How an order has ended."""

    confirmed = "confirmed"
    rejected = "rejected"


def orders(
    server: Server = DEFAULT_SERVER,
    restaurant: Annotated[
        int | None,
        typer.Option(
            help="The restaurant's id in the menu file. Needed where the token opens several.",
            min=0,
            show_default="the one that the token opens",
        ),
    ] = None,
    state: Annotated[
        str,
        typer.Option(
            help="One or more states, separated by commas: prepared, sent, unknown, needs_staff, "
            "confirmed, rejected.",
            show_default="all",
        ),
    ] = "",
    incidents: Annotated[
        bool,
        typer.Option(
            "--incidents",
            help="Only orders of which an incident stands: the POS has said otherwise.",
        ),
    ] = False,
    limit: Annotated[
        int, typer.Option(help="At most so many, the newest.", min=1, max=LISTED_MOST)
    ] = LISTED_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    staff_token_file: StaffTokenFile = None,
) -> None:
    """List a restaurant's orders, newest first.

    Those that wait for the staff: [bold]comanda orders --state needs_staff[/bold], and [bold]comanda
    orders --incidents[/bold], where the POS has contradicted what the table was told. In a pipe a line is
    one order, its columns separated by tabs. Exits with 1 where the server refuses, with 2 where there
    is no such server, state or token.
    """
    wanted = [word.strip() for word in state.split(",") if word.strip()]
    for word in wanted:
        if word not in STATES:
            give_up(f"“{clean(word)}” is no state of an order; states are: {', '.join(STATES)}")
    states = [known for known in STATES if known in wanted]
    listed = _ask(
        server,
        staff_token_file,
        lambda staff: _newest(staff, restaurant, states, limit, incidents),
    )
    if as_json:
        print(printable(encode(listed)))
    else:
        _print(listed)


def resolve(
    order_id: Annotated[
        str, typer.Argument(metavar="ORDER_ID", help="As `comanda orders` has it.")
    ],
    outcome: Annotated[
        Outcome, typer.Argument(help="confirmed: the kitchen has it. rejected: it never will.")
    ],
    reason: Annotated[
        str | None,
        typer.Option(
            help="How you know; kept with the order, or with its incidents. Asked for on a terminal "
            "where it is not given."
        ),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="The POS's name for the order, where it has one.")
    ] = None,
    server: Server = DEFAULT_SERVER,
    staff_token_file: StaffTokenFile = None,
) -> None:
    """Settle an order that needs the staff, or close the incidents of one that is settled.

    [bold]comanda resolve ORD-7-12 confirmed --reason "The kitchen has it"[/bold]. It cannot be taken
    back. A table hears how its order was settled. Of an incident it hears nothing, and a settled order
    stays as it is, whatever is said to close its incidents. Exits with 1 where the server refuses, with
    2 where there is no such server or token, or what is given is no order's id.
    """
    if not (ORDER_ID.fullmatch(order_id) and len(order_id) <= MAX_ORDER_ID_CHARACTERS):
        give_up(f"“{clean(order_id)}” is no order's id; one looks like ORD-7-12")
    if reason is None:
        reason = typer.prompt("How do you know") if sys.stdin.isatty() else NO_REASON
    if not (reason.strip() and len(reason) <= MAX_REASON_CHARACTERS):
        give_up(f"--reason must be 1 to {MAX_REASON_CHARACTERS} characters")
    if reference is not None and not (
        reference.strip() and len(reference) <= MAX_REFERENCE_CHARACTERS
    ):
        give_up(f"--reference must be 1 to {MAX_REFERENCE_CHARACTERS} characters")
    order = _ask(
        server,
        staff_token_file,
        lambda staff: staff.resolve_order(
            order_id, outcome.value, reason=reason, pos_reference=reference
        ),
    )
    print(_resolved(order, outcome))


def forget(
    session: Annotated[
        str, typer.Argument(metavar="SESSION", help="A session's id, as `comanda inspect` has it.")
    ],
    server: Server = DEFAULT_SERVER,
    staff_token_file: StaffTokenFile = None,
) -> None:
    """Forget the guests of a closed session: for a guest who asks, before the retention time is over.

    Names, notes and special instructions go, in the orders too; what was eaten and what it cost stays. It
    cannot be undone, and copies of the database are not reached. [bold]comanda inspect ORD-7-12[/bold]
    says in which session an order was placed. Exits with 1 where the server refuses, with 2 where there
    is no such server or token.
    """
    _ask(server, staff_token_file, lambda staff: staff.forget_session(session))
    print(f"The guests of {clean(session)} are forgotten")


def read_staff_token(file: Path | None) -> str | None:
    """The staff's token, from `file` or the environment; None where there is none."""
    from comanda.config import make_settings  # the other commands start without it

    with failures_in_words():
        token = next(iter(make_settings(staff_token_file=file).read_staff_tokens()), None)
    if token and not (token.isascii() and token.isprintable()):
        give_up("The staff's token cannot be sent: it must be printable ASCII, in one line")
    return token or None


def _resolved(order: StaffOrder, outcome: Outcome) -> str:
    """What the staff's word has come to. One that was settled before stays so, whatever they said."""
    verb = "is" if order.state == outcome else "stays"
    said = f"{clean(order.order_id)} {verb} {order.state}"
    if order.incidents and all(one.closed_at is not None for one in order.incidents):
        said += (
            "; its incident is closed"
            if len(order.incidents) == 1
            else "; its incidents are closed"
        )
    return said


async def _newest(
    staff: StaffClient,
    restaurant_id: int | None,
    states: list[OrderStateName],
    limit: int,
    with_incidents: bool,
) -> StaffOrderList:
    if restaurant_id is None:
        restaurant_id = await _only_restaurant(staff)
    found: list[StaffOrder] = []
    cursor: str | None = None
    while True:
        most = min(limit - len(found), PAGE_MOST)
        page = await staff.list_orders(
            restaurant_id, states=states, cursor=cursor, limit=most, with_incidents=with_incidents
        )
        found += page.orders
        cursor = page.next
        if cursor is None or len(found) >= limit:
            return StaffOrderList(tuple(found), cursor)


async def _only_restaurant(staff: StaffClient) -> int:
    """The restaurant that the token opens; ends the command where that is not one."""
    found = await staff.list_restaurants()
    if len(found) != 1:
        names = ", ".join(f"{one.id} ({clean(one.name)})" for one in found)
        give_up(f"The token opens several restaurants; choose one with --restaurant: {names}")
    return found[0].id


def _ask(
    server: str, staff_token_file: Path | None, call: Callable[[StaffClient], Awaitable[T]]
) -> T:
    """One call of the staff's, its failures as sentences."""
    token = read_staff_token(staff_token_file)
    if token is None:
        give_up("The staff's token is needed: set COMANDA_STAFF_TOKEN or give --staff-token-file")
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a narrow encoding
    server = server.rstrip("/")

    async def asking() -> T:
        async with StaffClient(server, token) as staff:
            return await call(staff)

    try:
        return trio.run(asking)
    except (
        ApiError,
        httpx.HTTPError,
        httpx.InvalidURL,
        trio.TooSlowError,
        ExceptionGroup,
    ) as error:
        first = first_of(error)
        if isinstance(first, ApiError):
            typer.secho(f"comanda: {clean(first.message)}", err=True, fg="red")
            raise typer.Exit(REFUSED) from None
        if isinstance(first, httpx.UnsupportedProtocol | httpx.InvalidURL):
            give_up(f"“{clean(server)}” is no web address; one looks like {DEFAULT_SERVER}")
        if isinstance(first, httpx.HTTPError | trio.TooSlowError):
            give_up(f"No Comanda server answers at {clean(server)}; name it with --server")
        raise


def _print(listed: StaffOrderList) -> None:
    if sys.stdout.isatty():
        table = Table(*COLUMNS, box=None, pad_edge=False)
        for order in listed.orders:
            table.add_row(*(Text(cell) for cell in _cells(order)))
        Console(highlight=False).print(table if listed.orders else "No orders")
    else:
        for order in listed.orders:
            print("\t".join(_cells(order)))
    if listed.next is not None:
        print("comanda: there are older ones; ask for more with --limit", file=sys.stderr)


def _cells(order: StaffOrder) -> tuple[str, ...]:
    standing = [one.kind.replace("_", " ") for one in order.incidents if one.closed_at is None]
    lines = ", ".join(f"{line.qty} × {line.name}" for line in order.lines)
    cells = (
        order.order_id,
        order.table,
        order.state,
        f"{order.placed_at:%Y-%m-%d %H:%M:%SZ}",
        order.placed_by_name,
        f"{order.total} {order.currency}",
        order.pos_reference or "-",
        ", ".join(standing) or "-",
        lines,
    )
    return tuple(clean(cell) for cell in cells)
