"""The images of a run as its data.json tells them, refused where they are no longer those it was trained on."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError
from assay.system.files import MEND

if TYPE_CHECKING:
    from assay.data import ImageData
    from assay.data.depth import Range
    from assay.recipe import Recipe


def describe(data: "ImageData") -> dict[str, Any]:
    """What a prediction needs to know of the data, and what the report says of it."""
    return {
        "classes": data.classes,
        "shape": list(data.shape),
        "range": data.images.range,
        **({"around": data.images.around} if data.images.around else {}),
        "mean": [float(v) for v in data.mean],
        "std": [float(v) for v in data.std],
        "counts": {split: len(indices) for split, indices in data.indices.items()},
        "images_sha256": {split: images_digest(data, split) for split in data.indices},
        **_of_training(data),
        **({"colours": [list(colour) for colour in data.images.colours]} if data.images.colours else {}),
        "skipped": [list(item) for item in data.images.skipped],
        "unlisted": data.images.unlisted,
    }


def _of_training(data: "ImageData") -> dict[str, Any]:
    """What is true of the training images together: images of each class, or mean and deviation of each target."""
    from assay.data.standard import standard_of
    from assay.data.targets import Labels, Tags, Values

    if isinstance(data.images.targets, Labels | Tags):
        return {"train_per_class": data.class_counts.tolist()}
    if not isinstance(data.images.targets, Values):
        return {}
    standard = standard_of(data)
    return {"target_mean": standard.mean.tolist(), "target_deviation": standard.deviation.tolist()}


def range_of(about: dict[str, Any]) -> "Range | None":
    """Which values of pictures with more than 8 bits are black and white, by a run's data.json: ``full`` where it does
    not tell, since it was so before there was a choice."""
    found = about.get("range", "full")
    return tuple(found) if isinstance(found, list) else found


def images_digest(data: "ImageData", split: str) -> str:
    """SHA-256 of the names of the images of a split, in their order, and of what is true of them."""
    lines = (f"{data.images.targets.line(i)} {data.images.names[i]}\n" for i in data.indices[split].tolist())
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def load_data_of(
    run: Path,
    recipe: "Recipe",
    about: dict[str, Any],
    root: str | Path | None = None,
    decoding: Callable[[int, int], None] | None = None,
) -> "ImageData":
    """The images of a run by its recipe and data.json, ``about``, split as they were.

    ``root`` is the data root; ``decoding`` is called with (images done, images to do). Raises AssayError for data that
    are gone, or that have other classes, counts, pixels on average, names or labels.
    """
    from assay.data import data_root, load

    wanted = recipe.data if "range" in about else recipe.data.model_copy(update={"range": "full"})
    data = load(wanted, recipe.seed, data_root(root), decoding)
    refuse_other_data(run, about, data)
    return data


def refuse_other_data(run: Path, about: dict[str, Any], data: "ImageData") -> None:
    """Raise AssayError where ``about``, the run's data.json, tells other data."""
    for key, value in json.loads(json.dumps(describe(data))).items():
        if about.get(key, value) == value:
            continue
        was, now = (_short(each) for each in (about[key], value))
        changed = f"data.json has {key} {was}, and now it is {now}"
        if key == "images_sha256":
            changed = "names or labels are not those hashed in its data.json"
        raise AssayError(f"{run}: its data have changed: {changed}; bring them back, or {MEND}")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"
