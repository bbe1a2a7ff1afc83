"""The images of a run as its data.json tells them, refused where they are no longer those it was trained on."""

import hashlib
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


def describe(data: "ImageData") -> dict[str, Any]:
    """What a prediction needs to know of the data, and what the report says of it."""
    return {
        "classes": data.classes,
        "shape": list(data.shape),
        "mean": [float(v) for v in data.mean],
        "std": [float(v) for v in data.std],
        "counts": {split: len(indices) for split, indices in data.indices.items()},
        "images_sha256": images_digest(data),
        "train_per_class": data.class_counts.tolist(),
        "skipped": [list(item) for item in data.images.skipped],
    }


def images_digest(data: "ImageData") -> str:
    """SHA-256 of the names and labels of the images of each split, in their order."""
    found = hashlib.sha256()
    for split, indices in data.indices.items():
        lines = (f"{split} {data.images.labels[i]} {data.images.names[i]}\n" for i in indices)
        found.update("".join(lines).encode())
    return found.hexdigest()


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
    refuse_other_data(run, about, data)
    refuse_other_predictions(run, data)
    return data


def refuse_other_data(run: Path, about: dict[str, Any], data: "ImageData") -> None:
    """Raise AssayError where ``about``, the run's data.json, tells other data."""
    for key, value in json.loads(json.dumps(describe(data))).items():
        if about.get(key, value) != value:
            was, now = (_short(each) for each in (about[key], value))
            raise AssayError(f"{run}: its data have changed: data.json has {key} {was}, and now it is {now}")


def refuse_other_predictions(run: Path, data: "ImageData") -> None:
    """Raise AssayError where the run kept predictions of other images."""
    from assay.evaluate.predictions import SPLITS

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
