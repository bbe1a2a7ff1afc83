"""The images of a finished run, refused where they are no longer those it was trained on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from assay.errors import AssayError
from assay.runs import read_table

if TYPE_CHECKING:
    from assay.data import ImageData
    from assay.recipe import Recipe


def load_data_of(
    run: Path,
    recipe: "Recipe",
    about: dict[str, Any],
    root: str | Path | None = None,
    decoding: Callable[[int, int], None] | None = None,
) -> "ImageData":
    """The images of a run by its recipe and data.json, ``about``, split as they were.

    ``root`` is the data root; ``decoding`` is called with (images done, images to do). Raises AssayError for data that
    are gone, or that have other classes, counts, pixels on average, or names and labels of validation and test images.
    """
    from assay.data import data_root, load

    data = load(recipe.data, recipe.seed, data_root(root), decoding)
    _refuse_others(run, about, data)
    return data


def _refuse_others(run: Path, about: dict[str, Any], data: "ImageData") -> None:
    from assay.evaluate.predictions import SPLITS
    from assay.run import describe

    for key, value in json.loads(json.dumps(describe(data))).items():
        if about.get(key, value) != value:
            was, now = (_short(each) for each in (about[key], value))
            raise AssayError(f"{run}: its data have changed: data.json has {key} {was}, and now it is {now}")
    kept = read_table(run / "predictions.parquet")
    for split in SPLITS:
        then = kept.filter(pl.col("split") == split)
        indices = data.indices[split]
        names = [data.images.names[i] for i in indices]
        if then["name"].to_list() != names or then["label"].to_list() != data.images.labels[indices].tolist():
            raise other_images(run, split)


def other_images(run: Path, split: str) -> AssayError:
    """The error that says that the images of ``split`` are not those that the run kept predictions of."""
    return AssayError(f"{run}: its data have changed: the {split} images are not those of its predictions.parquet")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"
