"""What keeps browsers from misreading, framing, leaking or keeping an answer."""

from typing import Final

EVERY_ANSWER: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""What each answer has that says nothing else itself. The pages have a policy of their own; what may be
kept, the menu, the pages and their files, says so."""
