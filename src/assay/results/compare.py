"""Variants against a reference, in pairs of runs that share a seed (the same split and the same order of images).

Works on plain values, without a study: ``compare({"relu": {0: 0.91, 1: 0.92}, "tanh": {0: 0.88, 1: 0.90}}, "accuracy",
"relu")``.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import Any, Literal, overload

import polars as pl

from assay.results import statistics
from assay.results.answers import Answers, tested
from assay.results.metrics import difference_text, is_exact, label, lower_is_better
from assay.results.notebook import html_table

ALPHA = 0.05

Method = Literal[
    "paired t over seeds",
    "sign flip over seeds",
    "bootstrap over test images, McNemar",
    "bootstrap over test images, swaps",
    "bootstrap over originals, swaps",
    "exact",
    "single runs",
    "no pairs",
]
Decision = Literal["better", "worse", "equal", "cannot tell"]


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
    """End of the 95 % interval of the difference."""
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    sign_flip: float | None = None
    """p of the sign-flip test, which assumes less than the t test …"""
    sign_flip_floor: float | None = None
    """… and cannot go below this with so many pairs."""
    method: Method = "no pairs"
    deviation: float | None = None
    """Standard deviation of the differences over seeds."""
    more_seeds: int | None = None
    """Seeds to add for 80 % power; None where that cannot be said or is more than 1000."""
    decided: Decision = "cannot tell"
    """Better or worse where the corrected p is below 0.05, or where the metric does not depend on the seed."""


@dataclass(frozen=True)
class Comparisons(Sequence[Comparison]):
    """Comparisons with one reference, their p-values corrected together."""

    metric: str
    reference: str
    items: tuple[Comparison, ...]
    family: int
    """For how many comparisons the p-values are corrected: against the best variant, all pairs of variants."""

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
        types |= dict.fromkeys(("pairs", "more_seeds"), pl.Int64)
        return pl.DataFrame([asdict(item) for item in self.items], schema=types)

    def _repr_html_(self) -> str:
        """A row per comparison: difference with interval, corrected p, method, decision."""
        head = [f"against {self.reference}", label(self.metric), "p (Holm)", "pairs", "method", "decided"]
        rows = []
        for c in self.items:
            sign = "" if not c.difference else "−" if c.difference < 0 else "+"
            size = "" if c.difference is None else sign + difference_text(c.metric, c.difference, c.low, c.high)
            p = "" if c.p_holm is None else "< 0.001" if c.p_holm < 0.001 else f"{c.p_holm:.3f}"
            rows.append([c.variant, size, p, str(c.pairs), c.method, c.decided])
        return html_table(head, rows)


AnswersOf = Callable[[str, int], Answers]
"""(variant, seed) → what that run says of its test images."""


def compare(
    values: Mapping[str, Mapping[int, float]],
    metric: str,
    reference: str,
    answers: AnswersOf | None = None,
    chosen_by_value: bool = False,
) -> Comparisons:
    """Every other variant of ``values`` (variant → seed → value) against ``reference``.

    Two pairs or more: the paired t test over seeds. One pair, and the metric is a property of ``answers``: the
    bootstrap over test images, and McNemar's or the swap test (``assay.results.answers``). A metric that follows from
    the recipe alone (parameters) is compared exactly. p-values are corrected by Holm's method for the comparisons
    made; when the reference was ``chosen_by_value`` (the best of them), for all pairs of variants, because every pair
    could have become this one.
    """
    known = cache(answers) if answers else None

    def evidence(variant: str, other: str) -> Comparison:
        return _evidence(metric, variant, other, values[variant], values[other], known)

    shown = [evidence(variant, reference) for variant in values if variant != reference]
    pairs = itertools.combinations([v for v in values if v != reference], 2) if chosen_by_value else ()
    tests = [item for item in [*shown, *(evidence(a, b) for a, b in pairs)] if item.p is not None]
    corrected = statistics.holm([item.p for item in tests if item.p is not None])
    p_holm = {(item.variant, item.reference): float(p) for item, p in zip(tests, corrected, strict=True)}
    items = (_decide(replace(c, p_holm=p_holm.get((c.variant, c.reference))), max(len(tests), 1)) for c in shown)
    return Comparisons(metric, reference, tuple(items), len(tests))


def _evidence(
    metric: str,
    variant: str,
    reference: str,
    first: Mapping[int, float],
    second: Mapping[int, float],
    answers: AnswersOf | None,
) -> Comparison:
    """The comparison before its p-value is corrected and the decision taken."""
    seeds = sorted(first.keys() & second.keys())
    empty = Comparison(metric, variant, reference, len(seeds))
    if not seeds:
        return empty
    a, b = [first[seed] for seed in seeds], [second[seed] for seed in seeds]
    if is_exact(metric) and len(set(a)) == len(set(b)) == 1:
        d = a[0] - b[0]
        return replace(empty, difference=d, low=d, high=d, method="exact")
    if len(seeds) == 1:
        return _one_pair(replace(empty, difference=a[0] - b[0], method="single runs"), seeds[0], answers)
    t = statistics.paired_t(a, b)
    flip = statistics.sign_flip([x - y for x, y in zip(a, b, strict=True)])
    floor = statistics.sign_flip_floor(len(seeds))
    tested = replace(empty, difference=t.difference, low=t.low, high=t.high, deviation=t.deviation)
    tested = replace(tested, sign_flip=flip, sign_flip_floor=floor)
    if t.p is None:
        return replace(tested, p=flip, method="sign flip over seeds")
    return replace(tested, p=t.p, method="paired t over seeds")


def _one_pair(runs: Comparison, seed: int, answers: AnswersOf | None) -> Comparison:
    found = tested(answers(runs.variant, seed), answers(runs.reference, seed)) if answers else None
    if found is None:
        return runs
    return replace(runs, **found._asdict())


def _decide(c: Comparison, family: int) -> Comparison:
    if c.method == "exact" and c.difference == 0:
        return replace(c, decided="equal")
    if c.difference and (c.method == "exact" or (c.p_holm is not None and c.p_holm < ALPHA)):
        return replace(c, decided="better" if (c.difference < 0) == lower_is_better(c.metric) else "worse")
    if c.method == "sign flip over seeds":
        return replace(c, more_seeds=statistics.pairs_for(ALPHA / family) - c.pairs)
    if c.method == "paired t over seeds" and c.difference is not None:
        more = statistics.more_seeds(c.difference, c.deviation, c.pairs, ALPHA / family)
        return replace(c, more_seeds=more)
    return c
