"""Numbers as people read them: in the metric's unit, with as many digits as the interval allows."""

import math

from assay.language.speech import later, say
from assay.results.metrics import decimals, factor, known

Number = int | float

NARROW_SPACE = "\u202f"


def heading(metric: str) -> str:
    """``accuracy (%)``, ``training time (s)``: the metric with its unit, for a column or an axis."""
    said, unit = known(metric).said, _sign(metric)
    return f"{said} ({unit})" if unit else said


def in_title(words: str) -> str:
    """The words at the beginning of a title: ``Test loss``; what has capitals of its own keeps them: ``mIoU``."""
    first = words.split()[0]
    return words if first != first.lower() else f"{words[0].upper()}{words[1:]}"


def value(number: Number | None, metric: str, half_width: Number = math.nan) -> str:
    """``89.31`` for an accuracy of 0.8931 with a half width of 0.0022; ``–`` for a value that is not there."""
    return _shown(number, metric, number or 0.0, half_width)


def with_unit(number: Number, metric: str) -> str:
    """``89.31 %``, ``0.685 MB``, ``12.3 s``, ``101 770``."""
    return f"{value(number, metric)} {_sign(metric)}".rstrip()


def _sign(metric: str) -> str:
    """Of its unit."""
    return {"share": "%", "s": say("s"), "bytes": say("MB")}.get(known(metric).unit, "")


def time_unit(longest: Number) -> tuple[str, float]:
    """The unit in which times up to ``longest`` seconds are read, and what seconds are multiplied by."""
    if longest < 1:
        return later("ms"), 1000.0
    if longest < 600:
        return later("s"), 1.0
    return (later("min"), 1 / 60) if longest < 36_000 else (later("h"), 1 / 3600)


def plus_minus(mean: Number | None, low: Number | None, high: Number | None, metric: str) -> str:
    """``89.31 ± 0.22``; the bare mean without an interval; ``89.3 (88.1 to 89.5)`` where it is lopsided."""
    if mean is None or low is None or high is None or not all(map(math.isfinite, (mean, low, high))):
        return value(mean, metric)
    half = (high - low) / 2
    if half <= abs(mean) * 1e-9:
        return value(mean, metric)
    first, *ends = (_shown(number, metric, mean, half) for number in (mean, half, low, high))
    if abs((high + low) / 2 - mean) <= 0.1 * half:
        return f"{first} ± {ends[0]}"
    return say("{value} ({low} to {high})", value=first, low=ends[1], high=ends[2])


def _shown(number: Number | None, metric: str, mean: Number, half_width: Number) -> str:
    """``number`` with the digits that suit ``mean`` and its half width, of which at least one is seen."""
    if number is None or not math.isfinite(number):
        return "–"
    unit, scale = known(metric).unit, factor(metric)
    shown, size, half = number * scale, abs(mean * scale), abs(half_width * scale)
    if not 0 < half < 0.5 and (unit == "count" or (unit == "s" and size >= 1000)):
        return grouped(shown)
    if unit == "bytes":
        return f"{shown:.3g}" if size < 999.5 else grouped(shown)
    if unit == "" and size and not 1e-3 <= (size if math.isnan(half) else max(size, half)) < 1e5:
        return f"{shown:.3g}"
    most = {"share": 2, "s": 2 if size < 10 else 1}.get(unit, 4)
    if not math.isfinite(half) or half == 0:
        return fixed(shown, most)
    return fixed(shown, max(decimals(half, 2, 1, most), decimals(half, 1, 1, 6)))


def signed(difference: Number | None, low: Number | None, high: Number | None, metric: str) -> str:
    """A difference with its sign and interval: ``+3.10 ± 0.42`` or ``+3.1 (1.2 to 4.4)``."""
    text = plus_minus(difference, low, high, metric)
    return f"+{text}" if difference is not None and math.isfinite(difference) and difference > 0 else text


def p_value(p: Number | None) -> str:
    """``0.034``, ``< 0.001``, or ``–``."""
    if p is None or not math.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else fixed(p, 3 if p < 0.0995 else 2)


def fixed(number: Number, digits: int) -> str:
    """A fixed number of decimals, with a true minus sign and no minus zero."""
    text = f"{number:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def grouped(number: Number) -> str:
    """A whole number in groups of three, set apart by narrow spaces."""
    return f"{round(number):,}".replace(",", NARROW_SPACE).replace("-", "−")
