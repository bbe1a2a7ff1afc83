"""The difference that a reader would not care about, as a study file states it: ``0.5``, ``0.5 points``, ``2 s``."""

import math
import re
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator

UNITS = ("points", "s", "MB")
"""In which a difference may be stated: percentage points, seconds, megabytes; without one it is in that in which the
metric's differences are shown."""
_EXPECTED = f"expected a difference above 0, a number alone or with its unit ({', '.join(UNITS)}): 0.5 points"


class Amount(NamedTuple):
    """A stated difference."""

    size: float
    unit: str
    """Empty where none was stated."""


def parse(stated: int | float | str) -> Amount:
    """What a study file states. ValueError where it is no difference above 0 with one of the ``UNITS`` or none."""
    found = re.fullmatch(r"([-+.\de]+) ?([A-Za-z]*)", str(stated).strip())
    try:
        size, unit = (float(found[1]), found[2]) if found else (math.nan, "")
    except ValueError:
        raise ValueError(_EXPECTED) from None
    if not 0 < size < math.inf or unit not in ("", *UNITS):
        raise ValueError(_EXPECTED)
    return Amount(size, unit)


def _difference(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(_EXPECTED)
    parse(value)
    return value


Indifferent = Annotated[float | str, BeforeValidator(_difference)]
"""A difference, kept as it was written."""
