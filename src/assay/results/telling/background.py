"""What the notes say of how the numbers came about: the epoch kept, the best chosen, curves that had not settled."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from assay.language.speech import later, say
from assay.recipe.study import Study
from assay.recipe.tasks import TASKS
from assay.results import schedules
from assay.results.comparing.comparison import Comparisons
from assay.results.metrics import is_exact, known, label
from assay.results.names import short_names
from assay.results.telling import rise

KEPT_BEST = later(
    "Each run keeps the epoch that is best on its validation images (keep: best) and is then tested once: no epoch was "
    "chosen by test images."
)
CHOSEN = later(
    "Which variant is the best was read off the same test numbers that are told of it, so that its mean leans upward, "
    "the more so the more variants there are and the less they differ; the differences allow for that. With "
    "'select_on: validation' in the study file validation images choose, and the test images have no part in it."
)
OF_RECIPE = later("No seed changes {metric}, which the recipe gives: the numbers differ or they do not.")
UNMOVED = later("All seeds of a variant gave the same {metric}, which says nothing of its spread.")


@dataclass(frozen=True)
class Learned:
    """What the learning curves show, whatever the metric."""

    same: schedules.Pairs
    rising: list[rise.Rise]
    keeps_best: bool
    """Whether validation images chose the epoch of any run."""


def learned(study: Study, histories: pl.DataFrame) -> Learned:
    """From the histories of all finished runs, a row an epoch."""
    columns = [f"validation_{TASKS[study.task].metric}", "validation_loss", "train_loss"]
    validated = any(c.startswith("validation_") and histories[c].is_not_null().any() for c in histories.columns)
    kept = {study.plan[variant].recipe.train.keep for variant in histories["variant"].unique()}
    rising = rise.risen(histories, columns)
    return Learned(schedules.same_schedules(study, histories), rising, validated and "best" in kept)


def background(
    told: Comparisons | None, study: Study, frame: pl.DataFrame, learned: Callable[[], Learned]
) -> list[str]:
    """In the order of what matters most. ``frame`` has a row a finished run, ``learned`` is asked for metrics of
    answers; ``told`` are the comparisons that the verdict speaks of, None where no run has finished."""
    if told is None:
        return []
    found = unmoved(told.metric, frame)
    if known(told.metric).of != "answers":
        return found
    curves, name = learned(), short_names(study)
    found += schedules.told(curves.same, name)
    found += rise.told(curves.rising, name)
    if study.select_on == "test" and not told.is_named and len(told) > 1 and not told.is_interim:
        found.append(say(CHOSEN))
    return found + [say(KEPT_BEST)] * curves.keeps_best


def unmoved(metric: str, frame: pl.DataFrame) -> list[str]:
    """That a seed does not change the metric, where several seeds give one number."""
    values = frame.filter(pl.col(metric).is_not_null()).group_by("variant").agg(pl.len(), pl.col(metric).n_unique())
    if not values.height or (values[metric] > 1).any() or (values["len"] < 2).all():
        return []
    return [say(OF_RECIPE if is_exact(metric) else UNMOVED, metric=label(metric))]
