"""The parts of a loss that is a network's own, over the epochs: each in its figure, beside their sum."""

from collections.abc import Iterator

import polars as pl

from assay.recipe.tasks import TASKS
from assay.report.figures import Figure
from assay.report.section import Grid, Group, Legend, Part, Text
from assay.report.sections import learning_charts
from assay.report.sections.learning_axes import axes
from assay.report.subject import Subject
from assay.results.metrics import bounds

WORDS = "What training minimises is the sum of the parts, each with its weight in it."
OTHER = (
    " Other networks have losses of their own, whose values say nothing about each other; a part of the same name need "
    "not be the same."
)


def columns(subject: Subject, history: pl.DataFrame) -> list[str]:
    """The sum and its parts; none where the loss is not the network's own."""
    if TASKS[subject.results.study.task].has_loss:
        return []
    there = [name for name in history.columns if history[name].is_not_null().any()]
    watched = {name.removeprefix("validation_") for name in there}
    return [name for name in there if name.startswith("train_") and name.removeprefix("train_") not in watched]


def group(subject: Subject, curves: dict[str, pl.DataFrame]) -> Group | None:
    """``curves``: column → what ``learning_charts.curves`` draws."""
    drawn = list(figures(subject, curves))
    if not drawn:
        return None
    said = WORDS + OTHER * (len({subject.plan[name].recipe.model.name for name in subject.finished}) > 1)
    parts: list[Part] = [Legend(subject.heading, subject.colors), Text(said), Grid(drawn)]
    return Group("What is minimised", parts)


def figures(subject: Subject, curves: dict[str, pl.DataFrame]) -> Iterator[Figure]:
    """The sum first."""
    for column, frame in curves.items():
        part = column.partition("_")[2]
        words = "train loss" if part == "loss" else f"train loss, {part.replace('_', ' ')}"
        (laid_out,) = axes({"train": frame}, bounds("train_loss")).values()
        yield Figure(
            f"learning-{column.replace('_', '-')}",
            "Train loss" if part == "loss" else f"Of it: {part.replace('_', ' ')}",
            "",
            f"{words} over {frame['epoch'].n_unique()} epochs for {frame['variant'].n_unique()} variants.",
            learning_charts.curves(frame, words, subject.colors, laid_out),
            frame,
            wide=False,
            legend=False,
        )
