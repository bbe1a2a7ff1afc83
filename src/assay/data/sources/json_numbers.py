"""Numbers out of JSON, which may hold anything in their place."""

import sys
from typing import Any


def numbers(found: Any) -> list[float] | None:
    """A list of finite numbers as it stands; None for all else."""
    if not isinstance(found, list) or not all(map(is_finite, found)):
        return None
    return [float(each) for each in found]


def is_finite(found: Any) -> bool:
    """Whether it is a number that a float can hold: not NaN, no infinity, no whole number of 400 digits."""
    return isinstance(found, int | float) and abs(found) <= sys.float_info.max
