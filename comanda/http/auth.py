"""Who may do what: members' signed tokens, the staff's tokens, and the key that signs."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import NamedTuple

import itsdangerous

from comanda.actors.menu_book import MenuBook
from comanda.actors.ports import SessionKey

KEY_BYTES = 32


class BadToken(Exception):
    """A token that opens nothing: missing, mangled, or signed with another key."""


class KeyFileUnusable(Exception):
    """The signing key's file cannot be read or made. The text is a sentence for a person."""


class MemberPass(NamedTuple):
    """What a member's token opens: one session, as one member."""

    key: SessionKey
    member_id: str


class MemberTokens:
    """Signs and reads members' tokens. They hold as long as the key does."""

    def __init__(self, signing_key: bytes) -> None:
        self._serializer = itsdangerous.URLSafeSerializer(
            signing_key, salt="comanda-member", signer_kwargs={"digest_method": hashlib.sha256}
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
    """Knows the house's own staff token, which opens every restaurant, and each restaurant's."""

    def __init__(self, house_token: str | None, book: MenuBook) -> None:
        self._house = None if not house_token else hash_token(house_token)
        self._book = book

    def there_are_any(self) -> bool:
        """Whether there is a token at all, so that somebody can sign in as staff."""
        of_restaurants = (one.staff_token_hash for one in self._book.restaurants())
        return any(known is not None for known in (self._house, *of_restaurants))

    def opens(self, token: str, restaurant_id: int) -> bool:
        """Whether the token opens this restaurant."""
        return self.whose(token, restaurant_id) is not None

    def whose(self, token: str, restaurant_id: int) -> str | None:
        """Whose staff this token makes its holder at this restaurant; compared in constant time."""
        given = hash_token(token)
        if self._house is not None and hmac.compare_digest(given, self._house):
            return "the house's staff"
        restaurant = self._book.restaurant(restaurant_id)
        if restaurant is None or restaurant.staff_token_hash is None:
            return None
        if not hmac.compare_digest(given, restaurant.staff_token_hash):
            return None
        return f"restaurant {restaurant_id}'s staff"

    def is_staff(self, token: str) -> bool:
        """Whether the token opens any restaurant of this house."""
        return any(self.opens(token, one.restaurant_id) for one in self._book.restaurants())


def hash_token(token: str) -> str:
    """A staff token's SHA-256 in hex, as a menu file has it."""
    return hashlib.sha256(token.encode()).hexdigest()


def load_or_make_key(path: Path) -> bytes:
    """The signing key in `path`; made on the first start, readable by its owner alone (mode 600).

    Raises:
        KeyFileUnusable: it cannot be read or made, or holds no key.
    """
    try:
        try:
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = bytes.fromhex(path.read_text("ascii").strip())
        else:
            key = secrets.token_bytes(KEY_BYTES)
            try:
                with os.fdopen(made, "w", encoding="ascii") as file:
                    file.write(key.hex() + "\n")
                    file.flush()
                    os.fsync(file.fileno())
            except BaseException:
                path.unlink(missing_ok=True)  # half a key would keep the next start from making one
                raise
    except (OSError, ValueError) as error:
        raise KeyFileUnusable(f"The key file {path} cannot be used: {error}") from error
    if len(key) < KEY_BYTES:
        raise KeyFileUnusable(
            f"The key file {path} holds no key of {KEY_BYTES} bytes; without the file a new one is "
            "made, and all members' tokens end"
        )
    return key
