"""The section on learning: what was watched over the epochs, train beside validation."""

from collections.abc import Iterator

import polars as pl

from assay.language.speech import later, plural, say
from assay.report.figures import Figure
from assay.report.section import Grid, Group, Legend, Part, Section, Text
from assay.report.sections import learning_charts, learning_parts
from assay.report.sections.learning_axes import OF_THE_DATA, axes
from assay.report.subject import Subject
from assay.results.formats import heading, in_title
from assay.results.metrics import bounds, factor, label

CURVES = {"train": later("train {metric}"), "validation": later("validation {metric}")}


def section(subject: Subject) -> Section | None:
    """A figure for each quantity and split."""
    drawn, minimised = list(figures(subject)), own_loss(subject)
    if not drawn:
        return None
    said = [say("Train values are averaged over the batches of an epoch, while the weights still change.")]
    if subject.seeds > 1:
        said.insert(0, say("Lines: mean over seeds; bands: from the lowest to the highest seed."))
    if len(subject.colors) > 1:
        said.append(say("A click on a name picks it out."))
    if hidden := opening(drawn[0].frame):
        said.append(
            plural(
                "The axes make no room for the first epoch.",
                "The axes make no room for the first {n} epochs.",
                hidden,
            )
        )
    parts: list[Part] = [Legend(subject.heading, subject.colors), Text(" ".join(said)), Grid(drawn)]
    return Section("learning", say("Learning"), "", [*parts, *([minimised] if minimised else [])])


def own_loss(subject: Subject) -> Group | None:
    """The parts of a loss that is the network's own."""
    history = subject.stacked("history")
    return learning_parts.group(
        subject, {column: _curve(subject, history, column) for column in learning_parts.columns(subject, history)}
    )


def figures(subject: Subject) -> Iterator[Figure]:
    """What was watched over the epochs, train beside validation, on one scale where both have room on it."""
    history = subject.stacked("history")
    for quantity in quantities(subject, history):
        frames = {}
        for split in ("validation", "train"):
            column = f"{split}_{quantity}"
            if column in history.columns and history[column].is_not_null().any():
                frames[split] = _curve(subject, history, column)
        if not frames:
            continue
        together = pl.concat(frames.values())
        settled = {split: curve.filter(pl.col("epoch") > opening(together)) for split, curve in frames.items()}
        laid_out = axes({split: curve for split, curve in settled.items() if curve.height}, bounds(quantity))
        epochs = together["epoch"].n_unique()
        phases = phase_begins(history)
        for split, frame in frames.items():
            variants = frame["variant"].n_unique()
            measure = heading(f"{split}_loss" if quantity == "loss" else quantity)
            words = say(CURVES[split], metric=say("loss") if quantity == "loss" else label(quantity))
            yield Figure(
                f"learning-{split}-{quantity}",
                in_title(words),
                "",
                say("{what} over {n} epochs for {variants} variants.", what=words, n=epochs, variants=variants),
                learning_charts.curves(frame, measure, subject.colors, laid_out.get(split, OF_THE_DATA), phases),
                frame,
                wide=len(frames) == 1,
                legend=False,
            )


def quantities(subject: Subject, history: pl.DataFrame) -> list[str]:
    """What the history has of either split; the loss last, and only where all variants have the same."""
    known = [column.partition("_") for column in history.columns]
    own = [column.partition("_")[2] for column in learning_parts.columns(subject, history)]
    there = dict.fromkeys(quantity for split, _, quantity in known if split in ("train", "validation"))
    found = [quantity for quantity in there if quantity not in own]
    losses = ["loss"] if "loss" in found and not subject.losses_differ else []
    return [quantity for quantity in found if quantity != "loss"] + losses


def phase_begins(history: pl.DataFrame) -> list[tuple[int, str]]:
    """(first epoch, word) of every phase after the first; runs that begin it elsewhere get a mark of their own."""
    if "phase" not in history.columns:
        return []
    first = history.filter(pl.col("phase") > 1).group_by("variant", "seed", "phase").agg(pl.col("epoch").min())
    marks = first.group_by("epoch").agg(pl.col("phase").unique().sort()).sort("epoch")
    return [
        (epoch, say("phase {numbers}", numbers=say(" or ").join(map(str, numbers))))
        for epoch, numbers in marks.iter_rows()
    ]


def opening(curve: pl.DataFrame) -> int:
    """How many epochs at the beginning the axes do not make room for: a tenth of six or more."""
    epochs = curve["epoch"].n_unique()
    return max(1, epochs // 10) if epochs >= 6 else 0


def _curve(subject: Subject, history: pl.DataFrame, column: str) -> pl.DataFrame:
    value = pl.col(column) * factor(column)
    curve = (
        history.filter(pl.col(column).is_finite())
        .group_by("variant", "epoch")
        .agg(mean=value.mean(), low=value.min(), high=value.max(), seeds=pl.len())
    )
    rank = {name: i for i, name in enumerate(subject.order)}
    ranked = curve.sort(pl.col("variant").replace_strict(rank, return_dtype=pl.Int64), "epoch")
    return ranked.with_columns(pl.col("variant").replace(subject.shown))
