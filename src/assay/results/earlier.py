"""What earlier looks at a study told, and whether the present one tells it too."""

from collections.abc import Callable

from assay.recipe.study import Study
from assay.results.compare import Values
from assay.results.comparison import Comparison, Comparisons
from assay.results.looks import Look
from assay.results.metrics import comparative
from assay.results.names import short_names
from assay.results.standing import Standing, at
from assay.results.verdict import listed, shortened, size

Decide = Callable[[Standing, Values], Comparisons | None]
"""(standing, values) → what a verdict on them speaks of; None where nothing can be compared."""


def earlier(study: Study, where: Standing, values: Values, decide: Decide, now: Callable[[str], Comparisons]) -> str:
    """In sentences; empty at the first look.

    What was decided then is found again from the runs of then, at the level of then; ``now`` has what is decided
    against a variant.
    """
    if where.is_interim or not where.before:
        return ""
    known = [look for look in where.before if {*look.seeds} <= {*where.planned} and {*look.variants} <= {*study.plan}]
    gone = [at(look, where) for look in where.before if look not in known]
    told = _told(where, known, values, decide)
    lost = [(look, c, other) for look, c in told if (other := _now(c, now)) != c.decided]
    found = list[str]()
    for look, c, other in lost[:2]:
        is_turned = {c.decided, other} == {"better", "worse"}
        but = "of which this look tells the opposite" if is_turned else "which this look does not tell"
        found.append(f"{at(look, where).capitalize()} it told that {_that(study, c)}, {but}.")
    if len(lost) > 2:
        found.append(f"Nor does it tell {len(lost) - 2} more of what was told then.")
    if len(told) > len(lost):
        found.append(f"{'All else that' if lost else 'What'} was told then still stands.")
    if known and not told:
        found.append("Nothing was decided then.")
    if gone:
        found.append(f"What was told {listed(shortened(gone))} rests on runs that the study no longer plans.")
    return " ".join(found)


def _that(study: Study, c: Comparison) -> str:
    """What a decision says."""
    name = short_names(study)
    first, second = (c.reference, c.variant) if c.decided == "worse" else (c.variant, c.reference)
    if c.decided == "equal":
        return f"{name[first]} and {name[second]} are equal for practical purposes ({size(c)})"
    return f"{name[first]} {comparative(c.metric)} {name[second]} by {size(c)}"


def _told(where: Standing, looks: list[Look], values: Values, decide: Decide) -> list[tuple[Look, Comparison]]:
    """Each decision with the look that first told it."""
    found: dict[tuple[str, str], tuple[Look, Comparison]] = {}
    for look in looks:
        left = {v: {seed: x for seed, x in values[v].items() if seed in look.seeds} for v in look.variants}
        for c in decide(where.then(look), left) or ():
            if c.decided in ("better", "worse", "equal"):
                found.setdefault((c.variant, c.reference), (look, c))
    return list(found.values())


def _now(c: Comparison, now: Callable[[str], Comparisons]) -> str:
    return next(other.decided for other in now(c.reference) if other.variant == c.variant)
