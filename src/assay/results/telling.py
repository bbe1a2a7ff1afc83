"""All that is told of a study's answer in one metric, sentence after sentence."""

from assay.recipe.study import Study
from assay.results.compare import Values
from assay.results.comparison import Comparisons
from assay.results.more_seeds import more_seeds
from assay.results.standing import Standing, again, interim
from assay.results.verdict import verdict


def told(study: Study, where: Standing, metric: str, values: Values, found: Comparisons) -> str:
    """The verdict, what looking again costs, and what more seeds would tell; or what there is so far."""
    if where.is_interim:
        return interim(study, where, metric, values)
    more = more_seeds(study, values, found, where.looks.next_level)
    return " ".join(filter(None, [verdict(study, metric, values, found), again(where), more]))
