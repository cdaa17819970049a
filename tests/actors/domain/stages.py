"""One order of two guests' lines, ORD-7-42, at each stage of its way; and the outcomes that lead there."""

from datetime import timedelta

from comanda.actors.domain.order import Accepted, NotSent, Pending, Rejected, Unknown

from .helpers import LASSI, MARGHERITA, NOW, ATable

ACCEPTED = Accepted("K-1")
REFUSED = Rejected("unavailable", "POS system unavailable", True)
NOT_SENT = NotSent("connection refused")
UNKNOWN = Unknown("no answer within 10 s")
REUSED = Unknown("the POS has this key with another body", key_reused=True)
PENDING = Pending("K-1", NOW + timedelta(seconds=20))


def prepared() -> ATable:
    table = ATable("Ana", "Ben")
    table.adds(MARGHERITA, 2)
    table.adds(LASSI, by="member_2")
    table.places(said="By the window")
    return table


def sent() -> ATable:
    table = prepared()
    table.sends()
    return table


def unknown() -> ATable:
    table = sent()
    table.answers(UNKNOWN)
    return table


def taken() -> ATable:
    table = sent()
    table.answers(PENDING)
    return table


def with_staff() -> ATable:
    table = unknown()
    table.lock_ends()
    return table


def confirmed() -> ATable:
    table = sent()
    table.answers(ACCEPTED)
    return table


def rejected() -> ATable:
    table = sent()
    table.answers(REFUSED)
    return table


def interrupted() -> ATable:
    table = sent()
    table.is_interrupted()
    return table


def reused() -> ATable:
    table = sent()
    table.answers(REUSED)
    return table
