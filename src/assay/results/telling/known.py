"""What a reader must know beside the verdict: which runs collapsed and whether it hangs on them, what is at chance."""

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from assay.language.speech import plural, say
from assay.recipe.study import Study
from assay.results.comparing import chance, collapse
from assay.results.comparing.chance import Truth
from assay.results.comparing.collapse import Collapse
from assay.results.comparing.compare import Values
from assay.results.comparing.comparison import Comparisons
from assay.results.folders import Run
from assay.results.metrics import known
from assay.results.metrics import label as metric_label
from assay.results.names import listed, short_names, shortened
from assay.results.telling.verdict import verdict
from assay.tasks.chance import Chance

Again = Callable[[Values], Comparisons | None]
"""What a verdict on other values would speak of; None where nothing is left to compare."""


def none_finished(runs: Sequence[Run]) -> str:
    """Of runs of which none has finished: whether all ended in what is not finite."""
    gone = collapse.broken(runs)
    if gone and len(gone) == len(runs):
        runs_ = collapse.every(len(gone))
        return say("{runs} collapsed: training ended in numbers that are not finite.", runs=runs_)
    is_over = all(run.state in ("failed", "damaged") for run in runs)
    return say("No run has finished.") if is_over else say("No run has finished yet.")


def knowing(
    text: str,
    study: Study,
    runs: Sequence[Run],
    values: Values,
    found: Comparisons,
    frame: pl.DataFrame,
    truth: Truth,
    again: Again,
) -> str:
    """The verdict with a sentence for each thing that it hangs on, or what takes its place.

    ``found`` are the comparisons that it speaks of, ``frame`` has a row a finished run, ``truth`` what is true of the
    test images.
    """
    metric = found.metric
    if known(metric).of != "answers":
        return text
    gone = collapse.collapsed(runs, metric, frame, truth)
    fallen = sum(one.value is not None for one in gone)
    if gone and fallen == frame.height:
        return all_collapsed(metric, gone, len(runs), truth)
    name, left = short_names(study), collapse.without(values, gone)
    said = [text, *collapse.told(metric, gone, len(study.seed_list), name.__getitem__)]
    if fallen:
        said += _without(study, left, len(gone), found, again)
    upright = {variant: level for variant, level in truth.chance(metric).items() if left[variant]}
    return " ".join([*said, *at_chance(metric, values, upright, name)])


def all_collapsed(metric: str, gone: Sequence[Collapse], planned: int, truth: Truth) -> str:
    """In place of a verdict, where no run that has ended learned something."""
    ended = say("All runs that ended, {ended} of {planned},", ended=len(gone), planned=planned)
    values, level = [one.value for one in gone if one.value is not None], chance.shared(truth.chance(metric))
    told = f"{metric_label(metric)} {collapse.ends(metric, values)}"
    told += say("; chance is {level}", level=chance.text(metric, level)) if level else ""
    return say(
        "{runs} collapsed ({told}): nothing can be said of the variants.",
        runs=collapse.every(len(gone)) if len(gone) == planned else ended,
        told=told,
    )


def at_chance(metric: str, values: Values, levels: Mapping[str, Chance], name: Mapping[str, str]) -> list[str]:
    """Which variants are no better than chance, and which cannot be told from it."""
    level = chance.shared(levels)
    if level is None:
        return []
    as_good, unsure = ([name[v] for v in those] for those in chance.not_above(metric, values, levels))
    text, found = chance.text(metric, level), []
    if as_good:
        found.append(
            plural(
                "{names} is no better than chance ({level}).",
                "{names} are no better than chance ({level}).",
                len(as_good),
                names=listed(shortened(as_good)),
                level=text,
            )
        )
    if unsure:
        names = listed(shortened(unsure))
        found.append(say("{names} cannot be told from chance ({level}).", names=names, level=text))
    return found


def _without(study: Study, left: Values, count: int, before: Comparisons, again: Again) -> list[str]:
    """The verdict without the collapsed runs, where it is another."""
    after = again(left)
    if after is None or before.is_interim:
        return []
    first, second = _decided(before), _decided(after)
    if before.reference == after.reference and all(first[v] == second[v] for v in first.keys() & second.keys()):
        return []
    told = verdict(study, before.metric, left, after)
    return [plural("Without it: {told}", "Without them: {told}", count, told=told)]


def _decided(comparisons: Comparisons) -> dict[str, str]:
    return {c.variant: c.decided for c in comparisons if c.difference is not None}
