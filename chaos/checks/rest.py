"""I15: after the last fault everything comes to rest."""

from collections.abc import Iterator

from ..evidence import Evidence, Violation
from .seqs import seq_of


def everything_settles(evidence: Evidence) -> Iterator[Violation]:
    """I15: everybody converges: nothing is left open, and who is connected has heard the last word."""
    for what in evidence.unsettled:
        yield Violation("I15", what)
    last = {
        heard.on.connection: heard for heard in evidence.heard if seq_of(heard.told) is not None
    }
    for connection, heard in last.items():
        durable = evidence.at_rest.sessions[heard.on.session].seq
        heard_of = seq_of(heard.told)
        if connection in evidence.open_at_end and heard_of != durable:
            yield Violation(
                "I15", f"connection {connection} is at seq {heard_of}, storage at {durable}"
            )
