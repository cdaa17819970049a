"""What all attacks of one process share: the server, the addresses, the pace, the seats, the count."""

import random
from contextvars import ContextVar
from typing import NamedTuple

import msgspec
import trio

from .wire import Answer, LineLost, open_line, read_answer
from .words import VIOLATIONS_KEPT, Job, Tally, count

ADDRESSES = 1500
"""Of a process. The server remembers 20,000; a flood that is to meet a limit keeps to one."""

SEATS_MOST = 60
"""Then the party of one of the tables leaves. A table remembers each member's last 256 commands as long as
its party sits there: with ever more members, what is bounded would still be filling up at the end."""

NEW_SEAT_SHARE = 0.06
"""A seat is used some seventeen times, by several at once: a member may have four connections."""

REQUEST_SHARE = 0.15
"""Of what is sent in a second: a request costs the server as much as twenty frames."""

SHOWN_BYTES = 400
"""Of a request that went wrong, so much is told."""

ANSWER_SECONDS = 30.0
"""A whole request that has no answer by then is one that the server has forgotten."""


ATTACK: ContextVar[str] = ContextVar("ATTACK")
"""Which attack a task makes: its kind, its process, its lane and its number there."""


class Seat(NamedTuple):
    """A hostile member's way in."""

    table: str
    session: str
    token: str


class Pace:
    """Lets through so many a second, evenly; who asks for more waits longer."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._next = 0.0

    async def take(self, many: int) -> None:
        """Wait until `many` more may be sent."""
        now = trio.current_time()
        self._next = max(self._next, now) + many / self._rate
        await trio.sleep_until(self._next)


class World:
    """One process's view of the server. `neighbours` are the honest tables' sessions."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.port = job.port
        self.tally = Tally()
        self._frame_pace = Pace(job.rate * (1 - REQUEST_SHARE))
        self._request_pace = Pace(job.rate * REQUEST_SHARE)
        self.neighbours: tuple[str, ...] = ("session_none",)
        self.seats: list[Seat] = []
        self._told = 0

    def address(self, chance: random.Random) -> str:
        """One of this process's addresses."""
        number = chance.randrange(ADDRESSES)
        return f"127.{10 + self.job.number}.{number // 250}.{number % 250 + 1}"

    # --- Counting -----------------------------------------------------------------------------

    async def frames(self, kind: str, many: int) -> None:
        """Count frames that are about to be sent, when it is their turn."""
        await self._frame_pace.take(many)
        count(self.tally.frames, kind, many)

    async def requests(self, kind: str, many: int = 1) -> None:
        """Count requests that are about to be sent, when it is their turn."""
        await self.turn_to_ask(many)
        count(self.tally.requests, kind, many)

    async def turn_to_ask(self, many: int) -> None:
        """Wait until `many` requests may be sent; whoever sends them counts them."""
        await self._request_pace.take(many)

    def answered(self, answer: Answer | None, asked: bytes) -> None:
        """Count an answer, and look whether it may be one."""
        if answer is None:
            self.tally.unheard += 1
            return
        count(self.tally.statuses, str(answer.status))
        if answer.status < 500:
            return
        if answer.status == 503 and b"retry-after" in answer.headers:
            count(self.tally.busy, _code_of(answer))
        else:
            self.violation(f"{answer.status} {answer.body[:200]!r} to {asked[:SHOWN_BYTES]!r}")

    def closed(self, code: int) -> None:
        """Count a close frame of the server's own."""
        count(self.tally.closes, str(code))
        if code in (1011, 1012):
            self.violation(f"the server has closed a websocket with {code}")

    def violation(self, sentence: str) -> None:
        """Note what must not be."""
        self._told += 1
        if self._told <= VIOLATIONS_KEPT:
            self.tally.violations.append(f"{ATTACK.get()}: {sentence}")

    # --- Seats --------------------------------------------------------------------------------

    async def seat(self, chance: random.Random) -> Seat:
        """One of the seats, or a new one. Raises `LineLost` where there is none to be had now."""
        if self.seats and chance.random() > NEW_SEAT_SHARE:
            return chance.choice(self.seats)
        return await self._sit_down(chance)

    def leave(self, seat: Seat) -> None:
        """The seat opens nothing any more."""
        if seat in self.seats:
            self.seats.remove(seat)

    async def _sit_down(self, chance: random.Random) -> Seat:
        table = chance.choice(self.job.tables)
        body = b'{"name":"Eve \\u202e<b>"}'
        answer = await self.ask("join", chance, "POST", f"/api/tables/{table}/join", body)
        if answer.status == 201:
            told = msgspec.json.decode(answer.body)
            seat = Seat(table, told["session_pid"], told["member_token"])
            self.seats.append(seat)
            if len(self.seats) > SEATS_MOST:
                await self.close_table(chance, chance.choice(self.seats[:-1]).session)
            return seat
        full = [one for one in self.seats if one.table == table]
        if answer.status == 409 and full:
            await self.close_table(chance, full[-1].session)
        raise LineLost("no seat")

    async def close_table(self, chance: random.Random, session: str) -> None:
        """The party leaves, by the word of the hostile restaurant's own staff."""
        path = f"/api/sessions/{session}/close"
        await self.ask("close", chance, "POST", path, token=self.job.staff_token)
        self.seats = [one for one in self.seats if one.session != session]

    async def ask(
        self,
        kind: str,
        chance: random.Random,
        method: str,
        path: str,
        body: bytes | None = None,
        token: str = "",
    ) -> Answer:
        """One good request on a connection of its own. Raises `LineLost` without an answer."""
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        data = "\r\n".join([*lines, "", ""]).encode() + (body or b"")
        await self.requests(kind)
        answer = None
        async with open_line(self.port, self.address(chance)) as line:
            self.tally.connections += 1
            await line.send(data)
            with trio.move_on_after(ANSWER_SECONDS) as patience:
                answer = await read_answer(line)
        if patience.cancelled_caught:
            self.violation(f"no answer in {ANSWER_SECONDS:g} s to {data[:SHOWN_BYTES]!r}")
        self.answered(answer, data)
        if answer is None:
            raise LineLost("no answer")
        return answer


def _code_of(answer: Answer) -> str:
    try:
        return str(msgspec.json.decode(answer.body)["code"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return "no code"
