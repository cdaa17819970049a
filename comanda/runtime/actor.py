"""What an actor is to the one who writes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from typing_extensions import TypeVarTuple, Unpack

from comanda.runtime.mailbox import Envelope
from comanda.runtime.ref import Ref

if TYPE_CHECKING:
    from comanda.runtime.incarnation import Incarnation

M = TypeVar("M")
Ts = TypeVarTuple("Ts")
