"""The keys that sign members' tokens: one signs, and the one before it is still believed."""

import os
import secrets
import stat
from pathlib import Path

KEY_BYTES = 32
KEYS_KEPT = 2
"""The key that signs and the one before it: whoever sat down before a rotation stays at the table."""


class KeyFileUnusable(Exception):
    """The signing keys cannot be read or made. The text is a sentence for a person, and holds no key."""


def load_or_make_keys(path: Path) -> tuple[bytes, ...]:
    """The signing keys in `path`, the one that signs first.

    On the first start one is made, readable by its owner alone (mode 600).

    Raises:
        KeyFileUnusable: it cannot be read or made, holds no keys, or anybody on the machine may read it.
    """
    try:
        try:
            _write(path, (secrets.token_bytes(KEY_BYTES),))
        except FileExistsError:
            _check_mode(path)
        return parse_keys(path.read_text("ascii"), f"The key file {path}")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileUnusable(f"The key file {path} cannot be used: {error}") from error


def rotate_keys(path: Path) -> None:
    """Put a new key before the one that has signed until now; what was before that goes.

    The file is replaced in one step. A server reads it when it starts.

    Raises:
        KeyFileUnusable: it is not there, or cannot be read or written.
    """
    if not path.exists():
        raise KeyFileUnusable(
            f"There is no key file {path}; the server makes it when it first starts"
        )
    kept = load_or_make_keys(path)[: KEYS_KEPT - 1]
    new = path.with_name(path.name + ".new")
    try:
        new.unlink(missing_ok=True)  # of a rotation that was cut off
        _write(new, (secrets.token_bytes(KEY_BYTES), *kept))
        new.replace(path)
    except OSError as error:
        raise KeyFileUnusable(f"The key file {path} cannot be replaced: {error}") from error


def parse_keys(text: str, where: str) -> tuple[bytes, ...]:
    """The keys in a text that has them in hexadecimal digits, apart from one another.

    Raises:
        KeyFileUnusable: there is none, one is too short or no number, or there are too many.
    """
    try:
        keys = tuple(bytes.fromhex(word) for word in text.split())
    except ValueError:
        raise KeyFileUnusable(f"{where} holds what is no key in hexadecimal digits") from None
    if not keys or min(map(len, keys)) < KEY_BYTES:
        raise KeyFileUnusable(f"{where} holds no key of {KEY_BYTES} bytes")
    if len(keys) > KEYS_KEPT:
        raise KeyFileUnusable(f"{where} holds more than {KEYS_KEPT} keys")
    return keys


def _check_mode(path: Path) -> None:
    """A group may read it, as containers hand out secrets; everybody may not."""
    mode = path.stat().st_mode
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise KeyFileUnusable(
            f"The key file {path} can be read or changed by others (mode {stat.S_IMODE(mode):o}): "
            f"whoever has read it can be anybody at any table. `chmod 600 {path}`, and if strangers had "
            "the chance, `comanda keys rotate` twice"
        )


def _write(path: Path, keys: tuple[bytes, ...]) -> None:
    """Make the file, whole or not at all. Raises `FileExistsError` where it is there."""
    made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(made, "w", encoding="ascii") as file:
            file.writelines(f"{key.hex()}\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)  # half a key would keep the next start from making one
        raise
