"""What a caller may be answered with when an actor does not answer itself.

Each class says whose trouble it is and whether the message had an effect, because that
decides what the caller may do next.
"""

from __future__ import annotations


class RuntimeRefusal(Exception):
    """The base of every refusal of the runtime. Its text is a sentence for a person."""


class MailboxFull(RuntimeRefusal):
    """The mailbox has reached its bound. Nothing happened; send again when it has drained."""


class ActorStopped(RuntimeRefusal):
    """The actor ended, or was ending, before it took the message.

    Nothing happened: the same message may be sent again, to the next activation.
    """


class ActorCrashed(RuntimeRefusal):
    """The actor crashed, or was cut off, while it held the message.

    The effects are unknown: ask what is true before sending again. Also raised where an
    activation was waited for and the actor kept crashing before it was up.
    """


class AskTimeout(RuntimeRefusal):
    """No answer came within the time the caller gave.

    The message may still take effect. A late reply is dropped.
    """


class Quarantined(RuntimeRefusal):
    """The actor crashed too often and is kept out of use for a while. Nothing happened."""

    def __init__(self, seconds_left: float) -> None:
        super().__init__(
            f"The actor crashed too often and rests; try again in {seconds_left:.1f} seconds."
        )
        self.seconds_left = seconds_left
        """Seconds until it may be activated again; never negative."""


class TooManyActors(RuntimeRefusal):
    """The bound on live actors is reached and none could be passivated. Nothing happened."""


class Outage(RuntimeRefusal):
    """The ground that actors stand on is gone, storage for example.

    As an answer: nothing happened, and nothing is activated until the ground is back. An
    actor raises it itself when it finds the ground gone: that is not the actor's fault and
    is never counted as a restart.
    """
