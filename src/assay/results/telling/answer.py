"""All that is told of a study's answer in one metric, sentence after sentence."""

from collections.abc import Sequence

from assay.language.speech import say
from assay.recipe.study import Study
from assay.results.comparing.compare import Values
from assay.results.comparing.comparison import Comparisons
from assay.results.comparing.factors import FactorEffect, in_words
from assay.results.comparing.means import best
from assay.results.comparing.standing import Standing, again, interim
from assay.results.metrics import value_text
from assay.results.names import short_names
from assay.results.statistics.intervals import mean_interval
from assay.results.telling.more_seeds import more_seeds
from assay.results.telling.verdict import verdict


def told(
    study: Study,
    where: Standing,
    metric: str,
    values: Values,
    found: Comparisons,
    chosen_by: Values | None,
    same: Sequence[Sequence[str]],
    effects: Sequence[FactorEffect],
    before: str,
) -> str:
    """The verdict, which factor of a grid matters most, how the best was chosen, what looking again costs, what more
    seeds tell; or what there is so far.

    ``chosen_by``: the values by which the best was chosen, where they are not those told; ``same``: groups of variants
    that are one network; ``effects``: those of the factors; ``before``: what earlier looks told.
    """
    if where.is_interim:
        return interim(study, where, metric, values)
    matters = in_words(study, metric, effects)
    chosen = "" if chosen_by is None else choice(study, metric, chosen_by)
    more = more_seeds(study, values, found, where.looks.next_level)
    said = [verdict(study, metric, values, found, same), matters, chosen, again(where), before, more]
    return " ".join(filter(None, said))


def choice(study: Study, metric: str, by_validation: Values) -> str:
    """Which variant the validation images choose, so that its value on the test images is no maximum."""
    chosen = best(by_validation, metric)
    if chosen is None or sum(map(bool, by_validation.values())) < 2:
        return ""
    mean = mean_interval(list(by_validation[chosen].values())).mean
    standing = "" if mean is None else say(" ({value} on them)", value=value_text(metric, mean))
    return say(
        "{name} was chosen by the validation images{standing}; the test images chose nothing.",
        name=short_names(study)[chosen],
        standing=standing,
    )
