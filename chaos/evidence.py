"""What the checks look at: journal, samples of storage and the POS's ledger, read and put in order."""

from dataclasses import dataclass, field
from pathlib import Path

from comanda.actors.domain.messages import Ack, Command, Error, Told, decode_command, decode_told
from comanda.pos.simulator.entries import Effect
from comanda.pos.simulator.ledger import read_ledger

from . import journal
from .journal import Done, Ended, Opened, Sent, read_journal
from .samples import Sample


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold, and how that shows."""

    invariant: str
    sentence: str


@dataclass(slots=True)
class Heard:
    """What came on a connection. `state`, `cart`: digests after it, where it is of the session's state."""

    at: float
    on: Opened
    told: Told
    state: str | None
    cart: str | None


@dataclass(slots=True)
class Asked:
    """One command of a member, all its sendings and all replies."""

    member: str
    session: str
    request_id: str
    command: Command
    sent: list[tuple[float, Opened]] = field(default_factory=list)
    acks: list[tuple[Opened, Ack]] = field(default_factory=list)
    refusals: list[tuple[Opened, Error]] = field(default_factory=list)

    @property
    def acked_at(self) -> int | None:
        """The session's `seq` after it, as it was first acknowledged; None where it never was."""
        return self.acks[0][1].seq if self.acks else None

    @property
    def may_have_effect(self) -> bool:
        """Whether it may stand in storage without an acknowledgement.

        One that was sent once and refused has none; of several sendings one may have come through late.
        """
        return not self.acks and not (self.refusals and len(self.sent) == 1)


@dataclass
class Evidence:
    """One evening. The last of `samples` is of the end, when everything was at rest."""

    samples: list[Sample]
    heard: list[Heard] = field(default_factory=list)
    asked: dict[tuple[str, str], Asked] = field(default_factory=dict)
    """By member and `request_id`."""
    done: list[Done] = field(default_factory=list)
    open_at_end: set[int] = field(default_factory=set)
    """Connections that nobody has ended."""
    effects: dict[str, list[Effect]] = field(default_factory=dict)
    """The ledger's, by key."""
    unsettled: list[str] = field(default_factory=list)
    """What had not come to rest in time, in words."""

    @property
    def at_rest(self) -> Sample:
        """Storage at the end."""
        return self.samples[-1]

    def sample_after(self, life: int) -> Sample:
        """The first sample of storage that shows what the server's life `life` made durable."""
        return next(sample for sample in self.samples if sample.life >= life)


def gather(journal_file: Path, ledger: Path, samples: list[Sample]) -> Evidence:
    """Read it all. Raises `LedgerUnusable` and msgspec's errors for files that are none of ours."""
    evidence = Evidence(samples)
    connections: dict[int, Opened] = {}
    for line in read_journal(journal_file):
        match line:
            case Opened():
                connections[line.connection] = line
                evidence.open_at_end.add(line.connection)
            case Sent():
                _add_sent(evidence, line, connections[line.connection])
            case journal.Told():
                _add_told(evidence, line, connections[line.connection])
            case Ended():
                evidence.open_at_end.discard(line.connection)
            case Done():
                evidence.done.append(line)
    for effect in read_ledger(ledger)[0]:
        if isinstance(effect, Effect):
            evidence.effects.setdefault(effect.key, []).append(effect)
    return evidence


def _add_sent(evidence: Evidence, line: Sent, on: Opened) -> None:
    asked = evidence.asked.get((on.member, line.request_id))
    if asked is None:
        command = decode_command(bytes(line.frame))
        asked = Asked(on.member, on.session, line.request_id, command)
        evidence.asked[on.member, line.request_id] = asked
    asked.sent.append((line.at, on))


def _add_told(evidence: Evidence, line: journal.Told, on: Opened) -> None:
    told = decode_told(bytes(line.frame))
    evidence.heard.append(Heard(line.at, on, told, line.state, line.cart))
    if isinstance(told, Ack | Error) and told.request_id is not None:
        asked = evidence.asked[on.member, told.request_id]
        if isinstance(told, Ack):
            asked.acks.append((on, told))
        else:
            asked.refusals.append((on, told))
