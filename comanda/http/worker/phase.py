"""What a connection is doing, which decides how long it may take."""

from enum import Enum, auto


class Phase(Enum):
    """What the reader waits for, each with its own time."""

    IDLE = auto()  # the next request
    HEAD = auto()  # the end of its headers
    BODY = auto()  # the end of its body
    BUSY = auto()  # the application, or a websocket's next frame: no bound of the reader's
    CLOSING = auto()  # the peer's end, or its answer to our close frame
