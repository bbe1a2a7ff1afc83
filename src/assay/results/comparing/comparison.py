"""Variants against a reference: each difference with its interval and the decision that is the interval's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, overload

import polars as pl

from assay.results.formats import p_value
from assay.results.metrics import bounds, difference_text, label
from assay.results.notebook import html_table

Method = Literal[
    "pooled t over seeds",
    "paired t over seeds",
    "sign flip over seeds",
    "bootstrap over test images, McNemar",
    "bootstrap over test images, swaps",
    "bootstrap over originals, swaps",
    "exact",
    "single runs",
    "no pairs",
]
Decision = Literal["better", "worse", "equal", "cannot tell", "same network", "interim"]
FAR = 30.0
"""Standard errors: an interval that reaches further says that there are too few seeds, and no more."""


@dataclass(frozen=True)
class Comparison:
    """``variant`` against ``reference``: the difference is variant minus reference, in the metric's own unit.

    None stands for what the data do not give: an interval from a single pair of runs, a p-value of no pairs.
    """

    metric: str
    variant: str
    reference: str
    pairs: int
    difference: float | None = None
    low: float | None = None
    """End of the interval of the difference, which holds together with all others of the study in 1 − alpha."""
    high: float | None = None
    p: float | None = None
    """Of the same procedure: below alpha exactly where the interval excludes 0; None in an interim comparison, and of a
    network with itself."""
    method: Method = "no pairs"
    deviation: float | None = None
    """Standard deviation of the difference from seed to seed: √2 times that of a run where it is pooled."""
    seeds_error: float | None = None
    """Standard error of the difference for the seeds …"""
    images_error: float | None = None
    """… and what no number of seeds takes away, for the test images where the metric is a property of their answers."""
    error: float | None = None
    """Of the two together …"""
    freedom: int | float | None = None
    """… with so many degrees of freedom."""
    decided: Decision = "cannot tell"
    """Better or worse where the interval excludes 0; equal where it lies inside what is indifferent; the same network
    where all numbers of two agree in every seed."""

    @property
    def is_too_wide(self) -> bool:
        """Whether the interval tells nothing but that there are too few seeds: it has 0 and is wider than what the
        metric can be at all, or than ``FAR`` standard errors to either side."""
        if self.low is None or self.high is None or not self.low <= 0 <= self.high:
            return False
        half, (least, most) = (self.high - self.low) / 2, bounds(self.metric)
        return half >= most - least or bool(self.error and half > FAR * self.error)


@dataclass(frozen=True)
class Comparisons(Sequence[Comparison]):
    """Comparisons with one reference, whose intervals hold together."""

    metric: str
    reference: str
    items: tuple[Comparison, ...]
    family: int = 1
    """For how many comparisons the intervals hold together: all pairs of variants, or all with a named reference."""
    alpha: float = 0.05
    is_named: bool = False
    """Whether the study named the reference; else any variant may be it."""
    apart: Mapping[str, float] = field(default_factory=dict)
    """The variants whose runs vary more than the others', and how many times as much: differences to them have errors
    of their own, the others share one."""
    indifferent: float | None = None
    """Differences up to this, in the metric's own unit, are of no account."""

    images: int | None = None
    """How many test images there are, where the intervals cover others like them."""

    @property
    def is_interim(self) -> bool:
        """Whether planned runs are still to come, so that no interval decides."""
        return any(c.decided == "interim" for c in self.items)

    @property
    def images_lead(self) -> bool:
        """Whether the choice of test images adds more to most of the differences' errors than the seeds do."""
        both = [(c.images_error, c.seeds_error) for c in self.items if c.images_error is not None]
        return 2 * sum(of_images > (of_seeds or 0.0) for of_images, of_seeds in both) > len(both)

    @overload
    def __getitem__(self, index: int) -> Comparison: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Comparison]: ...
    def __getitem__(self, index: int | slice) -> Comparison | Sequence[Comparison]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Comparison]:
        return iter(self.items)

    @property
    def frame(self) -> pl.DataFrame:
        """A row per comparison, a column per field of Comparison."""
        types: dict[str, Any] = {field.name: pl.Float64 for field in fields(Comparison)}
        types |= dict.fromkeys(("metric", "variant", "reference", "method", "decided"), pl.String)
        return pl.DataFrame([asdict(item) for item in self.items], schema=types | {"pairs": pl.Int64})

    def _repr_html_(self) -> str:
        """A row per comparison: difference with interval, p, method, decision."""
        head = [f"against {self.reference}", label(self.metric), "p", "pairs", "method", "decided"]
        rows = []
        for c in self.items:
            sign = "" if not c.difference else "−" if c.difference < 0 else "+"
            ends = (None, None) if c.is_too_wide else (c.low, c.high)
            size = "" if c.difference is None else sign + difference_text(c.metric, c.difference, *ends)
            p = "" if c.p is None else p_value(c.p)
            rows.append([c.variant, size, p, str(c.pairs), c.method, c.decided])
        return html_table(head, rows)
