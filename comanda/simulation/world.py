"""Plays one planned evening, with houses that die, a POS, guests and staff; then has it judged."""

import logging
from collections.abc import Callable

import trio

from comanda.actors.domain.inputs import OutcomeHeard
from comanda.actors.domain.messages import OrderStateName

from .bounds import LOOK_EVERY_SECONDS, out_of_bounds
from .determinism import VirtualClock, dice_for, run_by_seed
from .evening import ClockJump, Cut, DeadPos, Plan, late_guest
from .evening import Guest as Script
from .guests import SILENCE_SECONDS, Guest
from .intruders import Intruders
from .ledger import Entry
from .logbook import Logbook
from .outcome import Outcome, judge
from .poison import PoisonedIds
from .pos import Fault, TruthPos
from .pos_faults import BY_NAME
from .restaurants import RESTAURANTS
from .shelf import Shelf
from .staff import Staff, restaurant_of
from .storage_troubles import StorageTroubles
from .succession import Succession
from .witness import Witness

SCRIPTS_SECONDS = 1500.0
"""A guest's script takes some 60 s, and at the worst a lock limit for each order; more is stuck."""

RESTOCK_EVERY = 8
"""Orders asked for beyond the scripts until the kitchen has everything again: all may be sold out."""

SLOW_SECONDS = 20.0
"""So long a slow phone does not read: longer than the server waits for it to take a write."""

LOOK_FOR_ORDER_SECONDS = 0.25
"""Between two looks for an order in the state in which a clock is to jump: a call takes up to 3 s."""

SETTLE_SECONDS = 200.0
"""From the last fault until nothing is due: a lock limit, a quarantine, five tries of a void."""

CONVERGE_SECONDS = 30.0
"""I15: from then on everybody sees the same within this time."""

REST_ROUNDS = 20
"""So often something may still begin by itself: a failed order is sent anew three times, at each table."""


def play(shelf: Shelf, plan: Plan, *, keep_trace: bool = False) -> Outcome:
    """Play this evening to its end and judge it. The product's own logs are silent meanwhile."""
    shelf.clear()
    world = _World(shelf, plan)
    logging.disable(logging.CRITICAL)
    try:
        run_by_seed(plan.seed, world.run)
    except Exception as error:  # whatever it is: this seed must be told of, and the others played
        world.crashed(error)
    finally:
        logging.disable(logging.NOTSET)
    return world.outcome(keep_trace=keep_trace)


DEAD_POS_SECONDS = 15.0
"""From the return of a dead POS until all orders have been asked for again: a longest pause, and a call."""


class StillDue(Exception):
    """The quiet tail does not come to its end."""


class _World:
    def __init__(self, shelf: Shelf, plan: Plan) -> None:
        self._plan = plan
        self._logbook = Logbook()
        self._witness = Witness(shelf.connection, self._logbook.note)
        self._clock = VirtualClock()
        self._storage = StorageTroubles(plan, self._witness, self._logbook)
        self._succession = Succession(
            plan,
            shelf,
            PoisonedIds(plan.poison, self._logbook),
            self._clock,
            self._storage,
            self._witness,
            self._logbook,
        )
        self._houses = self._succession.houses
        self._staff = Staff(self._houses, self._witness, self._logbook)
        self._intruders = Intruders(self._staff, self._witness, self._logbook)
        self._faults_ended = False
        self._dead: set[int] = set()
        self._beyond_bounds: list[str] = []
        self._broken: dict[str, list[str]] = {}
        self._seconds = 0.0
        self._guests = [self._new_guest(script) for script in plan.guests]

    def _new_guest(self, script: Script) -> Guest:
        return Guest(
            script,
            self._plan.seed,
            self._plan.restaurant_of(script.table),
            self._houses,
            self._witness,
            self._logbook.notes_of(script.name),
        )

    def outcome(self, *, keep_trace: bool) -> Outcome:
        """How the evening is judged, once it is over."""
        return judge(
            self._plan,
            self._witness,
            self._logbook,
            self._seconds,
            self._broken,
            keep_trace=keep_trace,
        )

    def crashed(self, error: BaseException) -> None:
        """Something of ours has raised: the evening ends there."""
        words = _in_words(error)
        self._broken["nothing_crashes"] = [words]
        self._logbook.trace.append(f"crashed: {words}")

    def _stuck(self, sentence: str) -> None:
        self._broken.setdefault("everything_comes_to_rest", []).append(sentence)

    # --- The evening ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """From the first guest to the last line of the trace."""
        async with trio.open_nursery() as nursery:
            self._pos = TruthPos(
                self._fault_of, nursery, self._call_back, self._entered, self._is_dead
            )
            nursery.start_soon(self._succession.live_and_die, self._pos, nursery)
            nursery.start_soon(self._watch_bounds)
            for guest in self._guests:
                nursery.start_soon(guest.run)
            async with trio.open_nursery() as troubles:
                self._begin_troubles(troubles)
                await self._dine(nursery)
                self._end_faults()
                troubles.cancel_scope.cancel()
            try:
                await self._come_to_rest()
            except StillDue as due:
                self._stuck(str(due))
            self._witness.close(self._pos.ledger, self._pos.tells_when_asked())
            began = sorted(self._houses.began + self._storage.recovered + self._witness.refusals)
            plain = {key for key, fault in self._pos.faults.items() if fault.name == "none"}
            for key in self._witness.dining_sessions():
                evidence = self._witness.sessions[key.pid]
                evidence.starts = began
                evidence.storage_back = self._storage.recovered
                evidence.outages = self._succession.outages
                evidence.plain_orders = plain
                evidence.pos_dead = [
                    (dead.at, dead.at + dead.seconds + DEAD_POS_SECONDS)
                    for dead in self._plan.dead_pos
                    if RESTAURANTS[dead.restaurant].restaurant_id == key.restaurant_id
                ]
            self._look_at_bounds()
            for name, sentences in (
                ("everything_stays_bounded", self._beyond_bounds),
                ("houses_end_in_time", self._succession.late),
                ("nothing_crashes", self._succession.crashes),
                ("nobody_reaches_what_is_not_theirs", self._intruders.got_in),
            ):
                if sentences:
                    self._broken[name] = sentences
            self._seconds = trio.current_time()
            self._logbook.note("the end")
            nursery.cancel_scope.cancel()

    async def _watch_bounds(self) -> None:
        while True:
            await trio.sleep(LOOK_EVERY_SECONDS)
            self._look_at_bounds()

    def _look_at_bounds(self) -> None:
        there = self._houses.alive_now()
        if there is not None:
            self._beyond_bounds += out_of_bounds(there[0])

    def _begin_troubles(self, troubles: trio.Nursery) -> None:
        for cut in self._plan.cuts:
            troubles.start_soon(self._disturb, cut)
        for outage in self._plan.outages:
            troubles.start_soon(self._storage.fail_for_a_while, outage)
        for change in self._plan.menu:
            troubles.start_soon(self._staff.change_menu, change)
        for closing in self._plan.closings:
            troubles.start_soon(self._staff.close_table, closing, self._guests)
        for jump in self._plan.jumps:
            troubles.start_soon(self._put_clock, jump)
        for dead in self._plan.dead_pos:
            troubles.start_soon(self._kill_pos, dead)
        for intrusion in self._plan.intrusions:
            troubles.start_soon(self._intruders.intrude, intrusion, self._guests)
        every_seconds = self._plan.staff_after_seconds
        troubles.start_soon(self._staff.settle_now_and_then, self._pos, every_seconds)

    def _end_faults(self) -> None:
        self._faults_ended = True
        self._succession.end_deaths()
        self._storage.end()

    async def _dine(self, nursery: trio.Nursery) -> None:
        with trio.move_on_after(SCRIPTS_SECONDS) as patience:
            for guest in self._guests:
                await guest.finished.wait()
            await self._order_more(nursery)
            await trio.sleep_until(max(trio.current_time(), self._last_fault_at() + 1))
        if patience.cancelled_caught:
            self._stuck(f"the guests are not through after {SCRIPTS_SECONDS:g} s")

    def _last_fault_at(self) -> float:
        plan = self._plan
        moments = [cut.at for cut in plan.cuts] + [outage.at for outage in plan.outages]
        moments += [closing.at for closing in plan.closings] + [jump.at for jump in plan.jumps]
        moments += [dead.at for dead in plan.dead_pos] + [one.at for one in plan.intrusions]
        return max(moments + [change.at for change in plan.menu], default=0.0)

    async def _order_more(self, nursery: trio.Nursery) -> None:
        """Who is still there orders on until the evening has its number of orders."""
        number = 0
        while len(self._witness.order_states()) < self._plan.orders:
            there = [guest for guest in self._guests if not guest.has_left]
            if not there:
                there = [await self._one_more_guest(nursery)]
            await there[number % len(there)].order_more((number * 0.37) % 1)
            await trio.sleep(0.5)
            number += 1
            if number % RESTOCK_EVERY == 0:
                await self._staff.restock()

    async def _one_more_guest(self, nursery: trio.Nursery) -> Guest:
        """All have left: somebody else comes in."""
        guest = self._new_guest(late_guest(len(self._guests)))
        self._guests.append(guest)
        nursery.start_soon(guest.run)
        await guest.finished.wait()
        return guest

    async def _come_to_rest(self) -> None:
        """The quiet tail: no more faults, the staff at hand, and everybody must come to see the same."""
        for guest in self._guests:
            guest.phone.network.reachable = True
        self._logbook.note("all faults end")
        await self._settle()
        await trio.sleep_until(max(trio.current_time(), self._logbook.waits_end_at))
        there = [guest for guest in self._guests if guest.table is not None and not guest.has_left]
        with trio.move_on_after(CONVERGE_SECONDS):
            for guest in there:
                await guest.repeat_some(3)
        for _ in range(REST_ROUNDS):
            with trio.move_on_after(CONVERGE_SECONDS) as patience:
                await self._until_all_see_the_same(there)
            if not self._is_quiet():  # a phone has sent its failed order anew, as it does by itself
                await self._settle()
            elif patience.cancelled_caught:
                raise StillDue(f"not everybody sees the same after {CONVERGE_SECONDS:g} s")
            elif self._all_are_at_rest(there):
                return
        raise StillDue(f"something goes on after {REST_ROUNDS} times at rest")

    async def _settle(self) -> None:
        with trio.move_on_after(SETTLE_SECONDS) as patience:
            while not self._is_quiet():
                await trio.sleep(1)
                await self._staff.settle_what_waits(self._pos)
        if patience.cancelled_caught:
            raise StillDue(f"something is still due {SETTLE_SECONDS:g} s after the last fault")

    async def _until_all_see_the_same(self, there: list[Guest]) -> None:
        for guest in there:
            if not guest.has_left and guest.table is not None:
                await guest.is_as_far(self._seq_of(guest.table.session_pid))

    def _all_are_at_rest(self, there: list[Guest]) -> bool:
        """Nothing is on its way any more either: who was looked at first may have been told more since."""
        return all(
            guest.has_left
            or guest.table is None
            or guest.is_at_rest(self._seq_of(guest.table.session_pid))
            for guest in there
        )

    def _seq_of(self, pid: str) -> Callable[[], int]:
        return lambda: self._witness.position_of(pid).seq

    def _is_quiet(self) -> bool:
        known = self._pos.tells_when_asked()
        waits = any(order_id in known for order_id in self._witness.waiting_for_staff())
        return self._witness.quiet() and not self._pos.at_work and not waits

    # --- The POS --------------------------------------------------------------------------------------

    def _fault_of(self, order_id: str) -> Fault:
        dice = dice_for(self._plan.seed, order_id)
        faults = self._plan.pos_faults
        if self._faults_ended or not faults or dice.random() >= self._plan.pos_rate:
            return Fault("none", decides_after=round(dice.uniform(0, 3), 2))
        name = dice.choice(faults)
        self._logbook.met(f"POS {name}", f"POS fault of {order_id}: {name}")
        return BY_NAME[name]

    async def _kill_pos(self, dead: DeadPos) -> None:
        await trio.sleep(dead.at)
        number = RESTAURANTS[dead.restaurant].restaurant_id
        self._logbook.met("dead POS", f"the POS of restaurant {number} is dead")
        self._dead.add(number)
        try:
            await trio.sleep(dead.seconds)
        finally:
            self._dead.discard(number)
            self._logbook.note(f"the POS of restaurant {number} is back")

    def _is_dead(self, order_id: str) -> bool:
        return bool(self._dead) and restaurant_of(order_id) in self._dead

    async def _call_back(self, said: OutcomeHeard) -> None:
        await self._houses.ask(lambda gateway: gateway.front.house.hear_pos(said))

    def _entered(self, entry: Entry) -> None:
        self._logbook.note(f"POS ledger: {entry.what} {entry.key}")

    # --- The clock and the network --------------------------------------------------------------------

    async def _put_clock(self, jump: ClockJump) -> None:
        await trio.sleep(jump.at)
        if jump.when is not None:
            await self._until_an_order_is(jump.when)
        self._clock.jump(jump.seconds)
        self._witness.clock_jumped(jump.seconds)
        words = "ahead" if jump.seconds > 0 else "back"
        self._logbook.met(f"clock {words}", f"the clock is put {words} by {abs(jump.seconds):g} s")

    async def _until_an_order_is(self, state: OrderStateName) -> None:
        while state not in self._witness.order_states().values():  # noqa: ASYNC110  # storage tells nobody
            await trio.sleep(LOOK_FOR_ORDER_SECONDS)

    async def _disturb(self, cut: Cut) -> None:
        await trio.sleep(cut.at)
        guest = next(one for one in self._guests if one.script.name == cut.guest)
        network = guest.phone.network
        self._logbook.met(f"network {cut.kind}", f"{guest.script.name}'s network: {cut.kind}")
        if cut.kind == "reset":
            network.cut()
        elif cut.kind == "slow":
            read_on = network.stop_reading()
            await guest.ask_and_ask()
            await trio.sleep(SLOW_SECONDS)
            read_on()
        elif cut.kind == "silence":
            network.fall_silent()
            self._logbook.wait_on_record(SILENCE_SECONDS)
        else:
            network.reachable = False
            network.cut()
            await trio.sleep(cut.seconds)
            network.reachable = True


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
