"""One table's events as its members were told them: who has heard what when, and what is wrong with it.

All members of a table must be told the same events, so an event is decoded once: the others' frames are
compared with it byte for byte. That keeps the driver fast and is the strictest comparison there is.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .dialect import Ack, Asked, Dialect, Heard, Refused, Snapshot, Told
from .tally import Tally

if TYPE_CHECKING:
    from .member import Member

ENTRIES_KEPT = 64
"""Events kept behind the newest, for members who hear of them late."""

WRONGS_KEPT = 20
"""Sentences kept of one table: one fault may show in every event that follows."""


class Command:
    """What a member has asked for, until it is answered and its event was told."""

    __slots__ = ("acked", "asked", "began", "echoed", "member", "request_id", "seq")

    def __init__(
        self, member: "Member", asked: Asked, request_id: str | None, began: float
    ) -> None:
        self.member = member
        self.asked = asked
        self.request_id = request_id
        self.began = began
        self.acked: int | None = None
        self.seq: int | None = None
        self.echoed = False

    @property
    def done(self) -> bool:
        """Whether all is known of it."""
        return self.seq is not None and (self.request_id is None or self.acked is not None)


class Entry:
    """An event, and how many of the members have heard it."""

    __slots__ = ("body", "by", "command", "frame", "heard", "last_at", "seq", "whole")

    def __init__(self, seq: int, frame: bytes, told: Told) -> None:
        self.seq = seq
        self.frame = frame
        self.body = told.body
        self.by = told.by
        self.command: Command | None = None
        self.heard = 0
        self.last_at = 0.0
        self.whole = False


class Table:
    """A table with its members. `seq` is the newest event that any of them was told; -1: none yet.

    Who drives may set what is called: `on_whole` when an edit is done and every seated member has heard of
    it, `on_refused` with a command that was refused, `on_event` with each event when it is first told.
    """

    def __init__(self, number: int, dialect: Dialect, tally: Callable[[], Tally]) -> None:
        self.number = number
        self.view: Any = dialect.view(number)
        self.seq = -1
        self.seated = 0
        self.members: list[Member] = []
        self.wrongs: list[str] = []
        self.on_whole: Callable[[Command], None] = lambda command: None
        self.on_refused: Callable[[Command], None] = lambda command: None
        self.on_event: Callable[[Told], None] = lambda told: None
        self._dialect = dialect
        self._tally = tally
        self._entries: dict[int, Entry] = {}
        self._first = 0
        self._by_name: dict[str, Member] = {}
        self._acked: dict[int, Command] = {}
        self._snapshots: dict[int, Snapshot] = {}

    # --- What comes in ------------------------------------------------------------------------

    def hear(self, member: "Member", frame: bytes, now: float) -> None:
        """One text frame that a member was sent."""
        entry = self._entries.get(member.seq + 1)
        if entry is not None and entry.frame == frame:
            self._deliver(member, entry, now)
            return
        heard = self._dialect.read(frame)
        if heard is not None:
            self._take(member, heard, frame, now)

    def _take(self, member: "Member", heard: Heard, frame: bytes, now: float) -> None:
        match heard:
            case Told():
                self._told(member, heard, frame, now)
            case Ack():
                self._ack(member, heard)
            case Refused():
                self._tally().refuse(heard.code)
                member.refused(heard)
            case Snapshot():
                self._snapshot(member, heard)

    def _told(self, member: "Member", told: Told, frame: bytes, now: float) -> None:
        seq = member.seq + 1 if told.seq < 0 else told.seq
        if seq != member.seq + 1:
            self.wrong(f"{member.who} was told event {seq} after event {member.seq}")
        entry = self._entries.get(seq)
        if entry is None and seq > self.seq:
            entry = self._new_entry(seq, told, frame)
        if entry is None:
            self._tally().deliveries += 1
            member.seq = seq
            return
        if entry.frame != frame and entry.body != told.body:
            self.wrong(f"{member.who} was told another event {seq} than the rest of the table")
        self._deliver(member, entry, now)

    def _new_entry(self, seq: int, told: Told, frame: bytes) -> Entry:
        if self.seq >= 0 and seq > self.seq + 1:
            self.wrong(
                f"event {seq} was told after event {self.seq}: nobody was told what is between"
            )
        entry = Entry(seq, frame, told)
        self._entries[seq] = entry
        self.seq = seq
        for sentence in self.view.told(told):
            self.wrong(f"event {seq}: {sentence}")
        self._match(entry, told)
        due = self._snapshots.pop(seq, None)
        if due is not None:
            self._compare(due, "a snapshot")
        self.on_event(told)
        return entry

    def _match(self, entry: Entry, told: Told) -> None:
        """Find the command that this is the event of."""
        acked = self._acked.pop(entry.seq, None)
        sender = None if told.by is None else self._by_name.get(told.by)
        command = acked
        if command is None and sender is not None:
            command = sender.command
        if command is None or command.seq is not None:
            if sender is not None and sender.asks_for_acks:
                self.wrong(f"event {entry.seq} is {sender.who}'s, who has asked for nothing")
            return
        if told.by == command.member.name and self.view.tells(command.asked, told):
            command.seq = entry.seq
            entry.command = command
        elif acked is not None:
            self.wrong(_missing(acked))
        elif command.request_id is not None:
            self.wrong(
                f"event {entry.seq} is {command.member.who}'s, who has asked for something else"
            )

    def _deliver(self, member: "Member", entry: Entry, now: float) -> None:
        member.seq = entry.seq
        entry.heard += 1
        entry.last_at = now
        tally = self._tally()
        tally.deliveries += 1
        command = entry.command
        if command is not None and command.member is member and not command.echoed:
            command.echoed = True
            member.echoed(command, now)
        if entry.heard >= self.seated:
            self._whole(entry)

    def _whole(self, entry: Entry) -> None:
        if entry.whole:
            return
        entry.whole = True
        command = entry.command
        if command is not None and command.asked.kind == "edit":
            command.member.all_heard(command, entry.last_at)
            if command.done:
                self.on_whole(command)
        while self._first <= self.seq - ENTRIES_KEPT:
            old = self._entries.get(self._first)
            if old is not None and not old.whole:
                break
            self._entries.pop(self._first, None)
            self._first += 1

    def _ack(self, member: "Member", ack: Ack) -> None:
        command = member.command
        if command is None or command.request_id != ack.request_id:
            self.wrong(f"{member.who} got an ack for {ack.request_id}, which is not in flight")
            return
        command.acked = ack.seq
        if command.seq is None:
            self._acked_untold(command, ack.seq)
        elif command.seq != ack.seq:
            self.wrong(
                f"{member.who}'s {command.request_id} was acknowledged as event {ack.seq}, "
                f"and told as event {command.seq}"
            )
        member.answered(command)
        if command.seq is not None:
            entry = self._entries.get(command.seq)
            if entry is None or entry.whole:
                self.on_whole(command)

    def _acked_untold(self, command: Command, seq: int) -> None:
        entry = self._entries.get(seq)
        if entry is None:
            if seq > self.seq:
                self._acked[seq] = command
            return  # told before anybody of ours was there to hear it
        self.wrong(_missing(command))

    def _snapshot(self, member: "Member", snapshot: Snapshot) -> None:
        if member.seated:  # asked for, or sent with a refusal: the table may be further meanwhile
            if snapshot.seq == self.seq:
                self._compare(snapshot, f"{member.who}'s snapshot")
            return
        if self.seated == 0:
            self.view.begin(snapshot)
            self._entries.clear()
            self._snapshots.clear()
            self._acked = {seq: one for seq, one in self._acked.items() if seq > snapshot.seq}
            self.seq = snapshot.seq
            self._first = snapshot.seq + 1
        elif snapshot.seq == self.seq:
            self._compare(snapshot, f"{member.who}'s snapshot")
        elif snapshot.seq > self.seq:
            self._snapshots[snapshot.seq] = snapshot
        self._sit(member, snapshot.seq)
        member.sits()

    # --- Who is there -------------------------------------------------------------------------

    def name(self, member: "Member", name: str) -> None:
        """The server calls a member so."""
        self._by_name[name] = member

    def sit_unseen(self, member: "Member") -> None:
        """A member's connection is open, and the server greets nobody."""
        if self.seated == 0 and self.seq < 0:
            self.seq = 0
            self._first = 1
        self._sit(member, self.seq)
        member.sits()

    def _sit(self, member: "Member", seq: int) -> None:
        member.seq = seq
        member.seated = True
        self.seated += 1
        for entry in list(self._entries.values()):
            if entry.seq <= seq and not entry.whole:
                entry.heard += 1
                if entry.heard >= self.seated:
                    self._whole(entry)

    def leave(self, member: "Member") -> None:
        """A member's connection is over: nobody waits for them any more."""
        if not member.seated:
            return
        member.seated = False
        self.seated -= 1
        for entry in list(self._entries.values()):
            if entry.whole:
                continue
            if entry.seq <= member.seq:
                entry.heard -= 1
            if 0 < self.seated <= entry.heard:
                self._whole(entry)

    # --- Judgement ----------------------------------------------------------------------------

    def _compare(self, snapshot: Snapshot, whose: str) -> None:
        for sentence in self.view.differs(snapshot):
            self.wrong(f"{whose} at event {snapshot.seq}: {sentence}")

    def wrong(self, sentence: str) -> None:
        """Note what must not be."""
        if len(self.wrongs) < WRONGS_KEPT:
            self.wrongs.append(f"table {self.number + 1}: {sentence}")

    @property
    def quiet(self) -> bool:
        """Whether all was answered and everybody has heard everything."""
        return all(
            member.command is None and (not member.seated or member.seq == self.seq)
            for member in self.members
        )

    def judge_the_end(self, record: Snapshot | None) -> None:
        """When nothing comes any more: everybody must have heard the same, and storage must say it too."""
        for command in self._acked.values():
            self.wrong(_missing(command))
        for member in self.members:
            if member.seated and member.seq != self.seq:
                self.wrong(
                    f"{member.who} was told up to event {member.seq}, others up to event {self.seq}"
                )
            waits = member.command
            if member.seated and waits is not None and waits.request_id is not None:
                self.wrong(f"{member.who}'s {waits.request_id} was never answered")
        if record is None:
            return
        if record.seq != self.seq:
            self.wrong(f"the server is at event {record.seq}, its members at event {self.seq}")
        else:
            self._compare(record, "the server's cart")


def _missing(command: Command) -> str:
    return (
        f"{command.member.who}'s {command.asked.kind} {command.request_id} was acknowledged as event "
        f"{command.acked}, and that event does not tell it: an acknowledged {command.asked.kind} is missing"
    )
