"""Orders through two real programs, `comanda serve` and `comanda pos`, and the phones of a table.

The POS fails on purpose, as its control call says; the kitchen's ledger and the staff's list are what
an evening comes to.
"""

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import trio

from chaos.ports import held_port
from comanda.actors.domain.messages import (
    CartUnlocked,
    CartUpdated,
    OrderConfirmed,
    OrderFailed,
    OrderProcessing,
    StaffOrder,
)
from comanda.client import Happening, Happenings, StaffClient, TableConnection, open_table
from tests.cli.helpers import PATIENCE_SECONDS, STAFF_TOKEN, Server, a_server, run
from tests.pos.simulator.helpers import Caller, calling
from tests.pos.simulator.process import Process, a_process
from tests.signing import SECRET

PATIENT = ("--pos-timeout", "1.5", "--lock-limit", "30")
HASTY = ("--pos-timeout", "1", "--lock-limit", "2")
"""A lock that ends while the POS still thinks."""

TABLES = 20
"""More than there are tests, so that each sits down at a table of its own."""

_tables = count(1)


@dataclass
class House:
    """The two programs, in `folder`; the server may be killed and started again on its port."""

    folder: Path
    pos: Process
    port: int
    options: tuple[str, ...]
    stack: ExitStack
    server: Server = field(init=False)

    def start_server(self) -> None:
        secret = str(self.folder / "secret")
        options = ("--pos", self.pos.url, "--pos-secret-file", secret, "--retry-limit", "0")
        more = ("--rate-limits", "off", *self.options)
        started = a_server(self.folder, *options, *more, tables=TABLES, port=self.port)
        self.server = self.stack.enter_context(started)

    @asynccontextmanager
    async def kitchen(self) -> AsyncIterator[Caller]:
        """Whoever calls the POS by hand and reads its ledger."""
        async with calling(self.pos.url, self.folder / "ledger.jsonl") as caller:
            yield caller

    async def instruct(self, *faults: str, **rates: float) -> None:
        """The next calls of the POS meet these faults, and every call those rates from now on."""
        named = {name.replace("_", "-"): rate for name, rate in rates.items()}
        async with self.kitchen() as kitchen:
            answer = await kitchen.http.post("/control", json={"next": faults, "rates": named})
            assert answer.status_code == 200, answer.text

    async def on_record(self, order_id: str, *, standing: bool = False) -> StaffOrder | None:
        """The order in the staff's list; `standing`: in that of the incidents."""
        async with StaffClient(self.server.url, STAFF_TOKEN) as staff:
            orders = (await staff.list_orders(7, limit=200, with_incidents=standing)).orders
        return next((order for order in orders if order.order_id == order_id), None)

    async def incident(self, order_id: str) -> str:
        """The kind of the one incident of this order, once it stands."""
        with trio.fail_after(PATIENCE_SECONDS):
            while (order := await self.on_record(order_id, standing=True)) is None:  # noqa: ASYNC110
                await trio.sleep(0.05)
        (incident,) = order.incidents
        return incident.kind


@dataclass
class Table:
    """Ana and Ben at one table; `told` is what Ben's phone hears."""

    ana: TableConnection
    ben: TableConnection
    happenings: Happenings
    marks: int = 0

    async def comes_to(self, status: str) -> None:
        await self.ben.wait_for(
            lambda store: store.order_processing_status == status, PATIENCE_SECONDS
        )

    async def told(self) -> list[Happening]:
        """What Ben's phone was told since he was last asked: up to a line that he adds now, `mark-1`."""
        self.marks += 1
        mark = f"mark-{self.marks}"
        await self.ben.add_to_cart(457, 1, public_id=mark)
        told: list[Happening] = []
        with trio.fail_after(PATIENCE_SECONDS):
            async for happening in self.happenings:
                told.append(happening)
                if isinstance(happening, CartUpdated) and has_line(happening, mark):
                    return told
        raise AssertionError("the table ended")


def has_line(update: CartUpdated, public_id: str) -> bool:
    return any(item.public_id == public_id for item in update.items)


def stages(told: list[Happening]) -> list[tuple[str, int]]:
    return [(one.stage, one.attempt) for one in told if isinstance(one, OrderProcessing)]


def outcomes(told: list[Happening]) -> list[type]:
    """How the table's orders ended, in the order in which it heard so."""
    return [type(one) for one in told if isinstance(one, OrderConfirmed | OrderFailed)]


@contextmanager
def a_house(folder: Path, *options: str) -> Iterator[House]:
    """Both programs until the block's end. They know each other's address and one secret."""
    (folder / "secret").write_text(SECRET + "\n")
    signing = ("--pos-secret-file", str(folder / "secret"))
    with ExitStack() as stack:
        port = stack.enter_context(held_port())
        callbacks = ("--callback-url", f"http://127.0.0.1:{port}/api/pos/callbacks")
        pos = stack.enter_context(a_process(folder, "--delay", "0.05", *signing, *callbacks))
        house = House(folder, pos, port, options, stack)
        house.start_server()
        yield house


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with a_house(tmp_path_factory.mktemp("patient"), *PATIENT) as house:
        yield house


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with a_house(tmp_path_factory.mktemp("hasty"), *HASTY) as house:
        yield house


@asynccontextmanager
async def a_table(house: House) -> AsyncIterator[Table]:
    """A table of its own, with two pizzas in its cart."""
    code = f"demo-{next(_tables)}"
    async with (
        open_table(house.server.url, code, "Ana") as ana,
        open_table(house.server.url, code, "Ben") as ben,
    ):
        await ana.add_to_cart(456, 2)
        await ben.wait_for(lambda store: len(store.items) == 1, PATIENCE_SECONDS)
        with ben.events() as happenings:
            yield Table(ana, ben, happenings)


async def kitchen_kinds(house: House, order_id: str, *kinds: str) -> None:
    """The order's lines in the ledger are these, in any order, once they have all come."""
    async with house.kitchen() as kitchen:
        with trio.fail_after(PATIENCE_SECONDS):
            while sorted(kitchen.kinds(order_id)) != sorted(kinds):  # noqa: ASYNC110  # a file
                await trio.sleep(0.02)
        assert order_id not in kitchen.summary().doubled


async def test_an_accepted_order_is_confirmed_and_cooked_once(patient: House) -> None:
    async with a_table(patient) as table:
        order_id = await table.ana.place_order("by the window")
        await table.comes_to("confirmed")
        told = await table.told()
        assert (stages(told), outcomes(told)) == ([("sent", 1)], [OrderConfirmed])
        await kitchen_kinds(patient, order_id, "accepted")


@pytest.mark.parametrize(
    ("fault", "ledger", "way", "by_callback"),
    [
        ("pending=0.3", ["pending", "accepted", "delivered"], ["sent", "pending"], True),
        (
            "pending-twice=0.3",
            ["pending", "accepted", "delivered", "delivered"],
            ["sent", "pending"],
            True,
        ),
        ("pending-early=0.3", ["pending", "accepted", "delivered"], ["sent"], True),
        ("accept-early", ["accepted", "delivered"], ["sent"], True),
        ("pending-silent=0.3", ["pending", "accepted"], ["sent", "pending", "pending"], False),
    ],
)
async def test_an_order_is_confirmed_once_however_the_pos_says_so(
    patient: House, fault: str, ledger: list[str], way: list[str], by_callback: bool
) -> None:
    async with a_table(patient) as table:
        await patient.instruct(fault)
        order_id = await table.ana.place_order()
        await table.comes_to("confirmed")
        await kitchen_kinds(patient, order_id, *ledger)
        told = await table.told()
        assert [stage for stage, _ in stages(told)] == way
        assert outcomes(told) == [OrderConfirmed]
        order = await patient.on_record(order_id)
        assert order is not None
        assert (order.state, order.incidents) == ("confirmed", ())
        assert (order.heard_by or "").startswith("callback") == by_callback


async def test_an_order_accepted_after_its_table_was_told_that_it_failed_is_taken_back(
    patient: House,
) -> None:
    async with a_table(patient) as table:
        await patient.instruct("reject-then-accept=0.3")
        order_id = await table.ana.place_order()
        await table.comes_to("failed")
        assert await patient.incident(order_id) == "accepted_after_rejected"
        await kitchen_kinds(patient, order_id, "rejected", "accepted", "delivered", "voided")
        words = ("resolve", order_id, "rejected", "--reason", "Taken off the pass")
        done = run(*words, "--server", patient.server.url, COMANDA_STAFF_TOKEN=STAFF_TOKEN)
        assert (done.returncode, done.stderr) == (0, "")
        assert await patient.on_record(order_id, standing=True) is None
        told = await table.told()
        assert outcomes(told) == [OrderFailed]
        assert len(table.ben.store.items) == 2  # the pizzas came back into the cart


async def test_an_order_refused_after_it_was_confirmed_is_an_incident(patient: House) -> None:
    async with a_table(patient) as table:
        await patient.instruct("accept-then-reject=0.3")
        order_id = await table.ana.place_order()
        await table.comes_to("confirmed")
        assert await patient.incident(order_id) == "refused_after_confirmed"
        await kitchen_kinds(patient, order_id, "accepted", "rejected", "delivered")
        async with StaffClient(patient.server.url, STAFF_TOKEN) as staff:
            order = await staff.resolve_order(order_id, "rejected", reason="Told the table")
        assert order.state == "confirmed"
        assert await patient.on_record(order_id, standing=True) is None
        assert outcomes(await table.told()) == [OrderConfirmed]


async def test_an_order_at_a_pos_that_hangs_ends_confirmed_once_and_its_table_knows_all_the_while(
    patient: House,
) -> None:
    async with a_table(patient) as table:
        await patient.instruct(hang=1, lookup_hang=1)
        order_id = await table.ana.place_order()
        await table.ben.wait_for(
            lambda store: store.pending_order is not None and store.pending_order.attempt == 2,
            PATIENCE_SECONDS,
        )
        await patient.instruct()
        await table.comes_to("confirmed")
        told = await table.told()
        assert stages(told)[:3] == [("sent", 1), ("unknown", 1), ("unknown", 2)]
        assert outcomes(told) == [OrderConfirmed]
        await kitchen_kinds(patient, order_id, "accepted")


async def test_an_order_sent_to_a_pos_that_has_stopped_is_confirmed_once_when_it_goes_on(
    patient: House,
) -> None:
    async with a_table(patient) as table:
        patient.pos.process.send_signal(signal.SIGSTOP)
        try:
            order_id = await table.ana.place_order()
            await table.ben.wait_for(
                lambda store: (
                    store.pending_order is not None and store.pending_order.stage == "unknown"
                ),
                PATIENCE_SECONDS,
            )
        finally:
            patient.pos.process.send_signal(signal.SIGCONT)
        await table.comes_to("confirmed")
        told = await table.told()
        assert stages(told)[:2] == [("sent", 1), ("unknown", 1)]
        assert outcomes(told) == [OrderConfirmed]
        async with patient.kitchen() as kitchen:
            assert kitchen.kinds(order_id).count("accepted") == 1
            assert kitchen.summary().doubled == ()


async def test_a_callback_that_comes_while_the_server_is_dead_is_heard_by_the_next_one(
    patient: House,
) -> None:
    async with a_table(patient) as table, patient.kitchen() as kitchen:
        await patient.instruct("pending=0.5")
        order_id = await table.ana.place_order()
        await table.happenings.find(
            lambda one: isinstance(one, OrderProcessing) and one.stage == "pending",
            PATIENCE_SECONDS,
        )
        patient.server.end(signal.SIGKILL)
        with trio.fail_after(PATIENCE_SECONDS):
            await kitchen.until(order_id, "pending", "accepted")
        assert "delivered" not in kitchen.kinds(order_id)
        patient.start_server()
        table.ben.reconnect_now()
        await table.comes_to("confirmed")
        with trio.fail_after(PATIENCE_SECONDS):
            while "delivered" not in kitchen.kinds(order_id):  # noqa: ASYNC110  # a file
                await trio.sleep(0.02)
        assert kitchen.kinds(order_id).count("accepted") == 1
        # The phone may have come back in time to hear it, or reads it in its snapshot.
        assert outcomes(await table.told()) in ([OrderConfirmed], [])
        orders = (await table.ben.fetch_orders()).orders
        assert [order.order_id for order in orders] == [order_id]
        order = await patient.on_record(order_id)
        assert order is not None
        assert (order.state, order.incidents) == ("confirmed", ())


async def test_a_reused_key_waits_for_the_staff_and_is_never_taken_back(hasty: House) -> None:
    async with a_table(hasty) as table:
        await hasty.instruct("key-reused")
        order_id = await table.ana.place_order()
        assert await hasty.incident(order_id) == "key_reused"
        await table.comes_to("idle")
        told = await table.told()
        assert [stage for stage, _ in stages(told)] == ["sent", "unknown", "needs_staff"]
        order = await hasty.on_record(order_id, standing=True)
        assert order is not None
        assert order.state == "needs_staff"
        async with StaffClient(hasty.server.url, STAFF_TOKEN) as staff:
            settled = await staff.resolve_order(order_id, "rejected", reason="Not ours")
        assert settled.state == "rejected"
        assert await hasty.on_record(order_id, standing=True) is None
        assert outcomes(await table.told()) == [OrderFailed]
        await kitchen_kinds(hasty, order_id, "accepted")


@pytest.mark.parametrize(
    ("fault", "outcome", "state"),
    [
        ("pending=3", OrderConfirmed, "confirmed"),
        ("pending-reject=3", OrderFailed, "rejected"),
    ],
)
async def test_a_callback_after_the_unlock_settles_its_order_and_leaves_the_next_cart_alone(
    hasty: House, fault: str, outcome: type, state: str
) -> None:
    async with a_table(hasty) as table:
        await hasty.instruct(fault)
        order_id = await table.ana.place_order()
        await table.comes_to("idle")
        told = await table.told()
        assert [type(one) for one in told if isinstance(one, CartUnlocked)] == [CartUnlocked]
        assert (stages(told)[-1][0], outcomes(told)) == ("needs_staff", [])
        happening = await table.happenings.find(
            lambda one: isinstance(one, OrderConfirmed | OrderFailed), PATIENCE_SECONDS
        )
        assert type(happening) is outcome
        assert [item.public_id for item in table.ben.store.items] == ["mark-1"]
        order = await hasty.on_record(order_id)
        assert order is not None
        assert (order.state, order.incidents) == (state, ())
        assert (order.heard_by or "").startswith("callback")
