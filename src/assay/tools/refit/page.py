"""The page of a refit: the networks side by side, what changed on the test images, the classes, how it was done."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from assay.report.figures import Figure
from assay.report.section import Facts, Grid, Pairs, Part, Section, Text
from assay.report.tables import Cell, Column, Mark, Table
from assay.results.formats import p_value
from assay.tools.page import Page, named, reproduced, write_sections
from assay.tools.refit import charts
from assay.tools.refit.change import Change, Standing
from assay.tools.refit.in_words import interval, points
from assay.tools.refit.refitting import Refit
from assay.tools.refit.table import MOST_CLASSES

ARMS = ("on the mistakes", "on random images")
BETWEEN = "one against the other"
MARKS: dict[str, Mark] = {"better": "better", "worse": "worse"}

CHANGED = (
    "Images gained were wrong before and are right now; images forgotten were right and are wrong. Intervals are "
    "paired 95 % bootstrap intervals over images; p is that of McNemar's test, or where images are copies of originals "
    "of exchanging the answers to whole originals, by Holm for the comparisons made."
)
METHOD = (
    "The training images that the run's network gets wrong, in evaluation mode and without augmentation, were trained "
    "on with the run's own loss, optimizer (begun anew), batch size and augmentation, at a constant rate. Any further "
    "training changes a network, so the same was done on as many images drawn from all training images: that is one "
    "draw. The verdict speaks of this network; another seed is another network."
)


def write_refit(found: Refit, command: str = "") -> Path:
    """Write the page into the refit's folder, beside its network and numbers; returns its path."""
    sections = [
        Section("changed", "What changed", CHANGED, [changes_figure(found), standings_table(found)]),
        Section("classes", "Classes", "", classes(found)),
        Section("method", "Method", "", [Text(METHOD), how(found), *reproduced(command)]),
    ]
    title = f"What does training on its mistakes do to {named(found.run)}?"
    facts = (
        f"{found.images:,} mistakes · {found.epochs} epochs · {found.steps:,} steps at {found.lr:g} · "
        f"{found.before['test'].images:,} test images"
    )
    return write_sections(Page("refit", title, found.verdict, facts, sections), found.folder)


def changes_figure(found: Refit) -> Figure:
    """The changes of the test accuracy with their intervals."""
    tested = dict(zip(ARMS, (found.mistakes.changes["test"], found.random.changes["test"]), strict=True))
    named = {**tested, BETWEEN: found.against_random}
    rows = [
        {
            "change": name,
            "points": 100 * change.difference,
            "low": _percent(change.low),
            "high": _percent(change.high),
            "p": change.p_holm,
            "decided": change.decided,
        }
        for name, change in named.items()
    ]
    frame = pl.DataFrame(rows, schema_overrides=dict.fromkeys(("points", "low", "high", "p"), pl.Float64))
    text = "; ".join(f"{name} {points(change)} points, {interval(change)}" for name, change in named.items())
    return Figure(
        "changes",
        "The test accuracy",
        "Dashed: no change. The last line is that of the mistakes less that of the random images.",
        text,
        charts.changes(frame, list(named)),
        frame,
    )


def standings_table(found: Refit) -> Table:
    """A row a split and network: accuracy, its change, images gained and forgotten, likelihood, calibration."""
    networks: list[tuple[str, str, Standing, Change | None]] = []
    for split, before in found.before.items():
        networks.append((split, "before", before, None))
        for name, arm in zip(ARMS, (found.mistakes, found.random), strict=True):
            networks.append((split, name, arm.standings[split], arm.changes[split]))
    lines = [
        [
            Cell(f"{split}, {name}"),
            Cell(f"{standing.images:,}"),
            Cell(f"{100 * standing.accuracy:.2f}"),
            *_changed(change),
            Cell(f"{standing.nll:.4f}"),
            Cell(f"{100 * standing.ece:.2f}"),
        ]
        for split, name, standing, change in networks
    ]
    rows = [
        {
            "split": split,
            "network": name,
            **asdict(standing),
            "gained": change and change.gained,
            "forgotten": change and change.forgotten,
        }
        for split, name, standing, change in networks
    ]
    headings = ["images", "accuracy (%)", "change (points)", "gained", "forgotten", "p (Holm)"]
    columns = [Column("network", "left"), *map(Column, [*headings, "negative log-likelihood", "ECE (%)"])]
    caption = "Of training images, which the networks were trained on, no interval is given."
    return Table("networks", caption, columns, lines, pl.DataFrame(rows, infer_schema_length=None))


def _changed(change: Change | None) -> list[Cell]:
    """Points, gained, forgotten and p of a change; dashes for the network before."""
    if change is None:
        return [Cell("–")] * 4
    by = f"{points(change)} ({interval(change)})" if change.low is not None else points(change)
    p = "–" if change.p_holm is None else p_value(change.p_holm)
    counts = [Cell(f"{change.gained:,}"), Cell(f"{change.forgotten:,}")]
    return [Cell(by, MARKS.get(change.decided, "")), *counts, Cell(p)]


def classes(found: Refit) -> list[Part]:
    """Test images gained and forgotten by class, in both arms."""
    figures: list[Figure] = []
    rows: list[dict[str, Any]] = []
    for stem, name, arm in zip(("mistakes", "random"), ARMS, (found.mistakes, found.random), strict=True):
        change = arm.changes["test"]
        counts = zip(found.classes, change.gained_per_class, change.forgotten_per_class, strict=True)
        by_class: list[dict[str, Any]] = [
            {"class": k, "network": name, "gained": g, "forgotten": f} for k, g, f in counts
        ]
        rows += by_class
        most = sorted(by_class, key=lambda row: -(row["gained"] + row["forgotten"]))[:MOST_CLASSES]
        order = [row["class"] for row in by_class if row in most]
        long = [{"class": row["class"], "kind": kind, "images": row[kind]} for row in most for kind in charts.KINDS]
        frame = pl.DataFrame(long)
        text = f"Test images of {len(order)} classes gained and forgotten {name}; the numbers are in the table."
        shown = f"The {len(order)} classes that changed most." if len(order) < len(by_class) else ""
        chart = charts.by_class(frame, order)
        figures.append(Figure(f"classes-{stem}", f"Trained {name}", shown, text, chart, frame, wide=False))
    return [Grid(figures), _class_table(found, pl.DataFrame(rows))]


def _class_table(found: Refit, frame: pl.DataFrame) -> Table:
    changes = [arm.changes["test"] for arm in (found.mistakes, found.random)]
    columns = [counts for c in changes for counts in (c.gained_per_class, c.forgotten_per_class)]
    numbers = zip(*columns, strict=True)
    lines = [
        [Cell(name, is_name=True), *(Cell(f"{n:,}") for n in row)]
        for name, row in zip(found.classes, numbers, strict=True)
    ]
    headings = ["mistakes: gained", "forgotten", "random images: gained", "forgotten"]
    return Table("classes", "Test images.", [Column("class", "left"), *map(Column, headings)], lines, frame)


def how(found: Refit) -> Facts:
    """What was done, in numbers, and where the network lies."""
    done = [("images", f"{found.images:,}"), ("epochs", str(found.epochs)), ("steps", f"{found.steps:,}")]
    where = [("run", str(found.run)), ("network", str(found.folder / "model.safetensors"))]
    return Facts([Pairs("Trained", [*done, ("learning rate", f"{found.lr:g}")]), Pairs("Files", where)])


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
