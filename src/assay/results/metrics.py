"""What is known of a metric by its name, as lookups in the tables beside the measures, and in words and numbers."""

import math
from collections.abc import Iterable, Sequence
from functools import cache

from assay.evaluate.metrics import ALONE, COST, SEPARATION, UNCERTAINTY
from assay.language.speech import later, say
from assay.tasks.classification.metrics import CLASSIFICATION
from assay.tasks.detection.metrics import DETECTION
from assay.tasks.metric import Metric
from assay.tasks.multilabel.metrics import MULTILABEL
from assay.tasks.regression.metrics import INTERVALS, REGRESSION
from assay.tasks.segmentation.metrics import SEGMENTATION

Number = int | float

DEGREES = {
    "count": (
        (later("{better} has fewer {metric} than {worse}"), later("{best} has the fewest {metric}")),
        (later("{better} has more {metric} than {worse}"), later("{best} has the most {metric}")),
    ),
    "s": (
        (later("{better} has a shorter {metric} than {worse}"), later("{best} has the shortest {metric}")),
        (later("{better} has a longer {metric} than {worse}"), later("{best} has the longest {metric}")),
    ),
    "bytes": (
        (later("{better} has a smaller {metric} than {worse}"), later("{best} has the smallest {metric}")),
        (later("{better} has a larger {metric} than {worse}"), later("{best} has the largest {metric}")),
    ),
    "": (
        (later("{better} has a lower {metric} than {worse}"), later("{best} has the lowest {metric}")),
        (later("{better} has a higher {metric} than {worse}"), later("{best} has the highest {metric}")),
    ),
}
"""Unit → of the better of two and of the best, where the lower value is better and where the higher one is."""

ROUNDING = 1e-9
"""Points or units below which a difference is that of the floats alone."""
TABLES = (
    *REGRESSION,
    *MULTILABEL,
    *SEGMENTATION,
    *DETECTION,
    *CLASSIFICATION,
    *COST,
    ALONE,
    *SEPARATION,
    *UNCERTAINTY,
    *INTERVALS,
)
METRICS: tuple[Metric, ...] = tuple(reversed(dict.fromkeys(reversed(TABLES))))
"""In the order in which a table shows them: quality first, then cost and time. What tasks share stands once, after what
is their own."""


@cache
def known(name: str) -> Metric:
    """The row of the metric ``name``.

    A metric that no table knows, of another version's run or a measure of one's own, is a bare number under its name:
    nothing is guessed. Where a choice must be made, the higher value is taken for the better, as of any metric whose
    row has neither.
    """
    found = (metric.called(name) for metric in METRICS)
    return next(filter(None, found), Metric(name, name.replace("_", " ")))


def is_of_one(metric: str) -> bool:
    """Whether it is a metric of one label, class or target among several."""
    place = _place(metric)
    return place < len(METRICS) and not METRICS[place].where.keys().isdisjoint(("label", "class", "target"))


def in_order(metrics: Iterable[str]) -> list[str]:
    """The names in the order in which a table shows them; those that no table knows at the end."""
    return sorted(metrics, key=lambda name: (_place(name), name))


@cache
def _place(name: str) -> int:
    return next((i for i, metric in enumerate(METRICS) if metric.called(name)), len(METRICS))


def is_share(metric: str) -> bool:
    """Whether the metric is a share from 0 to 1, shown in percent, its differences in percentage points."""
    return known(metric).unit == "share"


def bounds(metric: str) -> tuple[float, float]:
    """The least and the largest value it can have."""
    return known(metric).within


def is_exact(metric: str) -> bool:
    """Whether the metric follows from the recipe and does not depend on the seed: counts and sizes."""
    return known(metric).of == "recipe"


def lower_is_better(metric: str) -> bool:
    """Whether the smaller of two values is the better: losses, times, counts, sizes."""
    return known(metric).better == "lower"


def unit(metric: str) -> str:
    """The unit of a difference: points, s, MB, or none for a loss or a count (whose label says what is counted)."""
    return {"share": later("points"), "s": later("s"), "bytes": later("MB")}.get(known(metric).unit, "")


def label(metric: str) -> str:
    """The name as a person says it: ``train loss``, ``F1 (macro)``, ``top-5 accuracy``."""
    return known(metric).said


def comparative(metric: str, better: str, worse: str) -> str:
    """``a is better than b``, ``a has a lower test loss than b``, ``a has more parameters than b``."""
    than = known(metric).than or _degrees(metric)[0]
    return say(than, better=better, worse=worse, metric=label(metric))


def superlative(metric: str, best: str) -> str:
    """``a has the highest accuracy``, ``a has the fewest parameters``."""
    return say(_degrees(metric)[1], best=best, metric=label(metric))


def _degrees(metric: str) -> tuple[str, str]:
    """Of the better of two, and of the best."""
    return DEGREES.get(known(metric).unit, DEGREES[""])[not lower_is_better(metric)]


def value_text(metric: str, value: Number, low: Number | None = None, high: Number | None = None) -> str:
    """A value with its unit and half the width of its interval: ``91.2 ± 0.3 %``, ``0.312``, ``12.3 s``, ``1,500``.

    The ends, ``95.0 (72.1 to 100.0) %``, where the interval is cut at the least or largest value there can be.
    """
    shown, (least, most) = "%" if is_share(metric) else say(unit(metric)), bounds(metric)
    if low is not None and high is not None and low < high and (low <= least or high >= most):
        scale, places = factor(metric), _places(metric, value, (high - low) / 2)
        return _with_ends([f"{scale * end:,.{places}f}" for end in (value, low, high)], shown)
    return f"{_plus_minus(metric, value, low, high)} {shown}".rstrip()


def difference_text(metric: str, difference: Number, low: Number | None = None, high: Number | None = None) -> str:
    """The size of a difference, without its sign, and half the width of its interval: ``3.1 ± 0.4 points``.

    The ends, ``3.1 (0.0 to 5.4) points``, where the difference does not lie in the middle.
    """
    if low is None or high is None or _is_even(difference, low, high):
        return f"{_plus_minus(metric, abs(difference), low, high)} {say(unit(metric))}".rstrip()
    ends = (low, high) if difference >= 0 else (-high, -low)
    places = _places(metric, abs(difference), (high - low) / 2)
    while any(end and not float(f"{factor(metric) * end:.{places}f}") for end in ends):
        places += 1
    shown = [f"{factor(metric) * end:,.{places}f}".replace("-", "−") for end in (abs(difference), *ends)]
    return _with_ends(shown, say(unit(metric)))


def _with_ends(numbers: Sequence[str], unit: str) -> str:
    """A number, and the ends between which it lies."""
    value, low, high = numbers
    return say("{value} ({low} to {high}) {unit}", value=value, low=low, high=high, unit=unit).rstrip()


def _is_even(difference: Number, low: Number, high: Number) -> bool:
    """Whether ± says what the ends say: where the difference lies, and whether 0 lies between them."""
    is_middle = abs(low + high - 2 * difference) <= 0.1 * (high - low)
    return is_middle and (abs(difference) > (high - low) / 2) == (not low <= 0 <= high)


def number(value: Number) -> str:
    """Three significant digits, or all digits before the point: ``0.312``, ``12.3``, ``3,709,825``."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"


def factor(metric: str) -> float:
    """What a value is multiplied by to be shown: shares are shown in percent, bytes in megabytes."""
    return {"share": 100.0, "bytes": 1e-6}.get(known(metric).unit, 1.0)


def decimals(half_width: Number, digits: int, least: int, most: int) -> int:
    """Places after the point that show so many digits of an interval's half width, from ``least`` to ``most``."""
    return min(max(digits - 1 - math.floor(math.log10(half_width)), least), most)


def _plus_minus(metric: str, value: Number, low: Number | None, high: Number | None) -> str:
    """Both with the places that suit the half width."""
    scale, half = factor(metric), 0.0 if low is None or high is None else (high - low) / 2
    if half == 0:
        is_plain = is_share(metric) and not ROUNDING < abs(scale * value) < 0.05
        return f"{scale * value:.1f}" if is_plain else number(scale * value)
    places = _places(metric, value, half)
    return f"{scale * value:,.{places}f} ± {scale * half:,.{places}f}"


def _places(metric: str, value: Number, half: Number) -> int:
    """After the point: as many as give the half width one digit, and more while the two look alike but are not."""
    scale = factor(metric)
    places = decimals(scale * half, 1, 1 if is_share(metric) else 0, 6)
    while places < 12 and value != half and f"{scale * value:.{places}f}" == f"{scale * half:.{places}f}":
        places += 1
    return places


def duration(seconds: int | float) -> str:
    """``4.8 s``, ``48 s``, ``12 min 5 s``, ``3 h 20 min``."""
    whole = round(seconds)
    if seconds < 10:
        return say("{seconds} s", seconds=f"{seconds:.1f}")
    if whole < 60:
        return say("{seconds} s", seconds=whole)
    if whole >= 3600:
        return say("{hours} h {minutes} min", hours=whole // 3600, minutes=whole % 3600 // 60)
    if not whole % 60:
        return say("{minutes} min", minutes=whole // 60)
    return say("{minutes} min {seconds} s", minutes=whole // 60, seconds=whole % 60)
