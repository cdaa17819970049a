"""Plays one planned evening, with houses that die, a POS, guests and staff; then judges it."""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any

import httpx
import trio
from msgspec import Struct
from sqlalchemy import Connection

from comanda.actors.domain.inputs import OutcomeHeard
from comanda.actors.domain.menu import Menu, MenuItem, Restaurant, Table
from comanda.actors.domain.messages import MenuEntry, StaffOrder, Told
from comanda.actors.house import House, HouseLimits
from comanda.actors.ports import StorageUnavailable
from comanda.actors.reconciliation import ReconciliationLimits
from comanda.actors.sweeps import SweepLimits
from comanda.client import Api, ClientError, ClientLimits, Surroundings
from comanda.http.auth import MemberTokens, StaffTokens
from comanda.http.front import Front
from comanda.http.metrics import Metrics
from comanda.http.wire import frame
from comanda.storage.groups import Commit, Work
from comanda.storage.inline import InlineStore, open_inline

from .coverage import cells_of, marks_of
from .cuts import CutPos, CutStore, Trouble
from .determinism import CountedIds, VirtualClock, dice_for, run_by_seed
from .evening import Act, Closing, Crash, Cut, MenuChange, Plan, What
from .gateway import Gateway, answer_http
from .guests import DISHES, SERVER, Guest
from .invariants import violations
from .ledger import Entry
from .lives import Houses, Life
from .pos import Fault, TruthPos
from .pos_faults import BY_NAME
from .witness import Witness

RESTAURANT_ID = 7
STAFF_TOKEN = "staff of the simulation"
MENU = Menu(
    RESTAURANT_ID,
    "INR",
    2,
    {
        DISHES[0]: MenuItem(DISHES[0], "Pizza", "Margherita", "", 62500, True),
        DISHES[1]: MenuItem(DISHES[1], "Drinks", "Lassi", "", 9000, True),
        DISHES[2]: MenuItem(DISHES[2], "Sweets", "Kulfi", "", 12050, True),
    },
)
RESTAURANT = Restaurant(
    RESTAURANT_ID,
    "Trattoria",
    MENU,
    tuple(Table(f"table-{n}", f"T{n}", RESTAURANT_ID) for n in range(8)),
)

LIMITS = HouseLimits(
    idle_seconds=15.0,
    sweeps=SweepLimits(locks_seconds=2.0),
    reconciliation=ReconciliationLimits(voids_seconds=4.0),
)
"""Sweeps a little rarer than the defaults, since what they do not find is most of an evening's work; and
a session leaves memory sooner, so that within an evening some do."""

_TOLD = ("seq", "order_id", "stage", "code")
"""What a line of the trace tells of a message, besides its type."""

PAUSE_SECONDS = 9.0
"""From the next house's start until a paused one goes on; and again until that one ends."""

START_AGAIN_SECONDS = 1.0
"""From a start that storage did not answer to, until the next."""

SCRIPTS_SECONDS = 1500.0
"""A guest's script takes some 60 s, and at the worst a lock limit for each order; more is stuck."""

MORE_ROUNDS = 30
"""Tries to come to the plan's number of orders; orders that fail and carts that are locked use some up."""

SETTLE_SECONDS = 200.0
"""From the last fault until nothing is due: a lock limit, a quarantine, five tries of a void."""

CONVERGE_SECONDS = 30.0
"""I15: from then on everybody sees the same within this time."""

SILENCE_SECONDS = ClientLimits().silence_seconds + ClientLimits().pong_timeout_seconds
"""So long a phone needs to find out that a silent connection is dead: a wait on record."""

COMPARE_EVERY = 7
"""Every seventh commit the whole session is loaded and compared with memory: it costs ten commits."""


class Outcome(Struct, frozen=True):
    """What an evening came to. `digest` is of its whole trace."""

    seed: int
    profile: str
    virtual_seconds: float
    orders: int
    faults: dict[str, int]
    marks: tuple[str, ...]
    cells: dict[str, int]
    violations: dict[str, list[str]]
    digest: str
    trace: tuple[str, ...] = ()


class Shelf:
    """A database that outlives every house, put back to its beginning for each evening.

    What a commit has written stays when a house dies. Loss of power, where an unsynced commit would be
    gone, is not simulated yet; here is its place.
    """

    def __init__(self, inline: InlineStore) -> None:
        self.connection: Connection = inline._connection
        pooled: Any = inline._connection.connection
        self._raw = pooled.dbapi_connection
        self._beginning: bytes = self._raw.serialize()

    def clear(self) -> None:
        """As at the beginning: the menu, and nobody there."""
        self._raw.deserialize(self._beginning)


@contextmanager
def open_shelf() -> Iterator[Shelf]:
    """A shelf with the restaurant's menu in it."""
    with open_inline() as inline:
        trio.run(inline.install, (RESTAURANT,), "menu")
        yield Shelf(inline)


def play(shelf: Shelf, plan: Plan, *, keep_trace: bool = False) -> Outcome:
    """Play this evening to its end and judge it. The product's own logs are silent meanwhile."""
    shelf.clear()
    world = _World(shelf, plan)
    crash: dict[str, list[str]] = {}
    logging.disable(logging.CRITICAL)
    try:
        run_by_seed(plan.seed, world.run)
    except Exception as error:  # whatever it is: this seed must be told of, and the others played
        crash = {"nothing_crashes": [_in_words(error)]}
        world.trace.append(f"crashed: {crash['nothing_crashes'][0]}")
    finally:
        logging.disable(logging.NOTSET)
    return world.outcome(crash, keep_trace=keep_trace)


def _in_words(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    trace = error.__traceback__
    where = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        where = f"{code.co_filename.rsplit('/', 1)[-1]}:{code.co_name}"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error} in {where}"


class _PoisonedIds(CountedIds):
    """Ids that count up; the asking for some of a line's fails, and with it the session that decides."""

    def __init__(self, poison: Sequence[int], poisoned: Callable[[], None]) -> None:
        super().__init__()
        self._poison = frozenset(poison)
        self._poisoned = poisoned
        self._asked = 0

    def public_id(self) -> str:
        self._asked += 1
        if self._asked in self._poison:
            self._poisoned()
            raise RuntimeError("simulated: a message upon which nobody can decide")
        return super().public_id()


class _World:
    def __init__(self, shelf: Shelf, plan: Plan) -> None:
        self.plan = plan
        self.trace: list[str] = []
        self.faults: Counter[str] = Counter()
        self.witness = Witness(shelf.connection, self.note)
        self._connection = shelf.connection
        self._houses = Houses[Gateway]()
        self._ids = _PoisonedIds(plan.poison, self._poisoned)
        self._clock = VirtualClock()
        self._connections = count(1)
        self._houses_opened = count(1)
        self._commits = 0
        self._compared = 0
        self._storage = {fault.number: fault.kind for fault in plan.storage}
        self._answers = True
        self._recovered: list[float] = []
        self._calm = False
        self._silent_until = 0.0
        self._stuck: list[str] = []
        self._seconds = 0.0
        self._guests = [
            Guest(
                script,
                plan.seed,
                f"table-{script.table}",
                self._houses,
                self.witness,
                partial(self._note_of, script.name),
            )
            for script in plan.guests
        ]

    def _poisoned(self) -> None:
        self.faults["poison"] += 1
        self.note("a message is poison: its session crashes")

    def note(self, line: str) -> None:
        """A line of the trace, at this moment."""
        self.trace.append(f"{trio.current_time():9.3f} {line}")

    def _note_of(self, who: str, what: str) -> None:
        self.note(f"{who} {what}")

    def outcome(self, crash: dict[str, list[str]], *, keep_trace: bool) -> Outcome:
        broken: dict[str, list[str]] = {}
        for pid, evidence in self.witness.sessions.items():
            if evidence.rows:
                for name, sentences in violations(evidence).items():
                    broken.setdefault(name, []).extend(f"{pid}: {said}" for said in sentences)
        if self._stuck:
            broken["everything_comes_to_rest"] = [
                *broken.get("everything_comes_to_rest", []),
                *self._stuck,
            ]
        rows = [
            row for e in self.witness.sessions.values() for row in e.rows.get("order_journal", ())
        ]
        text = "\n".join(self.trace)
        return Outcome(
            self.plan.seed,
            self.plan.profile,
            round(self._seconds, 3),
            len(rows),
            dict(sorted(self.faults.items())),
            marks_of(text),
            cells_of(self.trace),
            broken | crash,
            hashlib.sha256(text.encode()).hexdigest(),
            tuple(self.trace) if keep_trace else (),
        )

    # --- The evening ----------------------------------------------------------------------------------

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            self.pos = TruthPos(self._fault_of, nursery, self._call_back, self._entered)
            nursery.start_soon(self._live_and_die, nursery)
            for guest in self._guests:
                nursery.start_soon(guest.run)
            async with trio.open_nursery() as troubles:
                for cut in self.plan.cuts:
                    troubles.start_soon(self._disturb, cut)
                for outage in self.plan.outages:
                    troubles.start_soon(self._storage_fails, outage.at, outage.seconds)
                for change in self.plan.menu:
                    troubles.start_soon(self._change_menu, change)
                for closing in self.plan.closings:
                    troubles.start_soon(self._close_table, closing)
                troubles.start_soon(self._staff_settle)
                await self._dine()
                self._calm = True
                troubles.cancel_scope.cancel()
            await self._come_to_rest()
            self.witness.close(self.pos.ledger, self.pos.tells_when_asked())
            began = sorted(self._houses.starts + self._recovered)
            for evidence in self.witness.sessions.values():
                evidence.starts = began
            self._seconds = trio.current_time()
            self.note("the end")
            nursery.cancel_scope.cancel()

    async def _dine(self) -> None:
        with trio.move_on_after(SCRIPTS_SECONDS) as patience:
            for guest in self._guests:
                await guest.finished.wait()
            await self._order_more()
            await trio.sleep_until(max(trio.current_time(), self._last_fault_at() + 1))
        if patience.cancelled_caught:
            self._stuck.append(f"the guests are not through after {SCRIPTS_SECONDS:g} s")

    def _last_fault_at(self) -> float:
        plan = self.plan
        moments = [cut.at for cut in plan.cuts] + [outage.at for outage in plan.outages]
        moments += [closing.at for closing in plan.closings]
        return max(moments + [change.at for change in plan.menu], default=0.0)

    async def _order_more(self) -> None:
        """Who is still there orders on until the evening has its number of orders."""
        for number in range(MORE_ROUNDS):
            there = [guest for guest in self._guests if not guest.has_left]
            if not there or len(self.witness.order_states()) >= self.plan.orders:
                return
            guest = there[number % len(there)]
            rounds: tuple[What, ...] = ("add", "order")
            for what in rounds:
                await guest.act(Act(0, what, (number * 0.37) % 1))
            await trio.sleep(0.5)

    async def _come_to_rest(self) -> None:
        """The quiet tail: no more faults, the staff at hand, and everybody must come to see the same."""
        self._answers = True
        for guest in self._guests:
            guest.phone.network.reachable = True
        self.note("all faults end")
        with trio.move_on_after(SETTLE_SECONDS) as patience:
            while not self._is_quiet():
                await trio.sleep(1)
                await self._settle_what_waits()
        if patience.cancelled_caught:
            self._stuck.append(f"something is still due {SETTLE_SECONDS:g} s after the last fault")
        await trio.sleep_until(max(trio.current_time(), self._silent_until))
        there = [guest for guest in self._guests if guest.table is not None and not guest.has_left]
        with trio.move_on_after(CONVERGE_SECONDS) as patience:
            for guest in there:
                await guest.repeat_some(3)
            for guest in there:
                if not guest.has_left and guest.table is not None:
                    at = self.witness.position_of(guest.table.session_pid)
                    await guest.is_at(at.seq)
        if patience.cancelled_caught:
            self._stuck.append(f"not everybody sees the same after {CONVERGE_SECONDS:g} s")

    def _is_quiet(self) -> bool:
        known = self.pos.tells_when_asked()
        waits = any(order_id in known for order_id in self.witness.waiting_for_staff())
        return self.witness.quiet() and not self.pos.at_work and not waits

    # --- Houses ---------------------------------------------------------------------------------------

    async def _live_and_die(self, nursery: trio.Nursery) -> None:
        for crash in self.plan.crashes:
            life = self._new_life(crash)
            if crash.paused:
                nursery.start_soon(self._stall, life)
            else:
                nursery.start_soon(self._live_until_killed, life)
            await life.died.wait()
            self.faults["paused" if crash.paused else "killed"] += 1
            await trio.sleep(crash.restart_after_seconds)
        nursery.start_soon(self._open, self._new_life(None))

    def _new_life(self, crash: Crash | None) -> Life:
        number = next(self._houses_opened)
        only_orders = crash is not None and crash.of_orders
        return Life(
            None if crash is None else crash.step,
            counts=lambda name: not self._calm and (not only_orders or "ORD-" in name),
            heard=partial(self._note_of, f"house {number}"),
        )

    async def _live_until_killed(self, life: Life) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._open, life)
            await life.died.wait()
            nursery.cancel_scope.cancel()

    async def _stall(self, life: Life) -> None:
        """It is alive all the while, and goes on under its successor."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._open, life)
            await life.died.wait()
            await trio.sleep(PAUSE_SECONDS)
            life.wake()
            await trio.sleep(PAUSE_SECONDS)
            nursery.cancel_scope.cancel()

    async def _open(self, life: Life) -> None:
        """Run a house for this life; one that cannot start is started again, as a process would be."""
        while not await self._serve(life):
            self.note("a house cannot start: storage does not answer")
            await trio.sleep(START_AGAIN_SECONDS)

    async def _serve(self, life: Life) -> bool:
        house = House(
            store=CutStore(
                self._connection,
                life,
                self.witness,
                compares=self._compares,
                trouble=self._trouble,
            ),
            pos=CutPos(self.pos, life),
            clock=self._clock,
            ids=self._ids,
            new_pid=self._ids.session_pid,
            frame=frame,
            limits=LIMITS,
            rng=dice_for(self.plan.seed, f"house {len(self._houses.starts)}"),
        )
        front = Front(
            house=house,
            members=MemberTokens(b"a key that signs this evening's tokens"),
            staff=StaffTokens(STAFF_TOKEN, house.book),
            metrics=Metrics(house),
            public_url=SERVER,
        )
        async with trio.open_nursery() as nursery:
            try:
                await nursery.start(house.run)
            except StorageUnavailable:
                return False
            gateway = Gateway(front, life, nursery, self._told, lambda: next(self._connections))
            if not life.cut:
                self.note("a house opens")
                self._houses.open(gateway, life)
        return True

    def _told(self, pid: str, connection: int, told: Told) -> None:
        self.witness.told(pid, connection, told)
        words = [str(told.__struct_config__.tag)]
        words += [
            str(getattr(told, name)) for name in _TOLD if getattr(told, name, None) is not None
        ]
        self.note(f"connection {connection} hears {' '.join(words)}")

    # --- Storage --------------------------------------------------------------------------------------

    def _compares(self) -> bool:
        self._compared += 1
        return self._compared % COMPARE_EVERY == 0

    def _trouble(self, work: Work) -> Trouble | None:
        if not self._answers:
            return "refused"
        if not isinstance(work, Commit) or self._calm:
            return None
        self._commits += 1
        kind = self._storage.get(self._commits)
        if kind is None:
            return None
        self.faults[f"commit {kind}"] += 1
        self.note(f"storage: this commit is {kind}")
        self._recovered.append(trio.current_time())
        return kind

    async def _storage_fails(self, at: float, seconds: float) -> None:
        await trio.sleep(at)
        self.faults["outage"] += 1
        self.note("storage: an outage begins")
        self._answers = False
        try:
            await trio.sleep(seconds)
        finally:
            self._answers = True
            self.note("storage: answers again")
            self._recovered.append(trio.current_time())

    # --- The POS --------------------------------------------------------------------------------------

    def _fault_of(self, order_id: str) -> Fault:
        dice = dice_for(self.plan.seed, order_id)
        if self._calm or not self.plan.pos_faults or dice.random() >= self.plan.pos_rate:
            return Fault("none", decides_after=round(dice.uniform(0, 3), 2))
        name = dice.choice(self.plan.pos_faults)
        self.faults[f"POS {name}"] += 1
        self.note(f"POS fault of {order_id}: {name}")
        return BY_NAME[name]

    async def _call_back(self, said: OutcomeHeard) -> None:
        await self._houses.ask(lambda gateway: gateway.front.house.hear_pos(said))

    def _entered(self, entry: Entry) -> None:
        self.note(f"POS ledger: {entry.what} {entry.key}")

    # --- Network, staff -------------------------------------------------------------------------------

    async def _disturb(self, cut: Cut) -> None:
        await trio.sleep(cut.at)
        guest = next(one for one in self._guests if one.script.name == cut.guest)
        network = guest.phone.network
        self.faults[f"network {cut.kind}"] += 1
        self.note(f"{guest.script.name}'s network: {cut.kind}")
        if cut.kind == "reset":
            network.cut()
        elif cut.kind == "silence":
            network.fall_silent()
            self._silent_until = trio.current_time() + SILENCE_SECONDS
        else:
            network.reachable = False
            network.cut()
            await trio.sleep(cut.seconds)
            network.reachable = True

    def _staff_surroundings(self) -> Surroundings:
        return Surroundings(http_transport=httpx.MockTransport(self._answer_staff))

    async def _answer_staff(self, request: httpx.Request) -> httpx.Response:
        there = self._houses.alive_now()
        if there is None:
            raise httpx.ConnectError("simulated: connection refused")
        with there[1].shared():
            answer = await answer_http(there[0], "staff", request)
            if not there[1].cut:
                return answer
        raise httpx.ReadError("simulated: the server died")

    async def _change_menu(self, change: MenuChange) -> None:
        await trio.sleep(change.at)
        path = f"/api/restaurants/{RESTAURANT_ID}/menu/{DISHES[change.item]}"
        given = {"available": change.available, "price": change.price}
        body = {name: value for name, value in given.items() if value is not None}
        self.faults["menu changed"] += 1
        await self._staff_call("PATCH", path, MenuEntry, body)

    async def _close_table(self, closing: Closing) -> None:
        await trio.sleep(closing.at)
        pids = {
            guest.table.session_pid: None
            for guest in self._guests
            if guest.script.table == closing.table and guest.table is not None
        }
        for pid in pids:
            self.faults["table closed"] += 1
            await self._staff_call("POST", f"/api/sessions/{pid}/close", type(None), None)

    async def _staff_settle(self) -> None:
        while True:
            await trio.sleep(self.plan.staff_after_seconds)
            await self._settle_what_waits()

    async def _settle_what_waits(self) -> None:
        """The staff look into the kitchen, and say what they see of each order that waits for them."""
        for order_id, state in sorted(self.witness.order_states().items()):
            if state == "needs_staff" and self.pos.has(order_id) != "undecided":
                cooking = self.pos.has(order_id) == "accepted"
                outcome = "confirmed" if cooking else "rejected"
                body = {"outcome": outcome, "reason": "the kitchen says so"}
                await self._staff_call("POST", f"/api/orders/{order_id}/resolve", StaffOrder, body)

    async def _staff_call(self, method: str, path: str, answer: type[object], body: object) -> None:
        """Once; what is not answered is asked again when somebody looks again."""
        async with Api(SERVER, STAFF_TOKEN, surroundings=self._staff_surroundings()) as api:
            try:
                await api.call(method, path, answer, body)
                self.note(f"staff {method} {path}: done")
            except (ClientError, httpx.HTTPError, trio.TooSlowError) as error:
                self.note(f"staff {method} {path}: {error}")
