"""Money: integers of minor units inside, decimal numbers of the major unit on the wire."""

from decimal import ROUND_HALF_UP, Decimal

MAX_MINOR = 10**13
"""Amounts stay under this: 100 lines of 99 pieces each still fit a signed 64-bit column."""


class MoneyOutOfRange(ValueError):
    """The amount is not a finite number or is larger than `MAX_MINOR` minor units."""


def to_major(minor: int, minor_digits: int) -> Decimal:
    """The wire's number for `minor` units of a currency with `minor_digits` decimals.

    125000 paise with two digits are ``Decimal("1250.00")``, 1250 yen with none ``Decimal("1250")``.
    """
    return Decimal(minor).scaleb(-minor_digits)


def to_minor(major: Decimal, minor_digits: int) -> int:
    """Round a wire amount to minor units, halves away from zero.

    Raises:
        MoneyOutOfRange: not finite, or beyond `MAX_MINOR`.
    """
    if not major.is_finite() or major.adjusted() > 15:
        raise MoneyOutOfRange("the amount is not a number of money")
    minor = int(major.scaleb(minor_digits).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    if abs(minor) > MAX_MINOR:
        raise MoneyOutOfRange("the amount is too large")
    return minor
