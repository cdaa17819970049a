"""The dining session's actor: take a batch, decide, commit, adopt, reply, publish.

The output gate is here: nothing is adopted, answered or told before the commit has succeeded.
"""

from typing import Final

from comanda.logs import get_log
from comanda.runtime import Actor, ActorStopped, Envelope, MailboxFull, Outage

from .audience import Audience, Seat
from .carrier import Carrier
from .domain.changes import Changes
from .domain.decide import decide
from .domain.editing import changed_items
from .domain.inputs import (
    ByMember,
    Context,
    Decision,
    FollowMenu,
    Interrupted,
    Refusal,
)
from .domain.menu import Menu
from .domain.messages import (
    MenuUpdated,
    PlaceOrder,
    Presence,
    Rejection,
    ServerClosing,
    Told,
)
from .domain.order import IN_FLIGHT
from .domain.session import NO_REQUESTS, Session
from .noting import note
from .ports import (
    CommitUnknown,
    SessionKey,
    StaleEpoch,
    StorageUnavailable,
    Unit,
)
from .reconciliation import log_incident
from .sayings import (
    Answer,
    CheckClaim,
    Drain,
    MenuChanged,
    Message,
    Outcomes,
    PresenceChanged,
    Seated,
    Sit,
    View,
)
from .surroundings import Surroundings

log = get_log("comanda.session")

REJOIN_AFTER_SECONDS: Final = 1.0
"""What `server_closing` asks members to wait; a restart takes about so long."""

CLOSE_FAILED: Final = 1011
CLOSE_RESTARTING: Final = 1012
CLOSE_SESSION_CLOSED: Final = 4410
"""Close codes of the protocol that the actor itself gives."""

_BESIDE_THE_CART: Final = (Sit, MenuChanged, Drain, PresenceChanged, CheckClaim)
"""Messages that nothing is decided upon. A union written out in a call would be built at each one."""


class DiningSession(Actor[Message]):
    """Owns one table's visit. Restored from storage at every activation; the epoch fences the last."""

    def __init__(self, key: SessionKey, around: Surroundings) -> None:
        self._key = key
        self._around = around
        self._session: Session | None = None
        self._epoch = 0
        self._audience = Audience(self._member_gone)
        self._presence_due = False
        self._followed: Menu | None = None
        self._spare_number: int | None = None
        self._carrier = Carrier(around)
        self._door = around.doors.of(key.pid)

    @property
    def view(self) -> View | None:
        """What readers may take without the mailbox; None before the first activation is through."""
        if self._session is None:
            return None
        return View(self._session, self._audience.online)

    def may_passivate(self) -> bool:
        """Not while somebody is connected, nor while an order is prepared, sent or unknown."""
        pending = None if self._session is None else self._session.pending
        return not self._audience and (pending is None or pending.state not in IN_FLIGHT)

    # --- Life ---------------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Load the rows, claim the epoch, take up an order that was left in flight.

        Raises:
            NoSuchSession: there is none with this key.
            Outage: storage does not answer.
        """
        try:
            loaded = await self._around.store.activate(self._key)
            self._epoch = loaded.epoch
            self._around.claims.took(self._key, loaded.epoch)
            session = loaded.session
            decided = []
            menu = self._around.menus.current(self._key.restaurant_id)
            for said in (Interrupted(), FollowMenu()):
                decision = decide(session, said, self._decision_context(menu))
                assert isinstance(decision, Decision)
                session = decision.session
                decided.append((said, decision))
            changes = Changes.of([decision.changes for _, decision in decided])
            if session is not loaded.session:
                await self._around.store.commit(Unit(self._epoch, loaded.session, session, changes))
        except (StorageUnavailable, CommitUnknown) as error:
            raise Outage("Storage does not answer.") from error
        if changes.orders:
            note(self._around.tally, self._key, loaded.session, decided)
        self._adopt(session, menu)
        if session.pending is not None:
            self._carrier.carry(session.pending, self.context)

    async def on_stop(self) -> None:
        """The server goes down: who is still connected hears it and joins again in a moment."""
        self._let_go()

    def on_end(self, error: BaseException | None) -> None:
        """Let go of who is still connected: they join again and find what is durable."""
        self._around.claims.gave_up(self._key, self._epoch)
        if error is None:
            self._audience.close(CLOSE_RESTARTING, "The table is moving; join again")
        else:
            self._audience.close(CLOSE_FAILED, "The table is being restored; join again")

    # --- A batch ------------------------------------------------------------------------------

    async def on_batch(self, batch: list[Envelope[Message]]) -> None:
        """Decide upon all that waited, commit it as one unit, then adopt, reply and publish.

        Raises:
            Outage: the outcome of the commit is not known; the actor is restored from storage.
        """
        before = self._session
        assert before is not None
        if self._spare_number is None and _places_order(batch):
            await self._reserve_number()
        menu = self._around.menus.current(self._key.restaurant_id)
        session = before
        outcomes: Outcomes = []
        decisions: list[Decision] = []
        if menu is not self._followed:
            following = decide(session, FollowMenu(), self._decision_context(menu))
            assert isinstance(following, Decision)
            session = following.session
            decisions.append(following)
            outcomes.append((Envelope(MenuChanged()), following))
        for envelope in batch:
            try:
                outcome = self._decide(session, envelope.message, menu)
            except Exception as error:
                self._refuse_poison(envelope, batch, error)
                raise
            if isinstance(outcome, Decision):
                session = outcome.session
                decisions.append(outcome)
            outcomes.append((envelope, outcome))
        changes = Changes.of([decision.changes for decision in decisions])
        unit = Unit(self._epoch, before, session, changes)
        needs_commit = session is not before or changes or _checks_claim(batch)
        durable = not needs_commit or await self._commit(unit, outcomes)
        if durable:
            self._adopt(session, menu)
            self._carrier.adopted(before, session)
            if changes.orders or session.closed_reason is not before.closed_reason:
                decided = ((envelope.message, outcome) for envelope, outcome in outcomes)
                note(self._around.tally, self._key, before, decided)
            # A snapshot in an answer is of the batch's end: no event of the batch may come after it.
            self._tell(*[event for decision in decisions for event in decision.events])
            for envelope, outcome in outcomes:
                if outcome is not None:
                    self._follow_up(envelope, outcome)
        for envelope, outcome in outcomes:
            if outcome is None:
                self._beside_the_cart(envelope)
        adopted = self._session
        if adopted is not None and adopted.closed_reason is not None:
            self._audience.close(CLOSE_SESSION_CLOSED, adopted.closed_reason)

    def _refuse_poison(
        self, poison: Envelope[Message], batch: list[Envelope[Message]], error: Exception
    ) -> None:
        """A bug: one message cannot be decided upon, and the actor is about to crash for it.

        Nothing of the batch is written. The message is refused, so that nobody sends it again after the
        restart; the others may be sent again.
        """
        log.error(
            "session cannot decide",
            session=self._key.pid,
            member=getattr(poison.message, "member_id", None),
            message=type(getattr(poison.message, "command", poison.message)).__name__,
            error=type(error).__name__,
        )
        if isinstance(poison.message, ByMember):
            refusal = Rejection("bad_message", "This could not be worked on; it has been noted")
            poison.resolve((refusal.as_error(poison.message.command.request_id),))
        for envelope in batch:
            if envelope is not poison:
                envelope.fail(ActorStopped("The session is being restored; nothing was done."))

    def _adopt(self, session: Session, menu: Menu) -> None:
        """The state is durable: it is the session's now, and its lines are this menu's."""
        self._session = session
        followed, self._followed = self._followed, menu
        if followed is not None and followed is not menu:
            changed = changed_items(followed, menu)
            if changed:
                self._tell(MenuUpdated(changed, self._around.clock.now()))

    def _tell(self, *told: Told, besides: Seat | None = None) -> None:
        """Encode once, and hand to every member's outlet, in one piece."""
        if told and self._audience:
            frame = self._around.frame
            frames = frame(told[0]) if len(told) == 1 else b"".join(map(frame, told))
            self._audience.send(frames, besides=besides)

    def _decide(self, session: Session, message: Message, menu: Menu) -> Decision | Refusal | None:
        """The decision upon a message; None for what is no part of the session's state."""
        if isinstance(message, _BESIDE_THE_CART):
            return None
        outcome: Decision | Refusal | None = self._door.shut(session, message)
        if outcome is None:
            outcome = decide(session, message, self._decision_context(menu))
            self._door.note(outcome)
        if not isinstance(outcome, Decision):
            return outcome
        if outcome.start is not None:
            self._spare_number = None
        if outcome.ask_now:
            wait = self._carrier.wait_seconds
            if wait > 0:
                return Refusal(
                    Rejection("rate_limited", "The kitchen was asked just now", round(wait, 3))
                )
        return outcome

    def _decision_context(self, menu: Menu) -> Context:
        around = self._around
        return Context(
            now=around.clock.now(),
            menu=menu,
            ids=around.ids,
            lock_limit_seconds=around.lock_limit_seconds,
            order_number=self._spare_number,
        )

    async def _reserve_number(self) -> None:
        """A number for the order that a batch may place, in a unit of its own. Gaps are allowed."""
        try:
            self._spare_number = await self._around.store.reserve_order_number(
                self._key.restaurant_id
            )
        except (StorageUnavailable, CommitUnknown):
            self._spare_number = None

    async def _commit(self, unit: Unit, outcomes: Outcomes) -> bool:
        """Make the unit durable. False: nothing was written, and all who asked for it have been told."""
        try:
            await self._around.store.commit(unit)
        except StorageUnavailable as error:
            self._refuse_unsaved(unit.before, outcomes, error)
            return False
        except StaleEpoch:
            # Whoever owns the session now is right. This activation ends and takes nothing back.
            for envelope, _ in outcomes:
                envelope.fail(ActorStopped("The session is served elsewhere."))
            outcomes.clear()  # whoever came with them is not seated either: they join again
            self._audience.close(CLOSE_FAILED, "The table is being restored; join again")
            self.context.stop()
            return False
        except CommitUnknown as error:
            raise Outage("The outcome of a commit is not known.") from error
        return True

    def _refuse_unsaved(
        self, before: Session, outcomes: Outcomes, error: StorageUnavailable
    ) -> None:
        """Nothing was written. Only what was durable before is acknowledged again: it has not changed."""
        refusal = Rejection("storage_unavailable", "Not saved and nothing changed; try again")
        for envelope, outcome in outcomes:
            message = envelope.message
            if outcome is None:
                continue
            if not isinstance(message, ByMember):
                envelope.fail(error)
                continue
            request_id = message.command.request_id
            memory = before.requests.get(message.member_id, NO_REQUESTS)
            durable = request_id is not None and memory.find(request_id) is not None
            if durable and isinstance(outcome, Decision):
                envelope.resolve(self._answer(message, outcome))
            else:
                envelope.resolve((refusal.as_error(request_id),))

    # --- After the commit ---------------------------------------------------------------------

    def _follow_up(self, envelope: Envelope[Message], outcome: Decision | Refusal) -> None:
        """Answer the sender, and start what was decided."""
        message = envelope.message
        if isinstance(outcome, Decision):
            if outcome.start is not None:
                self._carrier.carry(outcome.start, self.context)
            if outcome.ask_now:
                self._carrier.ask_now()
            for incident in outcome.changes.incidents:
                log_incident(self._key.pid, incident.order_id, incident.kind)
        if isinstance(message, ByMember):
            envelope.resolve(self._answer(message, outcome))
        elif isinstance(outcome, Refusal):
            envelope.resolve(outcome.rejection)
        else:
            envelope.resolve(outcome.reply)

    def _answer(self, message: ByMember, outcome: Decision | Refusal) -> Answer:
        told: tuple[Told, ...] = ()
        if isinstance(outcome, Refusal):
            told = (outcome.rejection.as_error(message.command.request_id),)
        elif outcome.reply is not None:
            told = (outcome.reply,)  # type: ignore[assignment]  # an Ack, by `decide`
        if outcome.show_snapshot:
            view = self.view
            assert view is not None
            told += (view.snapshot(),)
        return told

    def _beside_the_cart(self, envelope: Envelope[Message]) -> None:
        message = envelope.message
        if isinstance(message, Sit):
            envelope.resolve(self._sit(message))
        elif isinstance(message, Drain):
            self._let_go()
        elif isinstance(message, PresenceChanged):
            self._presence_due = False
            self._tell_presence()

    def _sit(self, message: Sit) -> Seated | Rejection:
        session = self._session
        assert session is not None
        if session.closed_reason is not None:
            return Rejection("session_closed", "This table's session is closed")
        if message.member_id not in session.members:
            return Rejection("bad_message", "This member does not sit at this table")
        was_online = self._audience.online
        seat = self._audience.seat(message.member_id, message.outlet)
        if seat is None:
            return Rejection("rate_limited", "Too many connections of this member")
        message.outlet.send(self._around.frame(session.snapshot(self._audience.online)))
        if message.member_id not in was_online:
            self._tell_presence(besides=seat)
        return Seated(seat)

    def _let_go(self) -> None:
        self._tell(ServerClosing(REJOIN_AFTER_SECONDS, self._around.clock.now()))
        self._audience.close(CLOSE_RESTARTING, "The server is restarting; join again")

    def _member_gone(self) -> None:
        if not self._presence_due:
            self._presence_due = True
            try:
                self.context.tell_self(PresenceChanged())
            except (ActorStopped, MailboxFull):
                self._presence_due = False

    def _tell_presence(self, *, besides: Seat | None = None) -> None:
        session = self._session
        assert session is not None
        members = session.present(self._audience.online)
        self._tell(Presence(members, self._around.clock.now()), besides=besides)


def _places_order(batch: list[Envelope[Message]]) -> bool:
    for envelope in batch:
        message = envelope.message
        if isinstance(message, ByMember) and isinstance(message.command, PlaceOrder):
            return True
    return False


def _checks_claim(batch: list[Envelope[Message]]) -> bool:
    return any(isinstance(envelope.message, CheckClaim) for envelope in batch)
