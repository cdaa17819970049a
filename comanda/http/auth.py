"""Who may do what: members' signed tokens and the staff's tokens."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import NamedTuple

import itsdangerous

from comanda.actors.domain.menu import Restaurant
from comanda.actors.menu_book import MenuBook
from comanda.actors.ports import SessionKey


class BadToken(Exception):
    """A token that opens nothing: missing, mangled, or signed with another key."""


class MemberPass(NamedTuple):
    """What a member's token opens: one session, as one member."""

    key: SessionKey
    member_id: str


class MemberTokens:
    """Signs and reads members' tokens. A token holds as long as the key that it was signed with is known."""

    def __init__(self, signing_keys: Sequence[bytes]) -> None:
        """Args:
        signing_keys: the first signs; what any of them has signed is read.
        """
        self._serializer = itsdangerous.URLSafeSerializer(
            list(reversed(signing_keys)),  # itsdangerous signs with the last
            salt="comanda-member",
            signer_kwargs={"digest_method": hashlib.sha256},
        )

    def sign(self, member: MemberPass) -> str:
        """The token for this member."""
        key = member.key
        token = self._serializer.dumps([key.restaurant_id, key.pid, member.member_id])
        return token if isinstance(token, str) else token.decode()

    def read(self, token: str) -> MemberPass:
        """Who the token stands for.

        Raises:
            BadToken: it was not signed here.
        """
        try:
            restaurant_id, pid, member_id = self._serializer.loads(token)
        except (itsdangerous.BadData, ValueError, TypeError) as error:
            raise BadToken("The token is not valid") from error
        return MemberPass(SessionKey(restaurant_id, pid), member_id)


class StaffTokens:
    """Knows the house's own staff tokens, which open every restaurant, and each restaurant's."""

    def __init__(self, house_tokens: Sequence[str], book: MenuBook) -> None:
        """Args:
        house_tokens: one, or while it is being replaced two; none where the house has none.
        """
        self._house = [hash_token(token) for token in house_tokens]
        self._book = book

    def there_are_any(self) -> bool:
        """Whether there is a token at all, so that somebody can sign in as staff."""
        of_restaurants = (one.staff_token_hash for one in self._book.restaurants())
        return bool(self._house) or any(known is not None for known in of_restaurants)

    def opens(self, token: str, restaurant_id: int) -> bool:
        """Whether the token opens this restaurant."""
        return self.whose(token, restaurant_id) is not None

    def whose(self, token: str, restaurant_id: int) -> str | None:
        """Whose staff this token makes its holder at this restaurant; compared in constant time."""
        given = hash_token(token)
        if self._is_houses(given):
            return "the house's staff"
        restaurant = self._book.restaurant(restaurant_id)
        if restaurant is None or not _is_its_own(given, restaurant):
            return None
        return f"restaurant {restaurant_id}'s staff"

    def is_staff(self, token: str) -> bool:
        """Whether the token opens any restaurant of this house."""
        given = hash_token(token)
        return self._is_houses(given) or any(
            _is_its_own(given, one) for one in self._book.restaurants()
        )

    def _is_houses(self, given: str) -> bool:
        return any(hmac.compare_digest(given, known) for known in self._house)


def _is_its_own(given: str, restaurant: Restaurant) -> bool:
    known = restaurant.staff_token_hash
    return known is not None and hmac.compare_digest(given, known)


def hash_token(token: str) -> str:
    """A staff token's SHA-256 in hex, as a menu file has it."""
    return hashlib.sha256(token.encode()).hexdigest()
