"""Labelled boxes that a finished run speaks against, the most doubtful of each kind first."""

from pathlib import Path

import numpy as np
import polars as pl

from assay.after.around import around
from assay.errors import AssayError
from assay.language.script import as_name
from assay.language.speech import later, plural, say
from assay.recipe import Data
from assay.recipe.tasks import require
from assay.report.tables import Cell, Column, Table
from assay.results.formats import fixed
from assay.runs.data import load_data_of
from assay.system.machine import device_here
from assay.tasks import catalogue
from assay.tasks.detection.doubts import KINDS, MISSING, doubts
from assay.tasks.detection.predictions import Predictions
from assay.tasks.predicting import predict
from assay.tools.predict import load_run

SHOWN = 50
TEXTS = (
    later("kind"), later("image"), later("split"), later("labelled"), later("label"), later("said"), later("box"),
)  # fmt: skip
SCHEMA = {"suspicion": pl.Float64} | dict.fromkeys(TEXTS, pl.String)
SPOKEN = ("kind", "split")
"""Columns whose texts are ours."""


def suspects(run: Path, data: Data, root: Path | None = None) -> pl.DataFrame:
    """A row a doubtful label of the images that ``run`` learned from and was tested on: suspicion (from 0 to 1), kind
    (missing, shifted, swapped), image, split; the labelled class and its box (null: missing); the class that the run
    says, and where. Boxes are x1, y1, x2, y2 in the pixels of the picture. The kinds take turns, each the most doubtful
    first: where a data set leaves many objects without a label, these would hide all else.

    Raises AssayError where there is no finished run of detection, or it learned from other data than ``data``.
    """
    recipe, about, model = load_run(run)
    require("boxes", recipe.task, "check --run", recipe.data.source)
    if recipe.data.source != data.source:
        raise AssayError(f"check --run {run}: it learned from '{recipe.data.source}', not from '{data.source}'")
    images, device = load_data_of(run, recipe, about, root), device_here(recipe.train.device)
    network = around(model.to(device), recipe.predict, about["mean"], about["std"])
    task, rows = catalogue.task(recipe.task), []
    for split in (name for name, indices in images.indices.items() if len(indices)):
        found = predict(task, network, images, split, recipe.train.loss, device)
        assert isinstance(found, Predictions)
        rows += _rows(found, split, images.images.names)
    return in_turn(pl.DataFrame(rows, schema=SCHEMA))


def in_turn(frame: pl.DataFrame) -> pl.DataFrame:
    """The most doubtful label of each kind, then the second of each, and so on."""
    turn = pl.col("suspicion").rank("ordinal", descending=True).over("kind")
    return frame.sort(turn, -pl.col("suspicion"), maintain_order=True)


def suspect_table(frame: pl.DataFrame) -> Table:
    """The most doubtful labels."""
    columns = [Column(say("doubt")), *(Column(say(name), "left") for name in TEXTS)]
    lines = [
        [Cell(fixed(row["suspicion"], 2)), *(_cell(name, row[name]) for name in TEXTS)]
        for row in frame.head(SHOWN).iter_rows(named=True)
    ]
    caption = say(
        "Labels that the run speaks against: the score of what is not labelled, as a share of it and the label's own. "
        "The kinds take turns. Boxes are x1, y1, x2, y2. The first {shown} of {n:,}.",
        shown=min(SHOWN, len(frame)),
        n=len(frame),
    )
    return Table("suspects", caption, columns, lines, frame)


def _cell(column: str, text: str | None) -> Cell:
    return Cell(say(text) if text and column in SPOKEN else text or "", is_name=True)


def sentences(frame: pl.DataFrame) -> list[str]:
    """How many there are, and the first."""
    if frame.is_empty():
        return [say("The run speaks against no label.")]
    first = frame.row(0, named=True)
    by_kind = say(", ").join(f"{frame.filter(kind=kind).height:,} {say(kind)}" for kind in KINDS)
    return [
        plural(
            "The run speaks against {n:,} label ({by_kind}), some with little conviction; they are listed as "
            "suspects, first {kind}: '{said}' at {box} in {image}.",
            "The run speaks against {n:,} labels ({by_kind}), some with little conviction; they are listed as "
            "suspects, first {kind}: '{said}' at {box} in {image}.",
            len(frame),
            by_kind=by_kind,
            kind=say(first["kind"]),
            said=as_name(first["said"]),
            box=as_name(first["box"]),
            image=as_name(first["image"]),
        )
    ]


def _rows(found: Predictions, split: str, names: list[str]) -> list[dict[str, object]]:
    doubted = doubts(found.truth, found.said, len(found.classes))
    rows: list[dict[str, object]] = []
    for suspicion, kind, image, row, own in zip(*(part.tolist() for part in doubted), strict=True):
        there = kind != MISSING
        rows.append(
            {
                "suspicion": suspicion,
                "kind": KINDS[kind],
                "image": names[found.indices[image]],
                "split": split,
                "labelled": found.classes[found.truth.labels[own]] if there else None,
                "label": _text(found.truth.edges[own]) if there else None,
                "said": found.classes[found.said.labels[row]],
                "box": _text(found.said.edges[row]),
            }
        )
    return rows


def _text(edges: np.ndarray) -> str:
    return ", ".join(f"{edge:.4g}" for edge in edges.tolist())
