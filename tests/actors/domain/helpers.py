"""Small real parts for tests of a dining session: a menu, counted ids, a table that can be played at."""

from datetime import UTC, datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace

from comanda.actors.domain.decide import decide
from comanda.actors.domain.inputs import (
    Admit,
    ByMember,
    CallAnswered,
    CallStarting,
    CloseSession,
    Context,
    Decision,
    FollowMenu,
    Ids,
    Input,
    Interrupted,
    LockEnded,
    Refusal,
)
from comanda.actors.domain.menu import Menu, MenuItem
from comanda.actors.domain.messages import (
    AddItem,
    CartCommand,
    Event,
    PlaceOrder,
    RefusalCode,
    SeenItem,
)
from comanda.actors.domain.money import to_major
from comanda.actors.domain.order import Order, PosOutcome
from comanda.actors.domain.session import Session

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
MARGHERITA, LASSI, KULFI = 456, 457, 458

T = TypeVar("T")


class CountedIds:
    """Ids that count up: ``member_1``, ``item_1``; every run of a test has the same ones."""

    def __init__(self) -> None:
        self._members = 0
        self._items = 0

    def member_id(self) -> str:
        """The next member's id."""
        self._members += 1
        return f"member_{self._members}"

    def public_id(self) -> str:
        """The next line's id."""
        self._items += 1
        return f"item_{self._items}"


def an_item(
    menu_item_id: int = MARGHERITA,
    name: str = "Margherita",
    price_minor: int = 62500,
    *,
    available: bool = True,
) -> MenuItem:
    """An item of the menu."""
    return MenuItem(menu_item_id, "Kitchen", name, "", price_minor, available)


def a_menu(*items: MenuItem, currency: str = "INR", minor_digits: int = 2) -> Menu:
    """A menu of restaurant 7: the given items, else Margherita 625.00, Lassi 90.00, Kulfi 120.50."""
    on_it = items or (an_item(), an_item(LASSI, "Lassi", 9000), an_item(KULFI, "Kulfi", 12050))
    return Menu(7, currency, minor_digits, {item.menu_item_id: item for item in on_it})


def a_context(
    *,
    now: datetime = NOW,
    menu: Menu | None = None,
    ids: Ids | None = None,
    lock_limit_seconds: float = 60.0,
    order_number: int | None = None,
) -> Context:
    """What a decision may know; a number for an order only where it is given."""
    return Context(
        now=now,
        menu=a_menu() if menu is None else menu,
        ids=CountedIds() if ids is None else ids,
        lock_limit_seconds=lock_limit_seconds,
        order_number=order_number,
    )


def a_session(
    *names: str,
    pid: str = "session_1",
    menu: Menu | None = None,
    ids: Ids | None = None,
    now: datetime = NOW,
) -> Session:
    """An open session of table T12 at which the named members sit, ``member_1`` first."""
    menu = a_menu() if menu is None else menu
    session = Session(
        pid=pid,
        restaurant_id=menu.restaurant_id,
        table_code="table-code",
        table_label="T12",
        currency=menu.currency,
        minor_digits=menu.minor_digits,
        opened_at=now,
        updated_at=now,
    )
    context = a_context(now=now, menu=menu, ids=CountedIds() if ids is None else ids)
    for name in names:
        session = accepted(decide(session, Admit(name), context)).session
    return session


def accepted(outcome: Decision | Refusal) -> Decision:
    """The decision; fails the test where the input was refused."""
    assert isinstance(outcome, Decision), outcome
    return outcome


def refused(outcome: Decision | Refusal) -> Refusal:
    """The refusal; fails the test where the input was accepted."""
    assert isinstance(outcome, Refusal), outcome
    return outcome


def place(session: Session, *, request_id: str | None = None, said: str = "") -> PlaceOrder:
    """A `place_order` of a member who sees exactly what the cart holds and costs."""
    return PlaceOrder(
        cart_items=tuple(
            SeenItem(line.public_id, line.menu_item_id, line.qty, line.note)
            for line in session.lines.values()
        ),
        total=float(to_major(session.total_minor, session.minor_digits)),
        special_instructions=said,
        request_id=request_id,
    )


def only(event_type: type[T], events: tuple[Event, ...]) -> T:
    """The one event, which must be of this type."""
    assert len(events) == 1, events
    assert isinstance(events[0], event_type), events
    return events[0]


class ATable:
    """A session played by hand: what is accepted is adopted at once, time passes only when told.

    Order numbers are reserved as the house does it, a fresh one for every `place_order`.
    """

    def __init__(self, *names: str, menu: Menu | None = None, lock_limit_seconds: float = 60.0):
        self.menu = a_menu() if menu is None else menu
        self.now = NOW
        self.lock_limit_seconds = lock_limit_seconds
        self.ids = CountedIds()
        self.next_number = 42
        self.session = a_session(*(names or ("Ana", "Ben")), menu=self.menu, ids=self.ids)

    def context(self) -> Context:
        """What the next decision may know."""
        return a_context(
            now=self.now,
            menu=self.menu,
            ids=self.ids,
            lock_limit_seconds=self.lock_limit_seconds,
            order_number=self.next_number,
        )

    def decide(self, said: Input) -> Decision | Refusal:
        """Decide and adopt."""
        outcome = decide(self.session, said, self.context())
        if isinstance(outcome, Decision):
            self.session = outcome.session
            if outcome.start is not None:
                self.next_number += 1
        return outcome

    def hears(self, said: Input) -> Decision:
        """An input that must be accepted."""
        return accepted(self.decide(said))

    def says(self, command: CartCommand, by: str = "member_1") -> Decision:
        """A member's command that must be accepted."""
        return self.hears(ByMember(by, command))

    def refuses(self, command: CartCommand, by: str = "member_1") -> RefusalCode:
        """The code with which a member's command is refused; the state must stay the same object."""
        before = self.session
        code = refused(self.decide(ByMember(by, command))).rejection.code
        assert self.session is before
        return code

    def adds(
        self, menu_item_id: int = MARGHERITA, qty: int = 1, note: str = "", by: str = "member_1"
    ) -> str:
        """Put a line into the cart; its public id."""
        before = set(self.session.lines)
        self.says(AddItem(menu_item_id, qty, note), by)
        (public_id,) = set(self.session.lines) - before
        return public_id

    def places(self, by: str = "member_1", request_id: str | None = None, said: str = "") -> Order:
        """Order what is in the cart; the prepared order."""
        order = self.says(place(self.session, request_id=request_id, said=said), by).start
        assert order is not None
        return order

    def sends(self) -> Order:
        """The call to the POS starts for the order that holds the lock."""
        order = self.hears(CallStarting(self.order.order_id)).reply
        assert isinstance(order, Order)
        return order

    def answers(self, outcome: PosOutcome, order_id: str | None = None) -> Decision:
        """The POS answers, for the order that holds the lock where none is named."""
        pending, in_doubt = self.session.pending, self.session.in_doubt
        if order_id is not None and order_id in in_doubt:
            order = in_doubt[order_id]
        else:
            assert pending is not None
            order = pending
        return self.hears(CallAnswered(order_id or order.order_id, order.attempt, outcome))

    def lock_ends(self) -> Decision:
        """The lock limit passes and the sweep says so."""
        order = self.order
        self.now = max(self.now, order.lock_ends_at)
        return self.hears(LockEnded(order.order_id))

    def is_interrupted(self) -> Decision:
        """A new activation takes over."""
        return self.hears(Interrupted())

    def closes(self) -> Decision:
        """The party leaves."""
        return self.hears(CloseSession("The party has left"))

    def changes_menu(
        self, menu_item_id: int, *, price_minor: int | None = None, available: bool | None = None
    ) -> Decision:
        """The menu changes, and the session hears of it."""
        self.alters_menu(menu_item_id, price_minor=price_minor, available=available)
        return self.hears(FollowMenu())

    def alters_menu(
        self, menu_item_id: int, *, price_minor: int | None = None, available: bool | None = None
    ) -> None:
        """The menu changes, and the session has not heard of it yet."""
        item = self.menu.items[menu_item_id]
        if price_minor is not None:
            item = replace(item, price_minor=price_minor)
        if available is not None:
            item = replace(item, available=available)
        self.menu = self.menu.with_item(item)

    def passes(self, seconds: float) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)

    @property
    def order(self) -> Order:
        """The order that holds the lock."""
        assert self.session.pending is not None
        return self.session.pending
