"""In which terms a study wants its answer, in those of its metric."""

from assay.errors import AssayError
from assay.recipe.indifference import parse
from assay.recipe.study import Study
from assay.recipe.tasks import TASKS
from assay.results.measurable import measured_by
from assay.results.metrics import bounds, difference_text, factor, known, unit


def study_metric(study: Study) -> str:
    """What the study asks for, or its task's."""
    return study.metric or TASKS[study.task].metric


def indifference(study: Study) -> float | None:
    """The stated difference in the own unit of the study's metric: 0.005 of an accuracy for 0.5 points; None where none
    is stated. Raises AssayError, with the study's file, where it is stated in another unit, or no two values differ by
    more."""
    if study.indifferent is None:
        return None
    metric = study_metric(study)
    try:
        return in_own_unit(study.indifferent, metric, "indifferent")
    except AssayError as error:
        raise study.mistake(str(error)) from None


def in_own_unit(stated: int | float | str, metric: str, key: str) -> float:
    """A difference stated in the unit in which those of the metric are shown, in its own.

    Raises AssayError, which names the ``key``, for what is no difference above 0, in another unit, or more than any two
    values differ by.
    """
    try:
        found = parse(stated)
    except ValueError as error:
        raise AssayError(f"{key}: found {stated!r}, {error}") from None
    if found.unit not in ("", unit(metric)):
        shown = f"in {unit(metric)}" if unit(metric) else "as numbers without a unit"
        raise AssayError(f"{key}: found {stated!r}, but differences of {metric} are shown {shown}")
    size, (least, most) = found.size / factor(metric), bounds(metric)
    if size >= most - least:
        range_ = difference_text(metric, most - least)
        raise AssayError(f"{key}: found {stated!r}, but no two values of {metric} differ by more than {range_}")
    return size


def refuse_unwanted(study: Study) -> None:
    """Raise AssayError, with the study's file, where its answer is wanted in terms that its metric does not have: an
    indifference in another unit, a choice by validation images of what they do not give."""
    indifference(study)
    metric = study_metric(study)
    if study.select_on == "validation" and not _is_of_any_images(study.task, metric):
        why = "is of training" if metric.startswith(("train_", "validation_")) else "is no property of single answers"
        raise study.mistake(
            f"select_on: validation, but the study's metric {metric} {why}; expected a metric that test images and "
            "validation images both give, or select_on: test"
        )


def _is_of_any_images(task: str, metric: str) -> bool:
    """Whether it follows from the answers to whatever images."""
    given = any(row.called(metric) for row in measured_by(task, task))
    return given and known(metric).of == "answers" and not metric.startswith(("train_", "validation_"))
