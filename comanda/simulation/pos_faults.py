"""Every fault of the POS contract, as a POS with that fault."""

import math
from typing import Literal, get_args

from .pos import Fault, Says

BUSY_ONCE = "is busy once"
LATE_CALLBACK = "a callback after the lock has ended"

FAULTS: tuple[Fault, ...] = (
    Fault("accepts at once"),
    Fault("accepts after 3 s", decides_after=3),
    Fault("accepts after 14 s", decides_after=14),
    Fault("hangs for good", answers="hang", times=math.inf),
    Fault("hangs once", answers="hang"),
    Fault("is silent for 40 s", silent_for=40),
    Fault("accepts and the answer is lost", answers="lost"),
    Fault("accepts and all answers are lost", answers="lost", times=math.inf, look_up="down"),
    Fault("accepts, then resets", answers="reset"),
    Fault("fails before the effect", answers="error before"),
    Fault("fails before the effect for good", answers="error before", times=math.inf),
    Fault(
        "fails before the effect, then loses every answer",
        answers="error before",
        then="lost",
        look_up="down",
    ),
    Fault("fails after the effect", answers="error after"),
    Fault("answers garbage", answers="garbage"),
    Fault("refuses and the answer is garbage", decides="rejected", answers="garbage"),
    Fault(BUSY_ONCE, answers="busy"),
    Fault("is busy for good", answers="busy", times=math.inf),
    Fault("cannot be reached once", answers="not sent"),
    Fault("cannot be reached at all", answers="not sent", times=math.inf),
    Fault("refuses, another order may be tried", decides="rejected"),
    Fault("refuses for good", decides="rejected", retryable=False),
    Fault("refuses after 3 s", decides="rejected", decides_after=3),
    Fault("pending, a look-up finds it accepted", answers="pending", decides_after=6),
    Fault(
        "pending, a look-up finds it refused",
        decides="rejected",
        answers="pending",
        decides_after=6,
    ),
    Fault("pending for good", decides=None, answers="pending"),
    Fault("pending, then a callback", decides=None, answers="pending", says=(Says(5, "accepted"),)),
    Fault(
        "pending, then a callback that refuses",
        decides=None,
        answers="pending",
        says=(Says(5, "rejected"),),
    ),
    Fault(
        "pending, then a callback twice",
        decides=None,
        answers="pending",
        says=(Says(5, "accepted", 2),),
    ),
    Fault(
        "a callback before the response",
        decides=None,
        answers_after=1,
        says=(Says(0.5, "accepted", 2),),
    ),
    Fault(
        "a callback though the answer is lost",
        answers="lost",
        look_up="blind",
        says=(Says(4, "accepted"),),
    ),
    Fault(
        LATE_CALLBACK,
        decides=None,
        answers="pending",
        says=(Says(70, "accepted"),),
    ),
    Fault(
        "a callback that refuses after the lock has ended",
        decides=None,
        answers="pending",
        says=(Says(70, "rejected"),),
    ),
    Fault("refuses, then says accepted", decides="rejected", says=(Says(4, "accepted"),)),
    Fault(
        "refuses, then says accepted, and is slow to void",
        decides="rejected",
        says=(Says(4, "accepted"),),
        void_failures=2,
    ),
    Fault(
        "refuses, then says accepted, and never voids",
        decides="rejected",
        says=(Says(4, "accepted"),),
        void_failures=math.inf,
    ),
    Fault("accepts, then says refused", says=(Says(4, "rejected"),)),
    Fault(
        "accepts and loses every answer, then says refused after the lock has ended",
        answers="lost",
        times=math.inf,
        look_up="down",
        says=(Says(70, "rejected"),),
    ),
    Fault(
        "refuses and loses every answer, then says accepted after the lock has ended",
        decides="rejected",
        answers="lost",
        times=math.inf,
        look_up="down",
        says=(Says(70, "accepted"),),
    ),
    Fault("loses the answer with its look-up down", answers="lost", look_up="down"),
    Fault("loses the answer with its look-up blind", answers="lost", look_up="blind"),
    Fault("has another order under the key", answers="key reused", times=math.inf),
)

BY_NAME = {fault.name: fault for fault in FAULTS}

LOCK_SECONDS = 60.0
"""The default of the lock limit."""


def lasts_beyond_the_lock(fault: Fault) -> bool:
    """Whether an order with it is still in doubt when its lock ends, if nothing else goes wrong."""
    if fault.answers in ("busy", "not sent"):
        return False  # the guests have it back by then
    if fault.decides is None:
        return all(says.after_seconds > LOCK_SECONDS for says in fault.says)
    return fault.times == math.inf or fault.then == "lost"


Kind = Literal[
    "does as it should",
    "gives no answer",
    "was not reached",
    "refuses",
    "takes its time",
    "contradicts itself",
    "has another order",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What the faults come to for an order, whatever exactly is wrong."""


def kind_of(name: str) -> Kind:
    """The kind of the fault with this name; ``none`` is a POS that does as it should."""
    fault = BY_NAME.get(name)
    if fault is None:
        return "does as it should"
    if fault.answers == "key reused":
        return "has another order"
    if fault.decides is not None and any(says.status != fault.decides for says in fault.says):
        return "contradicts itself"
    if fault.answers in ("busy", "not sent", "error before"):
        return "was not reached"
    if fault.silent_for or fault.answers in ("hang", "lost", "reset", "garbage", "error after"):
        return "gives no answer"
    if fault.answers == "pending" or fault.says:
        return "takes its time"
    return "refuses" if fault.decides == "rejected" else "does as it should"
