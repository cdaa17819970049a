"""Plays an example session against a server: each member a real client, each step in its turn.

The phones are `comanda.client` as any front end has it, over sockets; what a step expects is looked for in
what they show. The first thing that is not as the file says ends the play.
"""

from collections.abc import Awaitable, Callable

import httpx
import trio
from msgspec import Struct

from comanda.actors.domain.messages import Ack, Error, Pong

from .errors import ApiError, ClientError, CommandRefused
from .expecting import Known, Unmet, begin_round, check_never, reach, see
from .facts import Happening
from .link import LinkEnd
from .phones import Phone, as_frame, filled_in
from .session_file import SessionFile, SessionFileError, UnknownItem, find_item
from .staff import StaffClient
from .steps import (
    Add,
    AnyStep,
    Clear,
    ComeBack,
    CommandStep,
    Cut,
    Doing,
    Expect,
    JoinTable,
    Leave,
    Order,
    Refresh,
    Remove,
    Resolve,
    Send,
    Together,
    Update,
    Wait,
)
from .surroundings import REAL
from .table_choice import ChosenTable
from .timeline import Entry, Mark, Played, command_words, happening_words, state_words

STEP_SECONDS = 15.0
"""A step other than `wait` and `expect` that has not ended by then has failed."""

_TROUBLE = (ClientError, httpx.HTTPError, OSError, trio.TooSlowError)
"""What a step can run into that is neither a refusal nor a bug."""


async def play(
    session: SessionFile,
    server_url: str,
    table: ChosenTable,
    *,
    staff_token: str | None = None,
    tell: Callable[[Entry], None] = lambda entry: None,
) -> Played:
    """Play `session` at `table`; `tell` hears every entry of the timeline as it comes.

    With `staff_token` the table is closed afterwards. Cancellation says goodbye for every member.

    Raises:
        SessionFileError: the restaurant does not sell what the file adds; nobody has sat down.
    """
    items: dict[str | int, int] = {}
    for number, wanted in session.items():
        try:
            items[wanted] = find_item(wanted, table.menu)
        except UnknownItem as error:
            raise SessionFileError(f"{session.where(number)}: {error}") from error
    return await _Play(session, server_url, table, items, tell).run(staff_token)


class _Outcome(Struct):
    """What became of a command: accepted (`order_id` of an order), or refused with `code`."""

    code: str | None = None
    message: str = ""
    order_id: str | None = None

    @property
    def words(self) -> str:
        if self.code is not None:
            return f"refused with {self.code}: “{self.message}”"
        return f"accepted as {self.order_id}" if self.order_id else "accepted"


class _Play:
    def __init__(
        self,
        session: SessionFile,
        server_url: str,
        table: ChosenTable,
        items: dict[str | int, int],
        tell: Callable[[Entry], None],
    ) -> None:
        self._session = session
        self._server_url = server_url
        self._table = table
        self._items = items
        self._tell = tell
        self._entries: list[Entry] = []
        self._line_ids: dict[str, str] = {}
        self._known = Known({}, frozenset())
        self._number = 0
        self._started_at = trio.current_time()
        self._unmet: Entry | None = None
        self._warning: str | None = None
        self._phones = {
            name: Phone(name, server_url, table.code, self._heard) for name in session.members
        }

    async def run(self, staff_token: str | None) -> Played:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for number, step in enumerate(self._session.steps, start=1):
                self._number = number
                await self._step(step)
                if self._unmet is not None:
                    break
            seconds = round(self._now(), 3)
            nursery.cancel_scope.cancel()  # everybody leaves
        if staff_token is not None:
            await self._close_table(staff_token)
        return Played(
            path=self._session.path,
            title=self._session.title,
            table_code=self._table.code,
            seconds=seconds,
            entries=tuple(self._entries),
            unmet=self._unmet,
            where=None if self._unmet is None else self._session.where(self._unmet.step),
            warning=self._warning,
        )

    # --- The timeline -----------------------------------------------------------------------------

    def _now(self) -> float:
        return trio.current_time() - self._started_at

    def _note(self, who: str, what: str, mark: Mark = "", *details: str) -> None:
        entry = Entry(round(self._now(), 3), self._number, who, what, mark, details)
        self._entries.append(entry)
        if mark == "failed" and self._unmet is None:
            self._unmet = entry
        self._tell(entry)

    def _heard(self, name: str, happening: Happening) -> None:
        self._note(name, f"hears {happening_words(happening)}", "heard")

    # --- Steps ------------------------------------------------------------------------------------

    async def _step(self, step: AnyStep) -> None:
        if isinstance(step, Wait):
            self._note("", f"{step.seconds:g} s pass")
            await trio.sleep(step.seconds)
            return
        if isinstance(step, Together):
            await self._together(step)
            return
        if isinstance(step, Expect):
            await self._expect(step)
            return
        for name in self._session.who(step):
            phone = self._phones[name]
            if isinstance(step, CommandStep):
                await self._command(phone, step)
            else:
                await self._move(phone, step)
            if self._unmet is not None:
                return

    async def _move(self, phone: Phone, step: AnyStep) -> None:
        words, doing = self._movement(phone, step)
        try:
            with trio.fail_after(STEP_SECONDS):
                await doing()
        except _TROUBLE as error:
            self._note(phone.name, words, "failed", _trouble_words(error))
        else:
            self._note(phone.name, words)

    def _movement(self, phone: Phone, step: AnyStep) -> tuple[str, Callable[[], Awaitable[None]]]:
        match step:
            case JoinTable():
                return "sits down", lambda: self._join(phone)
            case Leave():
                return "closes the page", phone.leave
            case Cut(what=what):

                async def cut() -> None:
                    phone.cut(what)
                    await phone.until_connected(False)

                return f"loses the {what}", cut
            case ComeBack():
                return "is back", lambda: phone.come_back(self._nursery)
            case Refresh():
                return "loads the page anew", phone.table.refresh
        raise AssertionError(step)

    async def _join(self, phone: Phone) -> None:
        first = not self._known.member_ids
        pins = (other.table.store.join_pin for other in self._phones.values() if other.joined)
        await phone.join(self._nursery, next(pins, self._table.pin))
        self._known.member_ids[phone.name] = phone.table.member_id
        if first:
            orders = (await phone.table.fetch_orders()).orders
            self._known.old_orders = frozenset(order.order_id for order in orders)

    # --- Commands ---------------------------------------------------------------------------------

    async def _command(self, phone: Phone, step: CommandStep) -> None:
        marks, seq = self._marks(), phone.table.store.seq or 0
        outcome = await self._outcome(phone, step)
        if isinstance(outcome, Exception):
            self._note(phone.name, self._words(step), "failed", _trouble_words(outcome))
            return
        if outcome.code is None:
            begin_round(self._phones, marks, seq)
        self._judge(phone.name, step, outcome)

    def _judge(self, name: str, step: CommandStep, outcome: _Outcome) -> None:
        words = self._words(step)
        expected = "accepted" if step.refused is None else f"refused with {step.refused}"
        if step.says is not None and outcome.code == step.refused:
            expected += f": “{step.says}”"
        as_expected = outcome.code == step.refused and step.says in (None, outcome.message)
        if not as_expected:
            self._note(name, words, "failed", f"{expected} expected", f"it was {outcome.words}")
        elif outcome.code is not None:
            self._note(name, f"{words}: {outcome.words}", "ok")
        else:
            self._note(name, words + (f": {outcome.order_id}" if outcome.order_id else ""), "ok")

    async def _together(self, step: Together) -> None:
        commands = self._session.commands(step)
        outcomes: list[_Outcome | Exception | None] = [None] * len(commands)
        marks = self._marks()
        seq = max(self._phones[str(one.member)].table.store.seq or 0 for one in commands)

        async def do(index: int, one: Doing) -> None:
            outcomes[index] = await self._outcome(self._phones[str(one.member)], one)

        async with trio.open_nursery() as nursery:
            for index, one in enumerate(commands):
                nursery.start_soon(do, index, one)
        self._note("", "at the same moment:")
        for one, outcome in zip(commands, outcomes, strict=True):
            name = str(one.member)
            if isinstance(outcome, Exception) or outcome is None:
                self._note(name, self._words(one), "failed", _trouble_words(outcome))
                return
            if step.accepted is None:
                self._judge(name, one, outcome)
            else:
                self._note(name, f"{self._words(one)}: {outcome.words}")
        done = [one for one in outcomes if isinstance(one, _Outcome)]
        if any(one.code is None for one in done):
            begin_round(self._phones, marks, seq)
        if step.accepted is not None:
            self._judge_together(step, step.accepted, done)

    def _judge_together(self, step: Together, accepted: int, outcomes: list[_Outcome]) -> None:
        there = sum(one.code is None for one in outcomes)
        refused = [one for one in outcomes if one.code is not None]
        wrong = [
            one
            for one in refused
            if step.refused not in (None, one.code) or step.says not in (None, one.message)
        ]
        words = f"{accepted} of {len(outcomes)} accepted"
        if step.refused is not None:
            words += f", the others refused with {step.refused}"
        if there != accepted or wrong:
            self._note("", words, "failed", f"{there} accepted", *(one.words for one in refused))
        else:
            self._note("", words, "ok")

    async def _outcome(self, phone: Phone, step: CommandStep) -> _Outcome | Exception:
        try:
            with trio.fail_after(STEP_SECONDS):
                return await self._do(phone, step)
        except CommandRefused as refused:
            return _Outcome(refused.code, refused.message)
        except _TROUBLE as error:
            return error

    async def _do(self, phone: Phone, step: CommandStep) -> _Outcome:
        table = phone.table
        match step:
            case Add(item=item, qty=qty, note=note, line_name=name):
                public_id = REAL.new_id()
                if name is not None:
                    self._line_ids[name] = public_id
                await table.add_to_cart(self._items[item], qty, note, public_id)
            case Update(line=line, qty=new_qty, note=new_note):
                await table.update_cart_item(self._line_ids[line], new_qty, new_note)
            case Remove(line=line):
                await table.remove_from_cart(self._line_ids[line])
            case Clear():
                await table.clear_cart()
            case Order(special_instructions=text):
                return _Outcome(order_id=await table.place_order(text))
            case Resolve():
                await table.resolve_now()
            case Send():
                return await self._send(phone, step)
        return _Outcome()

    async def _send(self, phone: Phone, step: Send) -> _Outcome:
        text = step.text
        if text is None:
            message = filled_in(
                {"request_id": REAL.new_id(), **(step.message or {})}, self._line_ids
            )
            text = as_frame(message)
        match await phone.send_frame(text):
            case Ack() | Pong():
                return _Outcome()
            case Error(code=code, message=sentence):
                return _Outcome(code, sentence)
            case LinkEnd(code=closed, reason=reason):
                raise ClientError(f"the server closed the connection: {closed} {reason}")
            case None:
                raise ClientError("the server did not answer")

    def _words(self, step: CommandStep) -> str:
        item = self._table.menu[self._items[step.item]] if isinstance(step, Add) else ""
        return command_words(step, item)

    def _marks(self) -> dict[str, int]:
        return {name: len(phone.heard) for name, phone in self._phones.items()}

    # --- Expectations -----------------------------------------------------------------------------

    async def _expect(self, step: Expect) -> None:
        deadline = trio.current_time() + step.within
        if step.nevers and not step.sights and not step.has_state:
            await trio.sleep_until(deadline)
        for name in self._session.who(step):
            phone = self._phones[name]
            for sight in step.sights:
                try:
                    happening = await see(phone, sight, deadline)
                except Unmet as unmet:
                    what = f"{unmet.what} within {step.within:g} s"
                    self._note(name, what, "failed", *unmet.details)
                    return
                self._note(name, f"sees {happening_words(happening)}", "ok")
            try:
                if step.has_state:
                    await reach(phone, step, self._known, deadline)
                    self._note(name, state_words(step), "ok")
                check_never(phone, step)
            except Unmet as unmet:
                self._note(name, unmet.what or state_words(step), "failed", *unmet.details)
                return
            if step.nevers:
                self._note(name, f"has not seen {' or '.join(step.nevers)}", "ok")

    async def _close_table(self, staff_token: str) -> None:
        pid = next((one.table.session_pid for one in self._phones.values() if one.joined), None)
        if pid is None:
            return
        try:
            async with StaffClient(self._server_url, staff_token) as staff:
                await staff.close_session(pid)
        except _TROUBLE as error:
            self._warning = f"the table could not be closed: {_trouble_words(error)}"
            return
        self._note("", "the staff close the table")


def _trouble_words(error: Exception | None) -> str:
    if isinstance(error, ApiError):
        return f"the server says {error}"
    if isinstance(error, trio.TooSlowError):
        return f"there was no answer within {STEP_SECONDS:g} s"
    return f"{type(error).__name__}: {error}" if error is not None else "it did not end"
