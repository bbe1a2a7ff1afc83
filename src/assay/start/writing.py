"""Answers → a commented study file that runs."""

from pathlib import Path
from typing import Any

import yaml

from assay.data.sources.catalogue import SOURCES
from assay.data.sources.torchvision_sets import SETS
from assay.errors import AssayError
from assay.models.catalogue import complete
from assay.recipe.data import COLUMNS
from assay.recipe.study import load_study
from assay.recipe.tasks import TASKS
from assay.start.pictures import PLACED, Pictures, look
from assay.start.questions import Answers
from assay.system import files

SIDE = 64
"""Height and width of own pictures, in pixels, unless all have one size up to this, …"""
PRETRAINED_SIDE = 128
"""… for networks off the shelf, …"""
PLACED_SIDE = 256
"""… and for pictures with masks or boxes, whose proportions are kept."""
BATCH_SIZES = {"segmentation": 8, "detection": 16}
"""Of a task whose networks are large, or whose images are."""

CUT_VALIDATION = "    validation: 0.1 # this share of the training images chooses the best epoch"
OWN_VALIDATION = "    # its own validation images choose the best epoch; with 'validation: 0.1' they would train"
"""A stated amount is cut as if the source had no validation split."""


def write_study(
    path: Path, found: Answers, root: Path, title: str | None = None, epochs: int = 10, size: Any = None
) -> Path:
    """Write a study file that is ready to run; returns its path. ``root`` is the data root.

    Raises AssayError where there is such a file, or where the answers together make no valid study.
    """
    if path.exists():
        raise AssayError(f"{path} is there already; choose another name for the new study")
    files.write(path, study_text(path, found, root, title, epochs, size))
    try:
        for variant in load_study(path).plan.values():
            complete(variant.recipe)
    except AssayError:
        path.unlink()
        raise
    return path


def study_text(
    path: Path, found: Answers, root: Path, title: str | None = None, epochs: int = 10, size: Any = None
) -> str:
    """The text of a study file, with a comment where a reader may want to change something."""
    shelf = "/" in found.model
    data, named = _data(found), found.data in SOURCES and found.data not in SETS
    own = Pictures() if named else look(data, root, SIDE)
    is_placed = own.kind in PLACED
    side = size or (None if named or own.size else PLACED_SIDE if is_placed else SIDE)
    if shelf and not is_placed:
        side = size or PRETRAINED_SIDE
    lines = [
        f"# See what it will take:  assay run {path} --dry-run",
        f"# Train, compare, report:  assay run {path}   (again after any stop: it goes on)",
        "# Names to choose from:    assay list",
        f"title: {flow(title or title_of(found))}",
        "base: # what all variants share",
        f"  task: {found.task} # {TASKS[found.task].what}",  # type: ignore[index]
        "  data:",
        *(f"    {key}: {flow(value)}" for key, value in data.items()),
        *([f"    size: {flow(side)} # height and width in pixels"] if side else []),
        *(["    fit: letterbox # the ratio of the sides is kept"] if side and is_placed else []),
        *([f"    ignore: {flow(list(own.void))} # void: neither learned nor measured"] if own.void else []),
        OWN_VALIDATION if own.validate else CUT_VALIDATION,
        "    # augment: [horizontal_flip, {rotation: 15}] # changes training images at random",
        "  model:",
        f"    name: {flow(found.model)}",
        *(["    pretrained: true # the weights of its library, downloaded at the first run"] if shelf else []),
        "  train:",
        f"    epochs: {epochs}",
        f"    batch_size: {BATCH_SIZES.get(found.task, 64)}",
        "    optimizer: {name: adam, lr: 0.001}",
        "    # schedule: cosine # the learning rate falls to 0",
        "vary: # a variant for every combination of levels",
        *(f"  {key}: {flow(levels)}" for key, levels in found.vary.items()),
        f"seeds: {found.seeds} # runs of each variant; more seeds, narrower intervals",
    ]
    return "\n".join(lines) + "\n"


def _data(found: Answers) -> dict[str, Any]:
    """Where the pictures are, and what tells what is true of them."""
    if not found.table:
        return {"source": found.data}
    columns = found.columns[0] if len(found.columns) == 1 else list(found.columns)
    return {"source": found.data, "table": found.table, COLUMNS[TASKS[found.task].target]: columns}  # type: ignore[index]


def title_of(found: Answers) -> str:
    """``Which learning rate for digits?``"""
    words = [key.removesuffix(".name").rpartition(".")[2].replace("_", " ") for key in found.vary]
    factors = ("learning rate" if word == "lr" else word for word in words)
    return f"Which {' and '.join(factors)} for {Path(found.data).stem}?"


def flow(value: Any) -> str:
    """A value on one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")
