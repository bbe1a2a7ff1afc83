"""A refit as a table for the terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from assay.results.formats import p_value
from assay.tools.refit.in_words import interval, points
from assay.tools.refit.refitting import Refit

MOST_CLASSES = 20
"""So many classes, those that changed most, are shown; refit.json has all."""


def refit_table(found: Refit) -> RenderableType:
    """The refit for the terminal: the networks side by side, the classes that changed, the verdict, where it lies."""
    said = f"images {found.images:,}, epochs {found.epochs}, steps {found.steps:,}, learning rate {found.lr:g}"
    classes, shown = class_table(found)
    parts: list[RenderableType] = [networks_table(found), "", Text(said), "", classes]
    if shown < len(found.classes):
        parts.append(f"{shown} of {len(found.classes)} classes, those that changed most; refit.json has all")
    return Group(*parts, "", Text(found.verdict), "", Text(f"network, predictions and numbers: {found.folder}"))


def networks_table(found: Refit) -> Table:
    """A row per number, a column per network: before, after the mistakes, after as many random images."""
    table = Table("", box=None, pad_edge=False)
    for heading in ("before", "on the mistakes", "on random images"):
        table.add_column(heading, justify="right")
    arms = (found.mistakes, found.random)
    for split in found.before:
        standings = (found.before[split], *(arm.standings[split] for arm in arms))
        changes = [arm.changes[split] for arm in arms]
        table.add_row(f"{split} accuracy (%)", *(f"{100 * s.accuracy:.2f}" for s in standings))
        if split == "train":
            wrong = f"of {found.images:,}"
            table.add_row("  mistakes, now right", wrong, *(f"{c.gained:,}" for c in changes))
        else:
            table.add_row("  change (points)", "", *(f"{points(c)} ({interval(c)})" for c in changes))
            table.add_row("  gained (wrong, now right)", "", *(f"{c.gained:,}" for c in changes))
        table.add_row("  forgotten (right, now wrong)", "", *(f"{c.forgotten:,}" for c in changes))
        if split == "test":
            table.add_row("  p (Holm)", "", *(p_value(c.p_holm) for c in changes))
        if split != "train":
            table.add_row("  negative log-likelihood", *(f"{s.nll:.4f}" for s in standings))
            table.add_row("  calibration error, ECE (%)", *(f"{100 * s.ece:.2f}" for s in standings))
    return table


def class_table(found: Refit) -> tuple[Table, int]:
    """The test images gained and forgotten by class, and how many classes the table shows."""
    table = Table("test images by class", box=None, pad_edge=False)
    changes = [arm.changes["test"] for arm in (found.mistakes, found.random)]
    for heading in ("mistakes: gained", "forgotten", "random: gained", "forgotten"):
        table.add_column(heading, justify="right")
    columns = [counts for c in changes for counts in (c.gained_per_class, c.forgotten_per_class)]
    numbers = list(zip(*columns, strict=True))
    most = sorted(range(len(found.classes)), key=lambda k: -sum(numbers[k]))[:MOST_CLASSES]
    for k in sorted(most):
        table.add_row(Text(found.classes[k]), *(f"{n:,}" if n else "·" for n in numbers[k]))
    return table, len(most)
