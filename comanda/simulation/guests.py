"""A guest: the real client on a simulated phone, and a script of what its owner does."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count

import httpx
import trio

from comanda.actors.domain.messages import (
    Ack,
    AddItem,
    CartCommand,
    CartItem,
    CartSnapshot,
    ClearCart,
    Error,
    PlaceOrder,
    RemoveItem,
    SeenItem,
    Told,
    UpdateItem,
)
from comanda.actors.ports import SessionKey
from comanda.client import (
    Api,
    ClientError,
    ClientLimits,
    CommandRefused,
    CouldNotConnect,
    Surroundings,
    TableClosed,
    TableConnection,
)
from comanda.client.engine import Engine, Seat
from comanda.client.link import Link

from .determinism import dice_for
from .evening import Act
from .evening import Guest as Script
from .gateway import Gateway, answer_http
from .lives import TRY_AGAIN_SECONDS, Houses
from .network import Network, connection
from .restaurants import dishes_of, table_code
from .witness import Done, Evidence, Witness

SERVER = "http://comanda.simulated"
PATIENCE_SECONDS = 100.0
"""So long a patient guest waits for a locked cart: longer than any lock."""

SILENCE_SECONDS = ClientLimits().silence_seconds + ClientLimits().pong_timeout_seconds
"""So long a phone needs to find out that a silent connection is dead: a wait on record."""

SESSION_CLOSED = 4410
"""The close code after which the table has another session for those who come."""

PINGS = 200
"""Their answers together are some 16 KiB, and of these less than 300 are refused."""

FLOOD = 130
"""A few more messages at once than the front's burst lets through."""


class Phone:
    """What a guest's client finds outside itself: a network, ids and chance of its own."""

    def __init__(self, script: Script, seed: int, houses: Houses[Gateway]) -> None:
        self.network = Network(script.delay_seconds)
        self._houses = houses
        self._address = script.name
        requests = count(1)
        self.surroundings = Surroundings(
            chance=dice_for(seed, script.name).random,
            new_id=lambda: f"{script.name}-{next(requests)}",
            open_stream=self._open_stream,
            http_transport=httpx.MockTransport(self._answer),
        )

    async def _open_stream(self, host: str, port: int, tls: bool) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        there = self._houses.alive_now()
        if there is None or not self.network.reachable:
            raise OSError("simulated: connection refused")
        ours, theirs = connection(self.network.delay_seconds)
        self.network.add(ours)
        there[0].take(theirs)
        return ours

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep(2 * self.network.delay_seconds)
        there = self._houses.alive_now()
        if there is None or not self.network.reachable:
            raise httpx.ConnectError("simulated: connection refused")
        gateway, life = there
        with life.shared():
            answer = await answer_http(gateway, self._address, request)
            if not life.cut:
                return answer
        raise httpx.ReadError("simulated: the server died")


class _WatchedEngine(Engine):
    """The client's engine; what it sees and what it is answered goes on record."""

    who: str
    evidence: Evidence
    sees: Callable[[], None]

    def joined(self, link: Link, snapshot: CartSnapshot) -> None:
        super().joined(link, snapshot)
        self.sees()

    def told(self, link: Link, message: Told) -> None:
        super().told(link, message)
        if link is self.link and not isinstance(message, Ack | Error):
            self.sees()

    async def carry(self, command: CartCommand, request_id: str) -> Ack:
        if not isinstance(command, AddItem | UpdateItem | RemoveItem | ClearCart | PlaceOrder):
            return await super().carry(command, request_id)
        member_id = self.seat.member_id
        try:
            ack = await super().carry(command, request_id)
        except CommandRefused as refused:
            self.evidence.refused.append((member_id, command, refused.code))
            raise
        except BaseException:
            self.evidence.unanswered.append(command)
            raise
        self.evidence.done.append(Done(member_id, command, ack.seq))
        return ack

    async def repeat(self, done: Done) -> int | str:
        """Say an accepted command once more; what it is answered now. Who has said too much waits first."""
        assert done.command.request_id is not None
        while True:
            try:
                return (await super().carry(done.command, done.command.request_id)).seq
            except CommandRefused as refused:
                if refused.code != "rate_limited" or refused.retry_after is None:
                    return refused.code
                await trio.sleep(refused.retry_after)


class Guest:
    """Follows its script; `finished` is set at its end, and then it stays at the table."""

    def __init__(
        self,
        script: Script,
        seed: int,
        restaurant: int,
        houses: Houses[Gateway],
        witness: Witness,
        note: Callable[[str], None],
    ) -> None:
        """Args:
        restaurant: the number of the one in which it sits down.
        note: writes a line of the trace.
        """
        self.script = script
        self.phone = Phone(script, seed, houses)
        self.finished = trio.Event()
        self.table: TableConnection | None = None
        self.token: str | None = None
        self.has_left = False
        self._engine: _WatchedEngine | None = None
        self._devices: list[_WatchedEngine] = []
        self._table_code = table_code(restaurant, script.table)
        self._menu = dishes_of(restaurant)
        self._witness = witness
        self._note = note
        self._dishes = count(1)

    @property
    def evidence(self) -> Evidence:
        """Of the session at whose table it sits."""
        assert self.table is not None
        return self._witness.sessions[self.table.session_pid]

    async def run(self) -> None:
        """Arrive, do as the script says, stay until cancelled. Of a closed table they sit down anew."""
        await trio.sleep(self.script.arrives_at)
        acts = deque(self.script.acts)
        while await self._visit(acts):
            self._note("comes back")
        self.has_left = True
        self.finished.set()

    async def _visit(self, acts: deque[Act]) -> bool:
        """One membership, from sitting down to its end; whether another one is to follow."""
        async with (
            Api(SERVER, surroundings=self.phone.surroundings) as api,
            trio.open_nursery() as self._nursery,
        ):
            self._seat, self._api = await self._sit_down(api), api
            engine = self._engine = self._new_engine(self.script.name)
            self._devices = [engine]
            self.table = TableConnection(engine)
            await self._connect(engine)
            stays = await self._follow(acts)
            if stays:
                self.finished.set()
                await engine.over.wait()
            self._note("leaves the table" if engine.ended is None else f"is out: {engine.ended}")
            for device in self._devices:
                self.evidence.left.add(device.who)
                await device.leave()
            self._nursery.cancel_scope.cancel()
        assert engine.ended is not None
        return engine.ended.code == SESSION_CLOSED

    def _new_engine(self, who: str) -> "_WatchedEngine":
        engine = _WatchedEngine(
            self._seat, self._api, self._nursery, ClientLimits(), self.phone.surroundings
        )
        pid = self._seat.session_pid
        engine.who = who
        engine.evidence = self._witness.sessions[pid]
        engine.sees = lambda: self._witness.sees(pid, who, engine.store)
        return engine

    async def _connect(self, engine: "_WatchedEngine") -> None:
        try:
            await engine.start(read_snapshot_first=False)
        except (CouldNotConnect, TableClosed):
            self._note("finds no connection yet")

    async def _follow(self, acts: deque[Act]) -> bool:
        """Do as the script says; whether one stays then."""
        assert self.table is not None
        while acts and self.table.ended is None:
            act = acts.popleft()
            await trio.sleep(act.after_seconds)
            if act.what == "leave":
                return False
            await self.act(act)
        return self.table.ended is None

    async def _sit_down(self, api: Api) -> Seat:
        while True:
            try:
                answer = await api.join(self._table_code, self.script.name)
                break
            except (ClientError, httpx.HTTPError, trio.TooSlowError):
                await trio.sleep(TRY_AGAIN_SECONDS)
        api.token = self.token = answer.member_token
        self._witness.watch(SessionKey(answer.restaurant.id, answer.session_pid))
        self._note(f"sits down at {self._table_code}")
        return Seat(
            answer.session_pid,
            answer.member_id,
            answer.member_token,
            answer.ws_url,
            answer.settings,
            answer.restaurant,
            answer.table,
        )

    async def order_more(self, chance: float) -> None:
        """One dish and one order more, once the cart is open: the script is over, there is time."""
        assert self.table is not None
        await self._wait_for_open_cart()
        await self.act(Act(0, "add", chance))
        await self.act(Act(0, "order", chance))

    # --- What a guest does ----------------------------------------------------------------------------

    async def act(self, act: Act) -> None:
        """Do one thing; refusals and lost connections are part of an evening."""
        assert self.table is not None
        if self.script.patient:
            await self._wait_for_open_cart()
        try:
            await self._do(act)
            self._note(f"{act.what}: done")
        except (ClientError, httpx.HTTPError, trio.TooSlowError, ValueError) as error:
            self._note(f"{act.what}: {type(error).__name__} {error}")

    async def _wait_for_open_cart(self) -> None:
        assert self.table is not None
        store = self.table.store
        if store.cart_locked:
            with trio.move_on_after(PATIENCE_SECONDS):
                await self._until(lambda: not store.cart_locked)

    async def _until(self, wanted: Callable[[], bool]) -> None:
        assert self._engine is not None
        try:
            await self._engine.until(wanted)
        except TableClosed:
            return

    async def _do(self, act: Act) -> None:
        assert self.table is not None
        assert self._engine is not None
        table, engine = self.table, self._engine
        dish = self._menu[int(act.chance * 0.999 * len(self._menu))]
        line = self._some_line(act.chance)
        match act.what:
            case "add":
                add = AddItem(dish, 1 + int(act.chance * 30) % 3, self._new_note())
                await engine.do(add)  # past the client's own guard: a cart may be locked
            case "change" if line is not None:
                await table.update_cart_item(line.public_id, 1 + (line.qty + 1) % 5)
            case "remove" if line is not None:
                await table.remove_from_cart(line.public_id)
            case "clear":
                await table.clear_cart()
            case "order" if line is not None:
                await table.place_order()
            case "resolve":
                await table.resolve_now()
            case "refresh":
                await table.refresh()
            case "wrong":
                await self._do_wrong(engine, act.chance)
            case "double" if len(self._devices) == 1:
                self._devices.append(self._new_engine(f"{self.script.name}'s tablet"))
                await self._connect(self._devices[-1])
            case "noise" if engine.link is not None:
                await self._make_noise(engine.link, act.chance)

    async def _do_wrong(self, engine: _WatchedEngine, chance: float) -> None:
        """What no good client says: another total, a strange line, an old id for another thing."""
        old = next((done for done in engine.evidence.done[::-1] if self._is_mine(done)), None)
        if chance < 0.3:
            seen = tuple(
                SeenItem(item.public_id, item.menu_item_id, item.qty, item.note)
                for item in engine.store.items
            )
            await engine.do(PlaceOrder(seen, float(engine.store.total) + 1))
        elif chance < 0.5:
            await engine.do(UpdateItem("no_such_line", qty=2))
        elif old is not None:
            assert old.command.request_id is not None
            await engine.carry(
                AddItem(self._menu[0], 3, self._new_note(), None, old.command.request_id),
                old.command.request_id,
            )

    async def _make_noise(self, link: Link, chance: float) -> None:
        """A bad message; three of them, which puts one out; or more pings than anybody may send."""
        if chance < 0.8:
            for _ in range(1 if chance < 0.5 else 3):
                await link.send('{"type": "add_item"')
            return
        for _ in range(FLOOD):
            await link.send('{"type": "ping"}')

    def _is_mine(self, done: Done) -> bool:
        assert self.table is not None
        return done.member_id == self.table.member_id

    def _some_line(self, chance: float) -> CartItem | None:
        assert self.table is not None
        items = self.table.store.items
        return items[int(chance * 0.999 * len(items))] if items else None

    def _new_note(self) -> str:
        return f"{self.script.name} {next(self._dishes)}"

    async def ask_and_ask(self) -> None:
        """Have each device send more pings than their answers can wait."""
        for device in self._devices:
            link = device.link
            with suppress(CouldNotConnect, ClientError, trio.TooSlowError):
                for _ in range(PINGS if link is not None else 0):
                    assert link is not None
                    await link.send('{"type": "ping"}')

    # --- At the end of the evening --------------------------------------------------------------------

    async def repeat_some(self, most: int) -> None:
        """Say the last accepted commands once more, as a phone does that has missed their replies."""
        assert self._engine is not None
        mine = [done for done in self.evidence.done if self._is_mine(done)]
        for done in mine[-most:]:
            try:
                answer = await self._engine.repeat(done)
            except ClientError:
                return  # out of the table, or without a reply in time: then it does not come to rest
            self.evidence.repeated.append((done, answer))

    async def is_as_far(self, seq: Callable[[], int]) -> None:
        """Wait until the phone is connected and as far as its table, which may go on meanwhile."""
        for device in self._devices:
            with suppress(TableClosed):
                await device.until(partial(_is_as_far, device, seq))

    def is_at_rest(self, seq: Callable[[], int]) -> bool:
        """Whether the phone is connected and as far as its table now, or that is closed."""
        return all(device.ended is not None or _is_as_far(device, seq) for device in self._devices)


def _is_as_far(engine: Engine, seq: Callable[[], int]) -> bool:
    return engine.link is not None and engine.store.seq == seq()
