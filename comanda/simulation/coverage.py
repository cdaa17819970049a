"""Interesting places in which an evening has been, read off its trace. The product knows nothing of them."""

import re

MARKS: dict[str, str] = {
    "order confirmed": r"hears order_confirmed",
    "order failed": r"hears order_failed",
    "order told as unknown": r"order_processing .* unknown$",
    "order told as pending": r"order_processing .* pending$",
    "order told as needing staff": r"order_processing .* needs_staff$",
    "lock ended before the order": r"hears cart_unlocked",
    "staff settled an order": r"staff POST .*/resolve: done",
    "an order was taken back": r"POS ledger: voided",
    "the POS withdrew an order": r"POS ledger: withdrawn",
    "an answer was weighed late": r"after weigh",
    "refused: cart_locked": r"hears error cart_locked",
    "refused: cart_changed": r"hears error cart_changed",
    "refused: total_mismatch": r"hears error total_mismatch",
    "refused: item_not_found": r"hears error item_not_found",
    "refused: item_unavailable": r"hears error item_unavailable",
    "refused: request_id_reused": r"hears error request_id_reused",
    "refused: rate_limited": r"hears error rate_limited",
    "refused: bad_message": r"hears error bad_message",
    "refused: storage_unavailable": r"hears error storage_unavailable",
    "a member was put out": r"is out: Too many",
    "a session crashed of a poison message": r"a message is poison",
    "a table was closed": r"staff POST .*/close: done",
    "a guest came back to a closed table": r" comes back$",
    "a member had two devices": r" double: done$",
    "a guest left": r" leaves the table$",
    "a page was loaded anew": r"refresh: done",
    "house killed": r"house \d+ dies",
    "house killed between lock and claim": r"\(ORD\S+ prepared\)\n.*house \d+ dies",
    "house lost its power": r"house \d+ loses power",
    "house drained": r"house \d+ has ended",
    "house drained with a call on its way": (
        r"submit (\S+) has arrived\n(?:(?!.*submit \1 is answered).*\n){0,20}.*is asked to end"
    ),
    "two houses served together": r"house \d+ goes on",
    "house killed with a call on its way": r"submit \S+ has arrived\n.*house \d+ dies",
    "house killed after the answer": r"submit \S+ is answered\n.*house \d+ dies",
    "a stale house was fenced off": r"storage refuses: StaleEpoch",
    "a commit failed": r"this commit is refused",
    "a commit's outcome was not known, lost": r"this commit is lost",
    "a commit's outcome was not known, written": r"this commit is written",
    "storage had an outage": r"an outage begins",
    "a connection was reset": r"network: reset",
    "a connection fell silent": r"network: silence",
    "a slow reader was put out": r"is closed 1013",
    "a clock was put back": r"the clock is put back",
    "a clock was put ahead": r"the clock is put ahead",
    "a restaurant's POS was dead": r"the POS of restaurant \d+ is dead",
    "an intruder was refused": r"intruder .*(token|401|403)",
    "two restaurants had orders": (
        r"\A(?=[\s\S]*?ORD-7-)[\s\S]*?ORD-[89]-|\A(?=[\s\S]*?ORD-8-)[\s\S]*?ORD-9-"
    ),
    "a table rested in quarantine": r"is in quarantine",
    "the menu changed under a cart": r"hears menu_updated",
}
"""Interesting places, each with what a trace says that has been there."""

_MARKS = {name: re.compile(pattern, re.MULTILINE) for name, pattern in MARKS.items()}


def marks_of(trace: str) -> tuple[str, ...]:
    """The marks that this evening has hit."""
    return tuple(name for name, pattern in _MARKS.items() if pattern.search(trace))
