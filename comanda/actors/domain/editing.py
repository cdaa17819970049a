"""Edits of the cart, by members and by the menu. Each is one `cart_updated`."""

from msgspec import UNSET
from msgspec.structs import replace

from .cart import CartLine, notes_bytes
from .changes import Changes
from .inputs import Context, Decision, Refusal, refuse
from .menu import Menu
from .messages import (
    MAX_LINES,
    MAX_NOTE_CHARACTERS,
    MAX_NOTES_BYTES,
    AddItem,
    CartUpdated,
    ClearCart,
    MenuChange,
    RemoveItem,
    UpdateItem,
)
from .money import to_major
from .session import MAX_LINES_EVER, Session
from .text import plain

EditCommand = AddItem | UpdateItem | RemoveItem | ClearCart


def edit(
    session: Session, member_id: str, command: EditCommand, context: Context
) -> Decision | Refusal:
    """A member's change of an unlocked cart."""
    match command:
        case AddItem():
            return _add_item(session, member_id, command, context)
        case UpdateItem():
            return _update_item(session, member_id, command, context)
        case RemoveItem():
            if command.public_id not in session.lines:
                return _no_such_line()
            return _edited(session, member_id, context, removed=(command.public_id,))
        case ClearCart():
            return _edited(session, member_id, context, removed=tuple(session.lines))


def _add_item(
    session: Session, member_id: str, command: AddItem, context: Context
) -> Decision | Refusal:
    item = context.menu.items.get(command.menu_item_id)
    if item is None:
        return refuse("item_not_found", "There is no such item on the menu")
    if not item.available:
        return refuse("item_unavailable", f"{item.name} is sold out")
    public_id = command.public_id or context.ids.public_id()
    if public_id in session.lines or public_id in session.retired:
        return refuse("public_id_taken", "This public_id is or was a line of this table")
    if len(session.lines) >= MAX_LINES:
        return refuse("cart_full", f"A cart holds at most {MAX_LINES} lines")
    if session.next_position >= MAX_LINES_EVER:
        return refuse("cart_full", f"A visit has at most {MAX_LINES_EVER} lines; ask the staff")
    line = CartLine(
        public_id=public_id,
        position=session.next_position,
        menu_item_id=item.menu_item_id,
        name=item.name,
        price_minor=item.price_minor,
        qty=command.qty,
        note=plain(command.note, MAX_NOTE_CHARACTERS),
        state="pending",
        available=True,
        added_by=member_id,
    )
    if not _notes_fit(session, line):
        return refuse("cart_full", "The cart's notes are too long together")
    return _edited(
        replace(session, next_position=session.next_position + 1), member_id, context, (line,)
    )


def _update_item(
    session: Session, member_id: str, command: UpdateItem, context: Context
) -> Decision | Refusal:
    line = session.lines.get(command.public_id)
    if line is None:
        return _no_such_line()
    if command.qty is not UNSET:
        line = replace(line, qty=command.qty)
    if command.note is not UNSET:
        line = replace(line, note=plain(command.note, MAX_NOTE_CHARACTERS))
        if not _notes_fit(session, line):
            return refuse("cart_full", "The cart's notes are too long together")
    return _edited(session, member_id, context, (line,))


def _notes_fit(session: Session, line: CartLine) -> bool:
    if not line.note:
        return True
    others = (other for other in session.lines.values() if other.public_id != line.public_id)
    return notes_bytes(others) + len(line.note.encode()) <= MAX_NOTES_BYTES


def _edited(
    session: Session,
    member_id: str | None,
    context: Context,
    changed: tuple[CartLine, ...] = (),
    removed: tuple[str, ...] = (),
) -> Decision:
    """The cart with `changed` put in and `removed` taken out, and the one event that tells it."""
    lines = dict(session.lines)
    changes = Changes()
    for line in changed:
        lines[line.public_id] = changes.lines[line.public_id] = line
    for public_id in removed:
        del lines[public_id]
        changes.removed[public_id] = None
    after = replace(
        session,
        seq=session.seq + 1,
        updated_at=context.now,
        lines=lines,
        retired=session.retired | set(removed) if removed else session.retired,
        last_order=session.last_order if member_id is None else None,
    )
    event = CartUpdated(
        seq=after.seq,
        by_member=member_id,
        items=tuple([line.as_item(session.minor_digits) for line in changed]),
        removed=removed,
        total=to_major(after.total_minor, session.minor_digits),
        timestamp=context.now,
    )
    return Decision(after, (event,), changes)


def changed_items(before: Menu, after: Menu) -> tuple[MenuChange, ...]:
    """What guests must hear of when one menu takes the other's place."""
    return tuple(
        MenuChange(
            item.menu_item_id, to_major(item.price_minor, after.minor_digits), item.available
        )
        for item in after.items.values()
        if item != before.items.get(item.menu_item_id)
    )


def follow_menu(session: Session, context: Context) -> Decision:
    """Pending lines take the menu's price and availability; locked ones keep what was ordered."""
    if session.pending is not None or session.closed_reason is not None:
        return Decision(session, (), Changes())
    changed = []
    for line in session.lines.values():
        item = context.menu.items.get(line.menu_item_id)
        if item is None:
            followed = replace(line, available=False)
        else:
            followed = replace(line, price_minor=item.price_minor, available=item.available)
        if followed != line:
            changed.append(followed)
    if not changed:
        return Decision(session, (), Changes())
    return _edited(session, None, context, tuple(changed))


def _no_such_line() -> Refusal:
    return refuse("item_not_found", "There is no such line in the cart")
