"""Which fault a call meets: by its header, by an instruction given before, or by a rate."""

import random
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Call = Literal["submit", "lookup", "void"]

ANY: frozenset[Call] = frozenset({"submit", "lookup", "void"})
EFFECT: frozenset[Call] = frozenset({"submit", "void"})
SUBMIT: frozenset[Call] = frozenset({"submit"})
LOOKUP: frozenset[Call] = frozenset({"lookup"})

FAULTS: dict[str, tuple[frozenset[Call], str]] = {
    "none": (ANY, "nothing: this call is spared"),
    "hang": (ANY, "no answer, and no effect"),
    "delay": (ANY, "the answer takes so many seconds"),
    "lost": (EFFECT, "the effect, but never an answer"),
    "reset": (EFFECT, "the effect, then the connection is reset"),
    "error-before": (EFFECT, "500 without the effect"),
    "error-after": (EFFECT, "500 after the effect"),
    "garbage": (ANY, "the effect, then an answer that is no JSON"),
    "truncated": (ANY, "the effect, then an answer that breaks off"),
    "busy": (ANY, "429 with Retry-After, without the effect"),
    "pending": (SUBMIT, "202; accepted so many seconds later, with a callback"),
    "pending-reject": (SUBMIT, "202; rejected so many seconds later, with a callback"),
    "pending-twice": (SUBMIT, "as pending; the callback comes twice"),
    "pending-early": (
        SUBMIT,
        "accepted so many seconds later; the callback, and only then the 202",
    ),
    "pending-silent": (SUBMIT, "as pending; no callback"),
    "reject": (SUBMIT, "422, rejected for good"),
    "accept-early": (SUBMIT, "accepted; a callback, and only then the 200"),
    "reject-then-accept": (SUBMIT, "422; accepted so many seconds later, with a callback"),
    "accept-then-reject": (SUBMIT, "200; rejected so many seconds later, with a callback"),
    "key-reused": (SUBMIT, "the effect, then 422 with the code key_reused"),
    "down": (LOOKUP, "503"),
    "not-found": (LOOKUP, "404, though the order is there"),
}
"""Each fault: the calls it can meet, and what the caller gets."""

DEFAULT_SECONDS: dict[str, float] = {
    "delay": 5.0,
    "pending": 5.0,
    "pending-reject": 5.0,
    "pending-twice": 5.0,
    "pending-early": 5.0,
    "pending-silent": 5.0,
    "reject-then-accept": 5.0,
    "accept-then-reject": 5.0,
    "busy": 1.0,
}
"""The faults that take a number, and the number they have without one."""

MAX_SECONDS = 3600.0
"""The longest time a fault may take."""

MAX_NEXT = 1000
"""Instructions for single calls that may wait at one time."""

MAX_KEYS_COUNTED = 100_000
"""Keys whose calls are counted, so that rates strike a key's second call anew; the oldest go."""


class FaultUnknown(ValueError):
    """A fault that is written wrongly; the text is one sentence for whoever wrote it."""


class Fault(Struct, frozen=True):
    """What goes wrong with one call. `seconds` where the fault takes a number."""

    call: Call
    name: str
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """The fault as `parse_fault` reads it."""
        prefix = "" if self.call == "submit" else f"{self.call}-"
        number = f"={self.seconds:g}" if self.name in DEFAULT_SECONDS else ""
        return f"{prefix}{self.name}{number}"


def parse_fault(text: str, call: Call | None = None) -> Fault:
    """Read `hang`, `delay=5`, `lookup-down`, `void-lost`: without a prefix it is a submit's.

    With `call` the fault is for this call, with or without its prefix. Raises `FaultUnknown`.
    """
    name, equals, number = text.strip().partition("=")
    meant = call or "submit"
    for prefix in ("lookup", "void", "submit"):
        if name.startswith(f"{prefix}-"):
            meant, name = prefix, name.removeprefix(f"{prefix}-")
    if name not in FAULTS:
        raise FaultUnknown(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
    if call not in (None, meant) or meant not in FAULTS[name][0]:
        raise FaultUnknown(f"the fault {name!r} cannot meet a {call or meant}")
    if not equals:
        return Fault(meant, name, DEFAULT_SECONDS.get(name, 0.0))
    try:
        seconds = float(number)
    except ValueError:
        seconds = -1.0
    if name not in DEFAULT_SECONDS or not 0 <= seconds <= MAX_SECONDS:
        raise FaultUnknown(f"{text.strip()!r} needs seconds from 0 to {MAX_SECONDS:g}, or none")
    return Fault(meant, name, seconds)


def parse_rates(rates: Mapping[str, float]) -> dict[Fault, float]:
    """Faults and their rates, each call's together at most 1. Raises `FaultUnknown`."""
    read = {parse_fault(text): rate for text, rate in rates.items()}
    for text, rate in rates.items():
        if not 0 <= rate <= 1:
            raise FaultUnknown(f"the rate of {text} must be from 0 to 1")
    for call in ANY:
        if sum(rate for fault, rate in read.items() if fault.call == call) > 1 + 1e-9:
            raise FaultUnknown(f"the rates of the faults of a {call} are together more than 1")
    return read


class Faults:
    """Chooses: the header, else the first instruction for such a call, else a rate.

    A rate's choice is a function of the seed, the call, the key, and whether it is the key's first
    such call, its second, and so on: the same seed repeats the same evening.
    """

    def __init__(self, seed: int = 0, rates: Mapping[Fault, float] | None = None) -> None:
        self.seed = seed
        self._given_rates = dict(rates or {})
        self._calls: OrderedDict[tuple[Call, str], int] = OrderedDict()
        self.reset()

    def reset(self) -> None:
        """Forget all instructions; the rates are again those given at the start."""
        self.next: deque[Fault] = deque()
        self.rates = dict(self._given_rates)

    def instruct(self, following: list[Fault], rates: dict[Fault, float] | None) -> None:
        """Add faults for the calls to come, one each; replace the rates where some are given.

        Raises `FaultUnknown` when too many instructions wait, and then changes nothing.
        """
        if len(self.next) + len(following) > MAX_NEXT:
            raise FaultUnknown(f"more than {MAX_NEXT} instructions would wait")
        self.next.extend(following)
        if rates is not None:
            self.rates = rates

    def choose(self, call: Call, key: str, header: str | None = None) -> Fault | None:
        """The fault of this call, None for none. Raises `FaultUnknown` for a header that is none."""
        fault = self._choose(call, key, header)
        return None if fault is None or fault.name == "none" else fault

    def _choose(self, call: Call, key: str, header: str | None) -> Fault | None:
        if header is not None:
            return parse_fault(header, call)
        for fault in self.next:
            if fault.call == call:
                self.next.remove(fault)
                return fault
        return self._by_rate(call, key)

    def _by_rate(self, call: Call, key: str) -> Fault | None:
        count = self._calls.pop((call, key), 0)
        self._calls[call, key] = count + 1
        if len(self._calls) > MAX_KEYS_COUNTED:
            self._calls.popitem(last=False)
        draw = random.Random(f"{self.seed}:{call}:{key}:{count}").random()
        for fault, rate in sorted(self.rates.items(), key=lambda item: item[0].text):
            if fault.call == call:
                draw -= rate
                if draw < 0:
                    return fault
        return None
