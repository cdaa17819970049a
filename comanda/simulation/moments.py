"""Moments of an order at which a house ends on purpose: plain dice hardly ever come to them."""

import re
from collections.abc import Callable
from typing import Literal, get_args

from msgspec import Struct

from .pos_faults import KINDS, Kind

MomentName = Literal["called", "answered", "unknown", "needs_staff", "confirmed", "rejected"]


class Moment(Struct, frozen=True):
    """A call for the order has arrived at the POS, or is answered; or the order has just got a state.

    Of orders with which the POS does what `kind` says.
    """

    what: MomentName
    kind: Kind


MOMENTS = tuple(
    Moment(what, kind)
    for what in get_args(MomentName)
    for kind in KINDS
    if what not in ("confirmed", "rejected") or kind == "contradicts itself"
)
"""A settled order is of interest only where the POS then says otherwise."""

_ORDER = re.compile(r"ORD-\d+-\d+")


def is_moment(moment: Moment, step: str, kind_of_order: Callable[[str], Kind]) -> bool:
    """Whether a house's step of this name is such a moment."""
    match moment.what:
        case "called":
            orders = _ORDER.findall(step) if step.endswith(" has arrived") else []
        case "answered":
            orders = _ORDER.findall(step) if step.endswith(" is answered") else []
        case state:
            after = step.startswith("after commit ")
            orders = re.findall(rf"({_ORDER.pattern}) {state}\b", step) if after else []
    return any(kind_of_order(order_id) == moment.kind for order_id in orders)
