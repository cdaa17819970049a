"""What must be true after the demo: of the phones, of the history, of the file. Each check is a sentence."""

import sqlite3
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from .demo_story import ACCEPTED_ORDER, REFUSED_ORDER, Story

REFUSAL = "Order already being processed"


class Check(Struct, frozen=True):
    """A sentence, and what there was where it does not hold."""

    sentence: str
    holds: bool
    found: str


def check_table(story: Story) -> list[Check]:
    """What phones, server and history must agree on."""
    carts = story.at_the_end
    back = story.after_the_kill
    cart = story.ledger.cart()
    phones = len(back)
    confirmed = [order for history in story.histories for order in history.orders]
    numbers = {order.order_id for order in confirmed}
    return [
        Check(
            f"Every phone and the server have the same cart and seq ({carts[0].seq})",
            len(carts) == phones + 1 and len(set(carts)) == 1,
            f"{carts}",
        ),
        Check(
            f"All {len(story.ledger)} acknowledged edits were there after the kill, on every phone",
            phones > 0 and all(one.lines == cart for one in back) and len(set(back)) == 1,
            f"{back}; acknowledged: {sorted(cart)}",
        ),
        Check(
            "The history has exactly one confirmed order, with the right lines and total",
            numbers == {ACCEPTED_ORDER}
            and len(confirmed) == phones
            and all(story.same_order(order) for order in confirmed),
            f"{confirmed}",
        ),
        Check(
            f"Another's edit was refused, by the phone and by the server: “{REFUSAL}”",
            story.refusals == [REFUSAL, REFUSAL],
            f"{story.refusals}",
        ),
    ]


def check_file(database: Path) -> list[Check]:
    """What must stand in the SQLite file once the server has ended."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        integrity = connection.execute("PRAGMA integrity_check").fetchall()
        journal = connection.execute(
            "SELECT order_id, state FROM order_journal ORDER BY order_number"
        ).fetchall()
        history = connection.execute("SELECT order_id FROM orders").fetchall()
        attempts = connection.execute(
            "SELECT count(*) FROM pos_attempts WHERE order_id = ?", (ACCEPTED_ORDER,)
        ).fetchone()[0]
    return [
        Check(
            "The SQLite file is sound (PRAGMA integrity_check)",
            integrity == [("ok",)],
            f"{integrity}",
        ),
        Check(
            f"No order is twice in the journal: {REFUSED_ORDER} rejected, {ACCEPTED_ORDER} confirmed",
            journal == [(REFUSED_ORDER, "rejected"), (ACCEPTED_ORDER, "confirmed")]
            and history == [(ACCEPTED_ORDER,)],
            f"journal {journal}, history {history}",
        ),
        Check(
            f"The POS was asked twice under one key, {ACCEPTED_ORDER}: before the kill and after",
            attempts == 2,
            f"{attempts} calls",
        ),
    ]
