"""The player against a real server: real sockets, real SQLite, real clients."""

from pathlib import Path

import httpx
import pytest
import trio

from comanda.actors.domain.order import Accepted, Order, PosOutcome, Rejected
from comanda.client import Api, open_table, player
from comanda.client.player import play
from comanda.client.session_file import SessionFile, SessionFileError, parse_session
from comanda.client.table_choice import SEATS, ChosenTable, PlayImpossible, hold_table
from comanda.client.timeline import Entry, Played

from .embedded import embedded_server

HEAD = 'title = "T"\nmembers = ["Ana", "Ben"]\n'
JOIN = '[[steps]]\neveryone = true\ndo = "join"\n'
ADD = '[[steps]]\nmember = "Ana"\ndo = "add"\nitem = "Margherita"\nqty = 2\nas = "pizza"\n'
ORDER = (
    '[[steps]]\nmember = "Ana"\ndo = "order"\nspecial_instructions = "pos:accept, pos:delay=0.1"\n'
)
CONFIRMED = '[[steps]]\neveryone = true\ndo = "expect"\nsees = "order_confirmed"\n'


def session(*steps: str) -> SessionFile:
    return parse_session("\n".join((HEAD, *steps)).encode(), "dinner.toml")


def expect(text: str, who: str = 'member = "Ana"') -> str:
    return f'[[steps]]\n{who}\ndo = "expect"\n{text}\n'


async def played(url: str, file: SessionFile, code: str | None = None) -> Played:
    async with hold_table(url, code, len(file.members)) as table:
        return await play(file, url, table)


async def chosen(url: str, code: str | None) -> ChosenTable:
    async with hold_table(url, code, 2) as table:
        return table


def lines(result: Played) -> list[str]:
    return [f"{one.who}: {one.what} {one.mark}" for one in result.entries if one.mark != "heard"]


async def test_a_session_that_goes_as_written_passes_and_tells_its_story(tmp_path: Path) -> None:
    told: list[Entry] = []
    file = session(
        JOIN, ADD, ORDER, CONFIRMED, expect("cart = { lines = [], locked = false }\norders = 1")
    )
    async with embedded_server(tmp_path) as server, hold_table(server.url, None, 2) as table:
        result = await play(file, server.url, table, tell=told.append)
    assert result.passed
    assert result.table_code == "demo-1"
    assert result.entries == tuple(told)
    assert lines(result) == [
        "Ana: sits down ",
        "Ben: sits down ",
        "Ana: adds 2 × Margherita ok",
        "Ana: orders (“pos:accept, pos:delay=0.1”): ORD-7-1 ok",
        "Ana: sees order_confirmed ORD-7-1 ok",
        "Ben: sees order_confirmed ORD-7-1 ok",
        "Ana: has the cart open: empty, 1 confirmed order ok",
    ]
    times = [one.at_seconds for one in result.entries]
    assert times == sorted(times)


async def test_who_comes_later_is_told_the_tables_pin_by_who_sits_there(tmp_path: Path) -> None:
    async with embedded_server(tmp_path, join_pin="on") as server:
        result = await played(server.url, session(JOIN, ADD, expect("cart = { locked = false }")))
    assert result.passed, result.entries


@pytest.mark.parametrize(
    ("steps", "what", "details"),
    [
        (
            [ADD, expect("within = 0.2\ncart = { lines = ['1 × Margherita'], total = 625.00 }")],
            "has the cart: 1 × Margherita, total 625.00",
            (
                "cart.lines: 1 × Margherita expected, 2 × Margherita there",
                "cart.total: 625.00 expected, 1250.00 there",
            ),
        ),
        (
            [
                expect(
                    "within = 0.2\ncart = { locked = true, locked_by = 'Ben', status = 'failed' }"
                )
            ],
            "has the cart locked by Ben: failed",
            (
                "cart.locked: true expected, false there",
                "cart.locked_by: Ben expected, nothing there",
                "cart.status: failed expected, idle there",
            ),
        ),
        (
            [expect("within = 0.2\norders = 1\noffline = ['Ben']")],
            "has 1 confirmed order, Ben offline",
            ("orders: 1 expected, 0 there: nothing", "Ben is online, offline expected"),
        ),
        (
            [ADD, expect("within = 0.2\nsees = 'order_confirmed'", 'member = "Ben"')],
            "sees order_confirmed within 0.2 s",
            ("it did not come in time", "since the last change there was: cart_updated"),
        ),
        (
            [ADD, expect("within = 0.2\nnever = 'cart_updated'", 'member = "Ben"')],
            "never sees cart_updated",
            ("it has seen cart_updated",),
        ),
        (
            ['[[steps]]\nmember = "Ana"\ndo = "order"\n'],
            "orders",
            ("accepted expected", "it was refused with cart_empty: “There is nothing in the cart"),
        ),
        (
            [ADD.replace("qty", 'refused = "cart_locked"\nqty')],
            "adds 2 × Margherita",
            ("refused with cart_locked expected", "it was accepted"),
        ),
        (
            ['[[steps]]\nmember = "Ana"\ndo = "order"\nrefused = "cart_empty"\nsays = "No"\n'],
            "orders",
            ("refused with cart_empty: “No” expected", "it was refused with cart_empty: “There is"),
        ),
        (
            [
                '[[steps]]\ndo = "together"\naccepted = 2\nsteps = ['
                '{ member = "Ana", do = "clear" }, { member = "Ben", do = "order" }]\n'
            ],
            "2 of 2 accepted",
            ("1 accepted", "refused with cart_empty"),
        ),
    ],
)
async def test_what_is_not_as_written_ends_the_play_and_is_told(
    tmp_path: Path, steps: list[str], what: str, details: tuple[str, ...]
) -> None:
    file = session(JOIN, *steps, '[[steps]]\nmember = "Ana"\ndo = "clear"\n')
    async with embedded_server(tmp_path) as server:
        result = await played(server.url, file)
    assert result.unmet is not None
    assert result.unmet.what == what
    assert result.unmet.mark == "failed"
    assert len(result.unmet.details) == len(details)
    for told, expected in zip(result.unmet.details, details, strict=True):
        assert told.startswith(expected)
    assert result.entries[-1] == result.unmet, "nothing is played after it"
    assert result.where == file.where(len(file.steps) - 1)
    assert what in result.sentence


async def test_what_was_heard_before_the_last_change_is_not_seen_again(tmp_path: Path) -> None:
    again = expect("within = 0.3\nsees = 'order_confirmed'")
    async with embedded_server(tmp_path) as server:
        result = await played(server.url, session(JOIN, ADD, ORDER, CONFIRMED, again))
        assert not result.passed, "each sight is seen once"
        add = ADD.replace("pizza", "second")
        file = session(JOIN, ADD, ORDER, expect("orders = 1"), add, again)
        assert not (await played(server.url, file)).passed, "an older round is past"
        cut = '[[steps]]\nmember = "Ana"\ndo = "cut"\n'
        gone = expect("within = 0.3\nsees = 'reconnecting'")
        back = '[[steps]]\nmember = "Ana"\ndo = "come_back"\n'
        assert (await played(server.url, session(JOIN, cut, gone, back, ADD))).passed
        file = session(JOIN, cut, expect("online = ['Ben']"), back, ADD, gone)
        assert not (await played(server.url, file)).passed, "so are facts of before"


async def test_an_unknown_item_is_told_before_anybody_sits_down(tmp_path: Path) -> None:
    file = session(JOIN, '[[steps]]\nmember = "Ana"\ndo = "add"\nitem = "Margarita"\n')
    async with embedded_server(tmp_path) as server:
        with pytest.raises(SessionFileError, match=r"step 2.*near names: Margherita"):
            await played(server.url, file, "demo-1")
        async with httpx.AsyncClient(trust_env=False) as http:
            table = (await http.get(f"{server.url}/api/tables/demo-1")).json()
    assert table["session_open"] is False


class FirstRefused:
    """A POS that refuses the first order and takes all others."""

    def __init__(self) -> None:
        self.calls = 0

    async def submit(self, order: Order) -> PosOutcome:
        await trio.lowlevel.checkpoint()
        self.calls += 1
        if self.calls == 1:
            return Rejected("busy", "Too busy", retryable=True)
        return Accepted("POS-2")

    async def look_up(self, order: Order) -> PosOutcome | None:
        await trio.lowlevel.checkpoint()
        return None

    async def void(self, order: Order) -> bool:
        raise AssertionError("nothing is taken back here")


async def test_an_automatic_retry_that_succeeds_is_seen(tmp_path: Path) -> None:
    file = session(
        JOIN,
        ADD,
        ORDER,
        expect(
            'sees = [{ what = "order_failed", error = "Too busy" }, "retry_scheduled",'
            ' "cart_locked", { what = "order_confirmed", order.pos_reference = "POS-2" }]\norders = 1'
        ),
    )
    async with embedded_server(tmp_path, pos=FirstRefused(), retry_delay=0.1) as server:
        result = await played(server.url, file)
    assert result.passed, result.sentence


async def test_an_open_table_is_taken_last_and_only_when_it_is_quiet(tmp_path: Path) -> None:
    file = session(JOIN, ADD, ORDER, CONFIRMED, expect("orders = 1"))
    async with embedded_server(tmp_path, demo_tables=2) as server:
        first = await played(server.url, file)
        async with open_table(server.url, "demo-2", "Zoe") as zoe:
            await zoe.add_to_cart(456)
            again = await played(server.url, session(JOIN, ADD, expect("orders = 0")))
            third = await played(server.url, file)
            assert (first.table_code, again.table_code, third.table_code) == ("demo-1",) * 3
            assert third.passed, "what was left in the cart is cleared, old orders do not count"
            async with open_table(server.url, "demo-1", "Yan"):
                with pytest.raises(PlayImpossible, match=r"each of the 2 demo tables .* --table"):
                    await played(server.url, file)
            assert len(zoe.store.items) == 1, "nobody touches the cart of a party"


async def test_a_full_table_is_passed_over(tmp_path: Path) -> None:
    async with embedded_server(tmp_path, demo_tables=2, rate_limits="off") as server:
        async with Api(server.url) as api:
            for number in range(SEATS - 2):
                await api.join("demo-1", f"Guest {number}")
            await api.join("demo-2", "Zoe")
        table = await chosen(server.url, None)
        assert table.code == "demo-2", "a seat for the guest who looks, but not for the members"
        async with Api(server.url) as api:
            await api.join("demo-1", "Yan")
        assert (await chosen(server.url, None)).code == "demo-2"
        with pytest.raises(PlayImpossible, match="at table 'demo-1' now: A table seats at most"):
            await chosen(server.url, "demo-1")


async def test_plays_at_the_same_time_take_different_tables(tmp_path: Path) -> None:
    plays = 6

    class AnswersWhenAllHaveOrdered:
        """However slow the machine, no play can end before each has a table of its own."""

        def __init__(self) -> None:
            self._ordered: set[str] = set()
            self._all = trio.Event()

        async def submit(self, order: Order) -> PosOutcome:
            self._ordered.add(order.order_id)
            if len(self._ordered) == plays:
                self._all.set()
            await self._all.wait()
            return Accepted("POS")

        async def look_up(self, order: Order) -> PosOutcome | None:
            return None

        async def void(self, order: Order) -> bool:
            raise AssertionError("nothing is taken back here")

    confirmed = CONFIRMED + "within = 30\n"
    file = session(JOIN, ADD, ORDER, confirmed, expect("orders = 1"))
    results: list[Played] = []

    async def one(url: str) -> None:
        results.append(await played(url, file))

    pos = AnswersWhenAllHaveOrdered()
    async with (
        embedded_server(tmp_path, pos=pos, pos_timeout=30) as server,
        trio.open_nursery() as nursery,
    ):
        for _ in range(plays):
            nursery.start_soon(one, server.url)
    assert [one.sentence for one in results] == [""] * plays
    assert len({one.table_code for one in results}) == plays


async def test_a_table_can_be_chosen_unless_an_order_holds_it(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as server:
        assert (await chosen(server.url, "demo-3")).label == "T3"
        async with open_table(server.url, "demo-3", "Zoe") as zoe:
            await zoe.add_to_cart(456)
            assert (await chosen(server.url, "demo-3")).code == "demo-3"
            await zoe.wait_for(lambda store: not store.items, 5)
            await zoe.add_to_cart(456)
            await zoe.place_order("pos:hang")
            with pytest.raises(PlayImpossible, match="its cart is locked by an order"):
                await chosen(server.url, "demo-3")
        with pytest.raises(PlayImpossible, match="has no table 'nowhere'"):
            await chosen(server.url, "nowhere")


async def test_a_server_that_is_none_of_ours_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PlayImpossible, match="is no web address"):
        await chosen("localhost:8080", None)
    with pytest.raises(PlayImpossible, match=r"http://127.0.0.1:1 cannot be reached"):
        await chosen("http://127.0.0.1:1", None)
    async with embedded_server(tmp_path) as server:
        with pytest.raises(PlayImpossible, match="has no demo tables"):
            await chosen(f"{server.url}/elsewhere", None)


async def test_the_staff_close_the_table_after_the_play(tmp_path: Path) -> None:
    file = session(JOIN, ADD)
    async with embedded_server(tmp_path, staff_token="s3cret-token-of-staff") as server:
        table = await chosen(server.url, None)
        result = await play(file, server.url, table, staff_token="s3cret-token-of-staff")
        assert result.entries[-1].what == "the staff close the table"
        assert (await chosen(server.url, None)).code == "demo-1"
        wrong = await play(file, server.url, table, staff_token="guess")
        assert wrong.passed
        assert wrong.warning is not None
        assert "could not be closed" in wrong.warning


async def test_members_have_left_when_the_play_is_over(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as server:
        await played(server.url, session(JOIN, ADD), "demo-1")
        async with open_table(server.url, "demo-1", "Zoe") as zoe:
            await zoe.wait_for(
                lambda store: [one.name for one in store.members if one.online] == ["Zoe"], 5
            )


async def test_raw_frames_are_answered_and_lines_have_ids_in_them(tmp_path: Path) -> None:
    send = '[[steps]]\nmember = "Ben"\ndo = "send"\n'
    file = session(
        JOIN,
        ADD,
        send + 'message = { type = "update_item", public_id = "{pizza}", qty = 3 }\n',
        send + "text = 'no JSON'\nrefused = \"bad_message\"\n",
        expect("cart = { lines = ['3x Margherita'] }", "everyone = true"),
    )
    async with embedded_server(tmp_path) as server:
        result = await played(server.url, file)
    assert result.passed, result.sentence


async def test_a_server_that_goes_away_ends_the_play_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player, "STEP_SECONDS", 1.0)
    file = session(JOIN, expect("sees = 'reconnecting'"), ADD)
    results: list[Played] = []
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery, embedded_server(tmp_path) as server:
            table = await chosen(server.url, None)
            sitting = trio.Event()

            def tell(entry: Entry) -> None:
                if entry.who == "Ben":
                    sitting.set()

            async def run() -> None:
                results.append(await play(file, server.url, table, tell=tell))

            nursery.start_soon(run)
            await sitting.wait()
    unmet = results[0].unmet
    assert unmet is not None
    assert (unmet.what, unmet.details) == (
        "adds 2 × Margherita",
        ("there was no answer within 1 s",),
    )
