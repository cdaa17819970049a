"""What members are told, held against each other: the table of the load tester, without a network."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from comanda.load import Ack, Asked, Heard, Refused, Snapshot, Told
from comanda.load.member import Member
from comanda.load.table import ENTRIES_KEPT, Command, Table
from comanda.load.tally import Tally

from .peer import PeerView


class SumView(PeerView):
    """A table that adds numbers up; a snapshot is their sum."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = 0

    def told(self, told: Told) -> Sequence[str]:
        self.sum += told.body
        return ()

    def begin(self, snapshot: Snapshot) -> None:
        self.sum = snapshot.body

    def differs(self, snapshot: Snapshot) -> Sequence[str]:
        return () if snapshot.body == self.sum else [f"it is {snapshot.body}, not {self.sum}"]


class Sums:
    """A dialect whose frames are what they say."""

    def view(self, table: int) -> SumView:
        return SumView()

    def read(self, frame: bytes) -> Heard | None:
        kind, *rest = json.loads(frame)
        kinds: dict[str, Any] = {"told": Told, "snapshot": Snapshot, "ack": Ack, "no": Refused}
        made: Heard = kinds[kind](*rest)
        return made


class Party:
    """A table of three, all seated, where nothing has happened yet."""

    def __init__(self) -> None:
        dialect: Any = Sums()
        self.tally = Tally()
        self.table = Table(0, dialect, lambda: self.tally)
        self.crashes: list[Exception] = []
        self.members = [
            Member(self.table, place, dialect, lambda: self.tally, self.crashes.append, True)
            for place in range(3)
        ]
        self.table.members = self.members
        for place, member in enumerate(self.members):
            member.name = "abc"[place]
            self.table.name(member, member.name)
            self.hear(place, "snapshot", 1, 0)

    def hear(self, place: int, *frame: object, now: float = 1.0) -> None:
        """A member is sent a frame."""
        self.table.hear(self.members[place], json.dumps(frame).encode(), now)

    def all_hear(self, *frame: object) -> None:
        """Everybody who is seated is sent a frame."""
        for place, member in enumerate(self.members):
            if member.seated:
                self.hear(place, *frame)

    def ask(self, place: int, number: int) -> Command:
        """A member asks for a number to be added."""
        member = self.members[place]
        return member.ask(Asked(b"", number), member.next_request_id(), 0.0)

    @property
    def wrongs(self) -> list[str]:
        """What was found wrong, without the table's name."""
        return [sentence.removeprefix("table 1: ") for sentence in self.table.wrongs]


def test_an_edit_that_everybody_hears_is_right_and_measured() -> None:
    party = Party()
    command = party.ask(0, 5)
    party.hear(0, "ack", command.request_id, 2)
    for place, now in enumerate((0.25, 0.5, 2.0)):
        party.hear(place, "told", 2, "a", 5, now=now)
    party.table.judge_the_end(Snapshot(2, 5))
    assert party.wrongs == []
    assert party.tally.deliveries == 3
    assert [*party.tally.latencies["own_echo"]] == [pytest.approx(250_000, rel=0.001)]
    assert [*party.tally.latencies["last_member"]] == [pytest.approx(2_000_000, rel=0.001)]
    assert party.members[0].free.is_set()


@pytest.mark.parametrize("ack_first", [True, False])
def test_an_ack_may_come_before_its_event_or_after(ack_first: bool) -> None:
    party = Party()
    whole: list[Command] = []
    party.table.on_whole = whole.append
    command = party.ask(1, 3)
    if ack_first:
        party.hear(1, "ack", command.request_id, 2)
    party.all_hear("told", 2, "b", 3)
    if not ack_first:
        assert whole == []
        party.hear(1, "ack", command.request_id, 2)
    assert whole == [command]
    assert party.wrongs == []


def test_a_member_who_misses_an_event_is_found_at_the_next() -> None:
    party = Party()
    party.ask(0, 5)
    for place in (0, 1):
        party.hear(place, "told", 2, "a", 5)
    party.all_hear("told", 3, None, 1)
    assert party.wrongs == ["member 3 was told event 3 after event 1"]


def test_a_member_who_misses_the_last_event_is_found_at_the_end() -> None:
    party = Party()
    for place in (0, 2):
        party.hear(place, "told", 2, None, 5)
    party.table.judge_the_end(Snapshot(2, 5))
    assert party.wrongs == ["member 2 was told up to event 1, others up to event 2"]


def test_an_event_that_says_something_else_to_one_member_is_found() -> None:
    party = Party()
    party.hear(0, "told", 2, None, 5)
    party.hear(1, "told", 2, None, 6)
    assert party.wrongs == ["member 2 was told another event 2 than the rest of the table"]


def test_an_event_told_twice_is_found() -> None:
    party = Party()
    party.all_hear("told", 2, None, 5)
    party.hear(0, "told", 2, None, 5)
    assert party.wrongs == ["member 1 was told event 2 after event 2"]


def test_an_acknowledged_edit_that_no_event_tells_is_found() -> None:
    party = Party()
    told, untold = party.ask(0, 5), party.ask(1, 6)
    party.hear(0, "ack", told.request_id, 2)
    party.all_hear("told", 2, "a", 5)
    party.hear(1, "ack", untold.request_id, 9)
    party.table.judge_the_end(None)
    (sentence,) = party.wrongs
    assert sentence.startswith(f"member 2's edit {untold.request_id} was acknowledged as event 9")
    assert sentence.endswith("an acknowledged edit is missing")


def test_an_edit_acknowledged_as_an_event_of_somebody_else_is_found() -> None:
    party = Party()
    party.ask(0, 5)
    wrong = party.ask(1, 6)
    party.all_hear("told", 2, "a", 5)
    party.hear(1, "ack", wrong.request_id, 2)
    assert "an acknowledged edit is missing" in party.wrongs[0]


def test_an_event_that_nobody_asked_for_is_found() -> None:
    party = Party()
    party.all_hear("told", 2, "a", 5)
    assert party.wrongs == ["event 2 is member 1's, who has asked for nothing"]


def test_a_refused_edit_is_counted_and_its_sender_free() -> None:
    party = Party()
    refused: list[Command] = []
    party.table.on_refused = refused.append
    command = party.ask(0, 5)
    party.hear(0, "no", command.request_id, "cart_locked")
    assert refused == [command]
    assert party.tally.refused == {"cart_locked": 1}
    assert party.members[0].free.is_set()


def test_who_comes_back_must_be_greeted_with_what_was_told() -> None:
    party = Party()
    party.members[2].leave(politely=False)
    party.all_hear("told", 2, None, 5)
    party.hear(2, "snapshot", 2, 5)
    party.members[1].leave(politely=False)
    party.hear(1, "snapshot", 2, 4)
    assert party.wrongs == ["member 2's snapshot at event 2: it is 4, not 5"]


def test_a_snapshot_that_comes_before_its_event_is_judged_when_that_is_told() -> None:
    party = Party()
    party.members[2].leave(politely=False)
    party.hear(2, "snapshot", 2, 4)
    assert party.wrongs == []
    party.hear(0, "told", 2, None, 5)
    assert party.wrongs == ["a snapshot at event 2: it is 4, not 5"]


def test_nobody_waits_for_a_member_who_has_left() -> None:
    party = Party()
    command = party.ask(0, 5)
    party.hear(0, "told", 2, "a", 5, now=0.1)
    party.hear(1, "told", 2, "a", 5, now=0.2)
    assert party.tally.latencies["last_member"] == {}
    party.members[2].leave(politely=False)
    assert sum(party.tally.latencies["last_member"].values()) == 1
    assert command.seq == 2


def test_a_server_that_is_behind_its_members_at_the_end_is_found() -> None:
    party = Party()
    party.all_hear("told", 2, None, 5)
    party.table.judge_the_end(Snapshot(1, 0))
    assert party.wrongs == ["the server is at event 1, its members at event 2"]


def test_a_command_that_is_never_answered_is_found() -> None:
    party = Party()
    command = party.ask(0, 5)
    party.table.judge_the_end(None)
    assert party.wrongs == [f"member 1's {command.request_id} was never answered"]


def test_old_events_are_let_go() -> None:
    party = Party()
    for seq in range(2, 10 * ENTRIES_KEPT):
        party.all_hear("told", seq, None, 1)
    assert len(party.table._entries) <= ENTRIES_KEPT
    assert party.wrongs == []
