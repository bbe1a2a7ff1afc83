"""The parts of a loss that is a network's own, over the epochs: each in its figure, beside their sum."""

from collections.abc import Iterator

import polars as pl

from assay.language.script import as_name
from assay.language.speech import later, say
from assay.recipe.tasks import TASKS
from assay.report.figures import Figure
from assay.report.section import Grid, Group, Legend, Part, Text
from assay.report.sections import learning_charts
from assay.report.sections.learning_axes import axes
from assay.report.subject import Subject
from assay.results.metrics import bounds

WORDS = later("What training minimises is the sum of the parts, each with its weight in it.")
OTHER = later(
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
    several = len({subject.plan[name].recipe.model.name for name in subject.finished}) > 1
    said = say(WORDS) + (say(OTHER) if several else "")
    parts: list[Part] = [Legend(subject.heading, subject.colors), Text(said), Grid(drawn)]
    return Group(say("What is minimised"), parts)


def figures(subject: Subject, curves: dict[str, pl.DataFrame]) -> Iterator[Figure]:
    """The sum first."""
    for column, frame in curves.items():
        part = as_name(column.partition("_")[2].replace("_", " "))
        is_sum = column == "train_loss"
        words = say("train loss") if is_sum else say("train loss, {part}", part=part)
        (laid_out,) = axes({"train": frame}, bounds("train_loss")).values()
        yield Figure(
            f"learning-{column.replace('_', '-')}",
            say("Train loss") if is_sum else say("Of it: {part}", part=part),
            "",
            say(
                "{what} over {n} epochs for {variants} variants.",
                what=words,
                n=frame["epoch"].n_unique(),
                variants=frame["variant"].n_unique(),
            ),
            learning_charts.curves(frame, words, subject.colors, laid_out),
            frame,
            wide=False,
            legend=False,
        )
