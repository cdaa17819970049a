"""Who looks on: what storage holds after each write, and what each phone was told.

All of it is only written down; `invariants` judges it when the run is over.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import trio
from sqlalchemy import Connection

from comanda.actors.domain.messages import (
    AddItem,
    CartSnapshot,
    ClearCart,
    OrderConfirmed,
    OrderFailed,
    OrderProcessing,
    PlaceOrder,
    RemoveItem,
    Told,
    UpdateItem,
)
from comanda.actors.domain.session import Session
from comanda.actors.ports import SessionKey, StaleEpoch, Unit
from comanda.client.cart_store import CartStore
from comanda.storage.sessions import activate

from .determinism import STARTS_AT
from .ledger import Entry

Edit = AddItem | UpdateItem | RemoveItem | ClearCart | PlaceOrder
"""What members say in these runs."""

STARTS_AT_MICROS = round(STARTS_AT.timestamp() * 1e6)

_TABLES = (
    "cart_items",
    "order_journal",
    "orders",
    "order_lines",
    "requests",
    "incidents",
    "voids",
    "pos_attempts",
)


class Position(NamedTuple):
    """The fence's two numbers as storage has them."""

    epoch: int
    seq: int


class LineSeen(NamedTuple):
    state: str
    removed: bool
    order_id: str | None


class OrderSeen(NamedTuple):
    """`placed_at` and `lock_ends_at` are the wall clock's, in seconds from the evening's begin."""

    state: str
    placed_at: float
    lock_ends_at: float


class ClockJumped(NamedTuple):
    """The wall clock was put ahead at this moment, or back."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Sample:
    """The session as storage has it after one write."""

    at: float
    position: Position
    lines: dict[str, LineSeen]
    orders: dict[str, OrderSeen]


class Committed(NamedTuple):
    """A unit that storage took: where it thought to be, and where the session was."""

    thought: Position
    was: Position
    same_in_memory: bool


class Telling(NamedTuple):
    """Something told to a phone, and how far storage was at that moment."""

    at: float
    connection: int
    kind: str
    stage: str | None
    seq: int
    durable_seq: int
    order_id: str | None
    order_state: str | None


class Closed(NamedTuple):
    """A connection that the server has closed."""

    at: float
    connection: int
    code: int


class Viewed(NamedTuple):
    """The table at `seq` as somebody sees it: a phone, or storage."""

    who: str
    seq: int
    state: object


class Done(NamedTuple):
    """A command that was acknowledged, and with which `seq`."""

    member_id: str
    command: Edit
    seq: int


@dataclass(slots=True)
class Evidence:
    """All that a run has left behind."""

    samples: list[Sample] = field(default_factory=list)
    committed: list[Committed] = field(default_factory=list)
    tellings: list[Telling] = field(default_factory=list)
    views: list[Viewed] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    refused: list[tuple[str, Edit, str]] = field(default_factory=list)
    repeated: list[tuple[Done, int | str]] = field(default_factory=list)
    """Accepted commands said once more at the end, and what they were answered: a `seq`, or a code."""
    unanswered: list[Edit] = field(default_factory=list)
    """Commands whose sender gave up waiting: each may have had its effect, once."""
    left: set[str] = field(default_factory=set)
    """Phones that are not there at the end."""
    starts: list[float] = field(default_factory=list)
    """From when on a house could work, or work again after a fault of storage or a fence."""
    storage_back: list[float] = field(default_factory=list)
    """When storage could be worked with again after a fault."""
    outages: list[tuple[float, float]] = field(default_factory=list)
    """From when until when a house would try nothing, since storage had failed it."""
    clock_jumps: list[ClockJumped] = field(default_factory=list)
    owner: object = None
    """The house that has claimed the session last; None until one is seen to."""
    failures: list[float] = field(default_factory=list)
    """When its actor crashed, or found that another house had claimed its session."""
    closed: list[Closed] = field(default_factory=list)
    """Connections that the server has closed."""
    disturbances: list[tuple[float, float]] = field(default_factory=list)
    """From when until when something was wrong that concerns every session: a house that ends, storage."""
    pos_dead: list[tuple[float, float]] = field(default_factory=list)
    """From when until when its restaurant's POS was dead, and the time to recover from that."""
    plain_orders: set[str] = field(default_factory=set)
    """Orders with which the POS does nothing wrong."""
    ledger: list[Entry] = field(default_factory=list)
    pos_knows: dict[str, str] = field(default_factory=dict)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    stuck: str | None = None


class Witness:
    """Looks at sessions' storage, on the connection that the houses use, between their works."""

    def __init__(
        self, connection: Connection, note: Callable[[str], None] = lambda line: None
    ) -> None:
        """Args:
        note: writes a line of the trace.
        """
        self.sessions: dict[str, Evidence] = {}
        """What there is to be judged, by the session's pid."""
        self.refusals: list[float] = []
        """When storage refused something that it was given."""
        self._keys: dict[str, SessionKey] = {}
        self._jumps: list[ClockJumped] = []
        self._disturbances: list[tuple[float, float]] = []
        self._connection = connection
        self._note = note

    def watch(self, key: SessionKey) -> None:
        """From now on this dining session is checked."""
        self._keys.setdefault(key.pid, key)
        self.sessions.setdefault(
            key.pid, Evidence(clock_jumps=self._jumps, disturbances=self._disturbances)
        )

    def dining_sessions(self) -> tuple[SessionKey, ...]:
        """The dining sessions that are checked."""
        return tuple(self._keys.values())

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        raw = self._connection.connection.dbapi_connection
        assert raw is not None
        rows: list[tuple[Any, ...]] = raw.execute(sql, values).fetchall()
        return rows

    def position_of(self, pid: str) -> Position:
        """Where storage has the session now."""
        ((epoch, seq),) = self._rows("SELECT epoch, seq FROM dining_sessions WHERE pid = ?", pid)
        return Position(epoch, seq)

    def position(self, unit: Unit | None) -> Position | None:
        """Where storage has the session of this unit, where it is one that is checked."""
        if unit is None or unit.after.pid not in self._keys:
            return None
        return self.position_of(unit.after.pid)

    def wrote(
        self, unit: Unit | None, was: Position | None, *, loads: bool, by: object = None
    ) -> None:
        """Something was written by this house: look. `loads`: compare the whole session with memory, too."""
        if unit is None:
            for pid, evidence in self.sessions.items():
                before = evidence.samples[-1:]
                self._sample(pid)
                if before and before[0].position.epoch != evidence.samples[-1].position.epoch:
                    evidence.owner = by
            return
        pid = unit.after.pid
        if pid not in self._keys:
            return
        evidence = self.sessions[pid]
        if was is not None:
            thought = Position(unit.epoch, unit.before.seq)
            same = True
            if loads:
                loaded = self._load(self._keys[pid])
                same = loaded == unit.after
                state = _state_of(loaded.snapshot(frozenset()))
                evidence.views.append(Viewed("storage", loaded.seq, state))
            evidence.committed.append(Committed(thought, was, same))
        self._sample(pid)

    def clock_jumped(self, seconds: float) -> None:
        """The wall clock was put ahead by so much, or back."""
        self._jumps.append(ClockJumped(trio.current_time(), seconds))

    def crashed(self, pid: str) -> None:
        """A session's actor has crashed."""
        if pid in self.sessions:
            self.sessions[pid].failures.append(trio.current_time())

    def closed(self, pid: str, connection: int, code: int) -> None:
        """The server closes a connection."""
        if pid in self.sessions:
            self.sessions[pid].closed.append(Closed(trio.current_time(), connection, code))

    def disturbed(self, begin: float, end: float) -> None:
        """Something is wrong in that time that concerns every session."""
        self._disturbances.append((begin, end))

    def refused(self, unit: Unit | None, error: BaseException, *, by: object = None) -> None:
        """Storage has refused what this house gave it: whose it was, is to be activated anew."""
        self.refusals.append(trio.current_time())
        self._note(f"storage refuses: {type(error).__name__}")
        evidence = None if unit is None else self.sessions.get(unit.after.pid)
        if evidence is None or not isinstance(error, StaleEpoch):
            return
        if evidence.owner is not None and evidence.owner is not by:
            evidence.failures.append(trio.current_time())

    def _sample(self, pid: str) -> None:
        lines = self._rows(
            "SELECT public_id, state, removed, order_id FROM cart_items WHERE session_pid = ?", pid
        )
        orders = self._rows(
            "SELECT order_id, state, placed_at, lock_ends_at FROM order_journal WHERE session_pid = ?",
            pid,
        )
        sample = Sample(
            trio.current_time(),
            self.position_of(pid),
            {row[0]: LineSeen(row[1], bool(row[2]), row[3]) for row in lines},
            {row[0]: OrderSeen(row[1], _seconds(row[2]), _seconds(row[3])) for row in orders},
        )
        self.sessions[pid].samples.append(sample)

    def _load(self, key: SessionKey) -> Session:
        self._connection.begin()
        try:
            return activate(self._connection, key).session
        finally:
            self._connection.rollback()  # the epoch is not claimed

    def told(self, pid: str, connection: int, told: Told) -> None:
        """A phone, or the sender of a command, is told something."""
        seq = getattr(told, "seq", None)
        if seq is None or pid not in self._keys:
            return
        order_id = state = None
        if isinstance(told, OrderConfirmed | OrderFailed):
            order_id = told.order_id
            found = self._rows("SELECT state FROM order_journal WHERE order_id = ?", order_id)
            state = found[0][0] if found else None
        kind = str(told.__struct_config__.tag)
        stage = told.stage if isinstance(told, OrderProcessing) else None
        at = trio.current_time()
        durable = self.position_of(pid).seq
        telling = Telling(at, connection, kind, stage, seq, durable, order_id, state)
        self.sessions[pid].tellings.append(telling)

    def sees(self, pid: str, who: str, store: CartStore) -> None:
        """A phone has followed what it was told."""
        assert store.seq is not None
        self.sessions[pid].views.append(Viewed(who, store.seq, _state_of(store)))

    def quiet(self) -> bool:
        """Whether nothing is due any more that storage knows of."""
        in_flight = "SELECT 1 FROM order_journal WHERE state IN ('prepared', 'sent', 'unknown')"
        void_due = "SELECT 1 FROM voids WHERE next_at IS NOT NULL AND tries < 5"
        return not self._rows(in_flight) and not self._rows(void_due)

    def waiting_for_staff(self) -> list[str]:
        """Orders of which the POS may still tell."""
        sql = "SELECT order_id FROM order_journal WHERE state = 'needs_staff' AND NOT key_reused"
        return [row[0] for row in self._rows(sql)]

    def order_states(self) -> dict[str, str]:
        """Every order's state, as storage has it."""
        rows = self._rows("SELECT order_id, state FROM order_journal")
        return {row[0]: row[1] for row in rows}

    def close(self, ledger: list[Entry], pos_knows: dict[str, str]) -> None:
        """The run is over: each session's evidence gets its rows and its part of the POS's truth."""
        everything = {table: self._all_of(table) for table in _TABLES}
        placed = {row["order_id"]: row["session_pid"] for row in everything["order_journal"]}
        for number, (pid, evidence) in enumerate(self.sessions.items()):
            stored = self._load(self._keys[pid])
            evidence.views.append(
                Viewed("storage", stored.seq, _state_of(stored.snapshot(frozenset())))
            )
            ours = {order_id for order_id, at in placed.items() if at == pid}
            for table, rows in everything.items():
                evidence.rows[table] = [
                    row
                    for row in rows
                    if (
                        row["session_pid"] == pid
                        if "session_pid" in row
                        else row["order_id"] in ours
                    )
                ]
            # A key of no order of anybody must be found by somebody: the first session has it.
            evidence.ledger = [
                entry
                for entry in ledger
                if entry.key in ours or (number == 0 and entry.key not in placed)
            ]
            evidence.pos_knows = {key: pos_knows[key] for key in pos_knows if key in ours}

    def _all_of(self, table: str) -> list[dict[str, Any]]:
        raw = self._connection.connection.dbapi_connection
        assert raw is not None
        cursor = raw.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _seconds(micros: int) -> float:
    return (micros - STARTS_AT_MICROS) / 1e6


def _state_of(seen: CartStore | CartSnapshot) -> object:
    """What must be the same for everybody at the same `seq`; who is online is no part of it."""
    pending, last = seen.pending_order, seen.last_order
    return (
        tuple(msgspec.to_builtins(item, str_keys=True) for item in seen.items),
        str(seen.total),
        None if pending is None else (pending.order_id, pending.stage, pending.attempt),
        seen.locked_by_member,
        None if last is None else msgspec.to_builtins(last),
        tuple((doubt.order_id, doubt.stage, doubt.lines) for doubt in seen.in_doubt)
        if isinstance(seen, CartStore)
        else tuple((doubt.order_id, doubt.stage, doubt.lines) for doubt in seen.orders_in_doubt),
        tuple(member.member_id for member in seen.members),
    )
