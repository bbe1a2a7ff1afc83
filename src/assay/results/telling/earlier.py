"""What earlier looks at a study told, and whether the present one tells it too."""

from collections.abc import Callable

from assay.language.speech import later, say
from assay.recipe.study import Study
from assay.results.comparing.compare import Values
from assay.results.comparing.comparison import Comparison, Comparisons
from assay.results.comparing.looks import Look
from assay.results.comparing.standing import Standing, at
from assay.results.metrics import comparative
from assay.results.names import listed, short_names, shortened
from assay.results.telling.verdict import size

LOST = later("{at} it told that {that}, which this look does not tell.")
TURNED = later("{at} it told that {that}, of which this look tells the opposite.")

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
        then = at(look, where)
        found.append(say(TURNED if is_turned else LOST, at=f"{then[0].upper()}{then[1:]}", that=_that(study, c)))
    if len(lost) > 2:
        found.append(say("Nor does it tell {n} more of what was told then.", n=len(lost) - 2))
    if len(told) > len(lost):
        all_else = say("All else that was told then still stands.")
        found.append(all_else if lost else say("What was told then still stands."))
    if known and not told:
        found.append(say("Nothing was decided then."))
    if gone:
        looks = listed(shortened(gone))
        found.append(say("What was told {looks} rests on runs that the study no longer plans.", looks=looks))
    return " ".join(found)


def _that(study: Study, c: Comparison) -> str:
    """What a decision says."""
    name = short_names(study)
    first, second = (c.reference, c.variant) if c.decided == "worse" else (c.variant, c.reference)
    if c.decided == "equal":
        pair = {"one": name[first], "other": name[second], "size": size(c)}
        return say("{one} and {other} are equal for practical purposes ({size})", **pair)
    return say("{that} by {size}", that=comparative(c.metric, name[first], name[second]), size=size(c))


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
