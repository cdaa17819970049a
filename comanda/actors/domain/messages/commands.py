"""Commands: what a member asks for. Imperative, frozen, the tag is the wire's ``type``."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from .vocabulary import MAX_LINES, Instructions, MenuItemId, Note, PublicId, Qty, RequestId, Total


class Join(Struct, frozen=True, tag="join"):
    """The first frame of a connection. `token` is what the HTTP join gave the member."""

    token: Annotated[str, Meta(max_length=2048)]


class AddItem(Struct, frozen=True, tag="add_item"):
    """Put a new line into the cart; the price is the menu's."""

    menu_item_id: MenuItemId
    qty: Qty
    note: Note = ""
    public_id: PublicId | None = None
    request_id: RequestId | None = None


class UpdateItem(Struct, frozen=True, tag="update_item"):
    """Change a line's quantity, its note, or both; with neither it is a bad message."""

    public_id: PublicId
    qty: Qty | UnsetType = UNSET
    note: Note | UnsetType = UNSET
    request_id: RequestId | None = None

    def __post_init__(self) -> None:
        if self.qty is UNSET and self.note is UNSET:
            raise ValueError("update_item needs `qty` or `note`")


class RemoveItem(Struct, frozen=True, tag="remove_item"):
    """Take a line out of the cart."""

    public_id: PublicId
    request_id: RequestId | None = None


class ClearCart(Struct, frozen=True, tag="clear_cart"):
    """Take every line out of the cart."""

    request_id: RequestId | None = None


class SeenItem(Struct, frozen=True):
    """A cart line as the member who orders has seen it."""

    public_id: PublicId
    menu_item_id: MenuItemId
    qty: Qty
    note: Note = ""


class PlaceOrder(Struct, frozen=True, tag="place_order"):
    """Order what is in the cart. `cart_items` and `total` say what the member saw, no more."""

    cart_items: Annotated[tuple[SeenItem, ...], Meta(max_length=MAX_LINES)]
    total: Total
    special_instructions: Instructions = ""
    request_id: RequestId | None = None


class ResolveNow(Struct, frozen=True, tag="resolve_now"):
    """Ask the POS now for the outcome of the order in flight (specification 5.2, manual retry)."""

    request_id: RequestId | None = None


class Ping(Struct, frozen=True, tag="ping"):
    """For clients that cannot see websocket pings."""

    request_id: RequestId | None = None


CartCommand = AddItem | UpdateItem | RemoveItem | ClearCart | PlaceOrder | ResolveNow
Command = Join | CartCommand | Ping
