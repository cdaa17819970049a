"""What people write, as the house keeps it: data for people, never commands for a terminal.

Control characters and what turns the writing round are taken out, the rest is normalised (NFC), and what is
too long is cut between two characters as people see them, never within one.
"""

import unicodedata

_CONTROLS = (code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n")
_TURNS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Bidirectional embeddings, overrides and isolates: they reorder what others have written, too. The
marks that Hebrew and Arabic texts are typed with (U+200E, U+200F, U+061C) turn nothing round and stay."""

_OUT = dict.fromkeys((*_CONTROLS, *_TURNS))

_JOINER = "\u200d"
_PREPENDED = (
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd"
    "\U000111c2\U000111c3\U0001193f\U00011941\U00011a84\U00011a85\U00011a86\U00011a87\U00011a88"
    "\U00011a89\U00011d46"
)
"""Signs that belong to what is written after them: around a number, or upon a letter."""

_APPENDED = "\u0e33\u0eb3\u200c\u200d\uff9e\uff9f"
"""What belongs to the letter before it and is no mark by its category: the Thai and Lao vowel `am`, joiners,
the voicing of halfwidth kana."""

_VIRAMA = 9
"""The combining class of the signs that join two Indic consonants into one."""


def plain(text: str, most: int | None = None) -> str:
    """The text as it is kept: no control characters but tabs and line ends, none that turn the writing
    round, in Unicode's form NFC, and at most `most` code points.

    No database takes a NUL as text, and an escape sequence must not reach anybody's terminal. NFC may be
    longer than what was written, so a text that was short enough can be cut.
    """
    if text.isascii() and text.isprintable():
        kept = text
    else:
        kept = unicodedata.normalize("NFC", text.translate(_OUT))
    return kept if most is None else cut(kept, most)


def one_line(text: str, most: int | None = None) -> str:
    """What somebody has typed, as one line of plain text of at most `most` code points."""
    line = " ".join(plain(text).split())
    return line if most is None else cut(line, most).rstrip()


def cut(text: str, most: int) -> str:
    """At most `most` code points of the text, ending where a character ends as people see it.

    A first character that is longer than that by itself is left out, and all behind it.
    """
    if len(text) <= most:
        return text
    end = most
    while end > 0 and _within_one(text, end):
        end -= 1
    return text[:end]


def _within_one(text: str, at: int) -> bool:
    """Whether `at` may stand inside a grapheme cluster (UAX 29); it says yes rather once too often."""
    before, after = text[at - 1], text[at]
    if unicodedata.category(after)[0] == "M" or unicodedata.combining(before) == _VIRAMA:
        return True
    if after in _APPENDED or before == _JOINER or before in _PREPENDED:
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":
        return True  # a skin's colour; the letters of a flag such as Scotland's
    if _is_flag_half(before) and _is_flag_half(after):
        first = at
        while first > 0 and _is_flag_half(text[first - 1]):
            first -= 1
        return (at - first) % 2 == 1
    return _is_one_syllable(before, after)


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _is_one_syllable(before: str, after: str) -> bool:
    """Whether two of Hangul's letters or syllables may be parts of one syllable."""
    if _begins_syllable(before):
        return _is_hangul(after)
    return _is_hangul(before) and _goes_on_syllable(after)


def _is_hangul(char: str) -> bool:
    return "\uac00" <= char <= "\ud7a3" or _begins_syllable(char) or _goes_on_syllable(char)


def _begins_syllable(char: str) -> bool:
    return "\u1100" <= char <= "\u115f" or "\ua960" <= char <= "\ua97c"


def _goes_on_syllable(char: str) -> bool:
    return "\u1160" <= char <= "\u11ff" or "\ud7b0" <= char <= "\ud7fb"
