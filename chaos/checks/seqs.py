"""Which of what is told counts `seq`."""

from comanda.actors.domain.messages import Ack, Told


def seq_of(told: Told) -> int | None:
    """The session's `seq` after an event or in a snapshot; None for all else, an ack among it."""
    if isinstance(told, Ack):
        return None
    return getattr(told, "seq", None)
