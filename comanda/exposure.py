"""Where other machines can reach a server, its staff's doors need a key that nobody guesses or reads."""

from collections.abc import Iterable, Sequence

from comanda.actors.domain.menu import Restaurant
from comanda.config import SettingsUnusable
from comanda.http.addresses import is_loopback, is_reachable
from comanda.http.auth import hash_token

LEAST_TOKEN_CHARACTERS = 24
"""Of 18 random bytes in base64, 144 bits: beyond guessing, whatever the rate limits are."""

PUBLISHED_TOKENS = frozenset({"WzcsInNlc3Npb25fcThadCJd.c2lnbmF0dXJl"})
"""Tokens long enough to pass that stand in the documentation, which anybody reads."""

MAKE_ONE = "`python3 -c 'import secrets; print(secrets.token_urlsafe(24))'` makes one"


def is_exposed(addresses: Iterable[str], public_url: str | None) -> bool:
    """Whether other machines reach the server: by an address of `addresses`, or a proxy before it."""
    return bool(_exposed(addresses)) or (public_url is not None and is_reachable(public_url))


def _exposed(addresses: Iterable[str]) -> list[str]:
    return [one for one in addresses if not is_loopback(one)]


def check_exposure(
    addresses: Iterable[str], staff_tokens: Sequence[str], restaurants: Sequence[Restaurant]
) -> None:
    """Return where nobody else's machine reaches the server, or the staff's tokens can stand it.

    Args:
        addresses: those that the server is bound to.
        staff_tokens: the house's own, which open every restaurant; a restaurant may have one of its
            own beside them, or instead.

    Raises:
        SettingsUnusable: with what to do. It never holds a token.
    """
    exposed = _exposed(addresses)
    if not exposed:
        return
    why = f"other machines can reach {exposed[0]}"
    if not staff_tokens:
        for one in restaurants:
            if one.staff_token_hash is None:
                raise SettingsUnusable(
                    f"staff_token: {why}, and restaurant {one.restaurant_id} has no staff token; "
                    f"set COMANDA_STAFF_TOKEN or give --staff-token-file ({MAKE_ONE}), "
                    "or serve on 127.0.0.1"
                )
    elif min(map(len, staff_tokens)) < LEAST_TOKEN_CHARACTERS:
        raise SettingsUnusable(
            f"staff_token: {why}, and a staff token under {LEAST_TOKEN_CHARACTERS} characters can be "
            f"guessed; {MAKE_ONE}"
        )
    hashes = {one.staff_token_hash for one in restaurants} | set(map(hash_token, staff_tokens))
    if hashes & set(map(hash_token, PUBLISHED_TOKENS)):
        raise SettingsUnusable(
            f"staff_token: {why}, and this staff token stands in the documentation; {MAKE_ONE}"
        )
