"""What the house makes of an adapter's answer before it uses it."""

import pytest

from comanda.actors.asking import MAX_POS_TEXT_CHARACTERS, sound
from comanda.actors.domain.order import Accepted, NotSent, Pending, PosOutcome, Rejected, Unknown

LONG = "x" * (MAX_POS_TEXT_CHARACTERS + 1)
CUT = LONG[:-1]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (Accepted(LONG), Accepted(CUT)),
        (Pending(LONG, None), Pending(CUT, None)),
        (Rejected(LONG, LONG, retryable=True), Rejected(CUT, CUT, retryable=True)),
        (NotSent(LONG, 2.0), NotSent(CUT, 2.0)),
        (Unknown(LONG), Unknown(CUT)),
        (Unknown(LONG, key_reused=True), Unknown(CUT, key_reused=True)),
    ],
)
def test_no_text_of_an_adapter_is_kept_beyond_the_bound(said: PosOutcome, kept: PosOutcome) -> None:
    assert sound(said) == kept


def test_what_is_no_outcome_is_unknown() -> None:
    assert isinstance(sound("accepted"), Unknown)  # type: ignore[arg-type]
    assert sound(None) is None
