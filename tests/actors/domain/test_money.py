from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comanda.actors.domain.messages import encode
from comanda.actors.domain.money import MAX_MINOR, MoneyOutOfRange, to_major, to_minor


@pytest.mark.parametrize(
    ("minor", "digits", "on_the_wire"),
    [
        (125000, 2, b"1250.00"),
        (0, 2, b"0.00"),
        (5, 2, b"0.05"),
        (1250, 0, b"1250"),
        (1234, 3, b"1.234"),
        (-125, 2, b"-1.25"),
        (MAX_MINOR, 2, b"100000000000.00"),
        (99 * 100 * MAX_MINOR, 2, b"990000000000000.00"),
    ],
)
def test_an_amount_goes_over_the_wire_as_a_number_with_the_currencys_decimals(
    minor: int, digits: int, on_the_wire: bytes
) -> None:
    assert encode(to_major(minor, digits)) == on_the_wire


@pytest.mark.parametrize(
    ("major", "digits", "minor"),
    [
        ("1250", 2, 125000),
        ("1250.00", 2, 125000),
        ("0.005", 2, 1),
        ("-0.005", 2, -1),
        ("0.0049999", 2, 0),
        ("1.015", 2, 102),
        ("2.5", 0, 3),
        ("1E-400", 2, 0),
        ("1e3", 2, 100000),
        ("100000000000.00", 2, MAX_MINOR),
    ],
)
def test_a_wire_amount_is_rounded_to_minor_units_halves_away_from_zero(
    major: str, digits: int, minor: int
) -> None:
    assert to_minor(Decimal(major), digits) == minor


@pytest.mark.parametrize(
    "major",
    ["NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "1E+400", "-1E+400", "100000000000.01"],
)
def test_what_is_no_amount_of_money_is_out_of_range(major: str) -> None:
    with pytest.raises(MoneyOutOfRange):
        to_minor(Decimal(major), 2)


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from([0, 2, 3]))
def test_minor_units_survive_the_way_over_the_wire_and_back(minor: int, digits: int) -> None:
    assert to_minor(Decimal(encode(to_major(minor, digits)).decode()), digits) == minor


@given(st.integers(0, 10**13), st.sampled_from([0, 2, 3]))
def test_a_total_that_a_client_holds_as_a_float_still_names_its_minor_units(
    minor: int, digits: int
) -> None:
    assert to_minor(Decimal(repr(float(to_major(minor, digits)))), digits) == minor


@given(st.decimals(allow_nan=True, allow_infinity=True), st.sampled_from([0, 2, 3]))
def test_every_decimal_is_money_or_out_of_range(major: Decimal, digits: int) -> None:
    try:
        minor = to_minor(major, digits)
    except MoneyOutOfRange:
        return
    assert abs(minor) <= MAX_MINOR
    assert abs(Decimal(minor).scaleb(-digits) - major) <= Decimal("0.5").scaleb(-digits)
