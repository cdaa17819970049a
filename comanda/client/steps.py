"""What the steps of a session file may say: one struct for each `do`. Pure."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from comanda.actors.domain.messages import ErrorCode, ProcessingStatus

from .facts import Happening

MAX_SECONDS = 600.0
"""No step of a session file waits longer."""

DEFAULT_WITHIN_SECONDS = 5.0

Seconds = Annotated[float, Meta(ge=0, le=MAX_SECONDS)]
LineName = Annotated[str, Meta(pattern=r"\A[A-Za-z][A-Za-z0-9_-]{0,31}\Z")]
Json = dict[str, Any]


class Step(Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True):
    """Who does it: `member`, several `members` one after another, or `everyone`."""

    member: str | None = None
    members: tuple[str, ...] = ()
    everyone: bool = False


class JoinTable(Step, frozen=True, kw_only=True, tag="join"):
    """Sit down and connect."""


class Leave(Step, frozen=True, kw_only=True, tag="leave"):
    """Close the page. `come_back` opens it again with the same membership."""


class Cut(Step, frozen=True, kw_only=True, tag="cut"):
    """Lose the connection without goodbye, until `come_back`.

    `what`: the whole network, or the websocket alone while HTTP still gets through.
    """

    what: Literal["network", "websocket"] = "network"


class ComeBack(Step, frozen=True, kw_only=True, tag="come_back"):
    """The network is there again, or the page that was closed."""


class Refresh(Step, frozen=True, kw_only=True, tag="refresh"):
    """Load the page anew: all is forgotten but the token."""


class Wait(Struct, frozen=True, tag_field="do", tag="wait", forbid_unknown_fields=True):
    """Let time pass."""

    seconds: Seconds


class CommandStep(Step, frozen=True, kw_only=True):
    """A command. It must be accepted, or `refused` with that code; `says` is the refusal's sentence."""

    refused: ErrorCode | None = None
    says: str | None = None


class Add(CommandStep, frozen=True, kw_only=True, tag="add"):
    """Add a line: an item by name or id. `as` names the line for later steps."""

    item: str | int
    qty: int = 1
    note: str = ""
    line_name: LineName | None = msgspec.field(default=None, name="as")


class Update(CommandStep, frozen=True, kw_only=True, tag="update"):
    """Change a line's quantity, its note, or both."""

    line: str
    qty: int | None = None
    note: str | None = None


class Remove(CommandStep, frozen=True, kw_only=True, tag="remove"):
    """Take a line out."""

    line: str


class Clear(CommandStep, frozen=True, kw_only=True, tag="clear"):
    """Take every line out."""


class Order(CommandStep, frozen=True, kw_only=True, tag="order"):
    """Order what the member sees. Words such as `pos:accept` at the start choose the dummy POS' answer."""

    special_instructions: str = ""


class Resolve(CommandStep, frozen=True, kw_only=True, tag="resolve"):
    """Ask now for the outcome of the order in flight."""


class Send(CommandStep, frozen=True, kw_only=True, tag="send"):
    """Send a frame past the phone's own guards, over a second connection of the member.

    Either `message`, a table that is sent as JSON (`{name}` in its texts stands for the id of the line of
    that name), or `text`, sent as it is.
    """

    message: Json | None = None
    text: str | None = None


class Together(Struct, frozen=True, tag_field="do", tag="together", forbid_unknown_fields=True):
    """Commands at the very same moment.

    With `accepted`, so many must be accepted, no matter whose, and all others `refused` with that code.
    Without it each command is judged by itself.
    """

    steps: list[Json]
    accepted: Annotated[int, Meta(ge=0)] | None = None
    refused: ErrorCode | None = None
    says: str | None = None


class CartExpected(Struct, frozen=True, forbid_unknown_fields=True):
    """The cart as a member sees it; what is not given may be anything.

    `lines` in any order, each as in "2 × Margherita (Extra spicy)". `stage` is the pending order's,
    `in_doubt` the number of orders whose lock ended before their outcome, `error` why the last one failed.
    """

    locked: bool | None = None
    locked_by: str | None = None
    lines: tuple[str, ...] | None = None
    total: float | None = None
    status: ProcessingStatus | None = None
    stage: str | None = None
    in_doubt: int | None = None
    error: str | None = None


class Expect(Step, frozen=True, kw_only=True, tag="expect"):
    """What must come true `within` so many seconds.

    `sees` is the next happening, or several in their order, since the table was last changed by a step;
    `never` must not have been among them when all else has come true, or for all of `within` where nothing
    else is expected. `orders` counts the orders confirmed in this play. `online` and `offline` are members
    of this play.
    """

    within: Seconds = DEFAULT_WITHIN_SECONDS
    sees: str | Json | list[str | Json] = []
    never: str | list[str] = []
    cart: CartExpected | None = None
    orders: Annotated[int, Meta(ge=0)] | None = None
    online: tuple[str, ...] = ()
    offline: tuple[str, ...] = ()

    @property
    def sights(self) -> tuple["Sight", ...]:
        """`sees`, in its order."""
        seen = self.sees if isinstance(self.sees, list) else [self.sees]
        return tuple(
            Sight(one, {})
            if isinstance(one, str)
            else Sight(str(one.get("what")), {k: v for k, v in one.items() if k != "what"})
            for one in seen
        )

    @property
    def nevers(self) -> tuple[str, ...]:
        """`never`, as names."""
        return (self.never,) if isinstance(self.never, str) else tuple(self.never)

    @property
    def has_state(self) -> bool:
        """Whether anything is expected of the state, rather than of what happens."""
        return bool(self.cart or self.orders is not None or self.online or self.offline)


class Sight(Struct, frozen=True):
    """A happening by its name; `fields` are those that it must carry, with these values."""

    what: str
    fields: Json


Doing = Add | Update | Remove | Clear | Order | Resolve
Moving = JoinTable | Leave | Cut | ComeBack | Refresh
AnyStep = Doing | Moving | Send | Together | Wait | Expect

KINDS: dict[str, type[AnyStep]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        JoinTable,
        Add,
        Update,
        Remove,
        Clear,
        Order,
        Resolve,
        Together,
        Send,
        Cut,
        ComeBack,
        Refresh,
        Leave,
        Wait,
        Expect,
    )
}
"""Every `do`, in the order in which a person would learn them."""


def name_of(happening: type[Struct]) -> str:
    """A happening's name in session files: the wire's `type`, or the fact's name in small letters."""
    tag = happening.__struct_config__.tag
    if isinstance(tag, str):
        return tag
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", happening.__name__).lower()


HAPPENINGS: dict[str, type[Struct]] = {name_of(one): one for one in get_args(Happening)}
"""All that a member can see happen, by name."""


def normal_line(text: str) -> str:
    """A cart line as it is compared: one space between words, and × for the x of a keyboard."""
    return re.sub(r"^(\d+)\s*[x×]\s*", r"\1 × ", " ".join(text.split()))


def line_words(qty: int, name: str, note: str) -> str:
    """A cart line as people read it."""
    return f"{qty} × {name} ({note})" if note else f"{qty} × {name}"


def same(expected: object, actual: object) -> bool:
    """Whether `actual` is what a file says: numbers by value, tables by the keys that are given."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            key in actual and same(value, actual[key]) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(actual, list | tuple)
            and len(expected) == len(actual)
            and all(same(one, other) for one, other in zip(expected, actual, strict=True))
        )
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | float) and isinstance(actual, int | float | Decimal):
        return Decimal(str(expected)) == Decimal(str(actual))
    return expected == actual
