"""The load tester: members who drive a server in processes of their own, and what they found.

`drive` runs a `Plan` against one server and returns the `Figures`. How a server is spoken to is its
`Dialect`, so that other servers can be driven with the same workload.
"""

from .dialect import Ack, Asked, Dialect, Heard, Refused, Seat, Snapshot, Told, View
from .driving import DriverFailed, drive
from .figures import Figures, Moment
from .plan import Plan

__all__ = [
    "Ack",
    "Asked",
    "Dialect",
    "DriverFailed",
    "Figures",
    "Heard",
    "Moment",
    "Plan",
    "Refused",
    "Seat",
    "Snapshot",
    "Told",
    "View",
    "drive",
]
