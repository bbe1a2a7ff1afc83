"""Numbers as people write them, kept exact as fractions; roots, exponentials and logarithms to a stated precision."""

import re
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction
from math import isqrt
from typing import Any

from assay.errors import AssayError

DIGITS = 40
"""Significant digits to which what has no fraction is kept."""
SHOWN = 6
"""Significant digits of what has no fraction, and of long fractions, on a page."""
_PLACES = 4
"""Decimals with so many places are shown as they are; what needs more is a fraction."""
_LARGEST = 10**9
_KEPT, _CONTEXT = Context(prec=DIGITS), Context(prec=DIGITS + 20)


def number(value: Any, where: str) -> Fraction:
    """An int, a decimal, or a text such as "1/4", exactly. AssayError, which names ``where``, for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise AssayError(f"{where}: expected a number such as 2, 0.5 or 1/4, found {_told(value)}")
    text = str(value).strip().replace("−", "-")
    if re.fullmatch(r"[-+]?\.?(nan|inf)", text, re.IGNORECASE):
        raise AssayError(f"{where}: {text} is no number that sums could be worked with; expected a finite one")
    if re.search(r"\d\s*[ij]\b", text):
        raise AssayError(f"{where}: {text} is a complex number; expected a real one, such as 2, 0.5 or 1/4")
    if re.fullmatch(r"[-+]?\d+\s*/\s*0+", text):
        raise AssayError(f"{where}: {text} divides by 0")
    if not re.fullmatch(r"[-+]?(\d+\s*/\s*\d+|(\d+\.?\d*|\.\d+)(e[-+]?\d{1,3})?)", text, re.IGNORECASE):
        raise AssayError(f"{where}: expected a number such as 2, 0.5 or 1/4, found {text!r}")
    found = Fraction(text.replace(" ", ""))
    if abs(found) > _LARGEST or found.denominator > _LARGEST**2:
        raise AssayError(f"{where}: {text} is too long to be worked by hand; expected numbers up to {_LARGEST:,}")
    return found


def _told(value: Any) -> str:
    kinds = {bool: "true or false", list: "a list", dict: "keys and values", type(None): "nothing"}
    return kinds.get(type(value), repr(value))


def rounded(value: Fraction) -> Fraction:
    """To ``DIGITS`` significant digits."""
    return Fraction(_KEPT.divide(Decimal(value.numerator), Decimal(value.denominator)))


def root(value: Fraction) -> tuple[Fraction, bool]:
    """The square root, and whether it is exact, as that of 9/4 is."""
    above, below = isqrt(value.numerator), isqrt(value.denominator)
    if above**2 == value.numerator and below**2 == value.denominator:
        return Fraction(above, below), True
    return _decimal(value, Decimal.sqrt), False


def exponential(value: Fraction) -> Fraction:
    """e to this power."""
    return _decimal(value, Decimal.exp)


def logarithm(value: Fraction) -> Fraction:
    """The natural logarithm."""
    return _decimal(value, Decimal.ln)


def _decimal(value: Fraction, function: Callable[..., Decimal]) -> Fraction:
    quotient = _CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))
    return rounded(Fraction(function(quotient, context=_CONTEXT)))


def shown(value: Fraction) -> str:
    """``−0.25``, ``1/3``; what is too long for either with ``SHOWN`` significant digits."""
    if 10**_PLACES % value.denominator == 0:
        text = f"{float(value):.{_PLACES}f}".rstrip("0").rstrip(".") if value.denominator > 1 else str(value.numerator)
    elif value.denominator < 1000 and abs(value.numerator) < 10**6:
        text = f"{value.numerator}/{value.denominator}"
    else:
        text = f"{float(value):.{SHOWN}g}"
    return text.replace("-", "−")
