"""How programs write doubles, in exact fractions: what the reading of numbers is compared with."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction


def is_written_for(double: float, number: Decimal) -> bool:
    """Whether programs write a finite double so: shortest, or rounded to the last digit."""
    digits, exponent = "".join(map(str, number.as_tuple().digits)), number.as_tuple().exponent
    last = int(exponent) + len(digits) - len(digits.rstrip("0"))
    off = abs(Fraction(double) - Fraction(number))
    return Decimal(repr(double)) == number or not number or off * 2 <= Fraction(10) ** last
