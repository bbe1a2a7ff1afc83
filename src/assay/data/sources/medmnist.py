"""MedMNIST's files (Yang et al. 2023, doi:10.1038/s41597-022-01721-8): an npz with the pictures and labels of three
splits."""

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from assay.data.images import Contents, Source
from assay.data.sources.packed.shards import stamps
from assay.data.targets import Labels, Tags, Targets
from assay.errors import AssayError, enumerated
from assay.recipe.packed import SplitName
from assay.system.files import legible

PARTS: dict[SplitName, str] = {"train": "train", "validation": "val", "test": "test"}
"""Split → what its arrays are called by."""
NAMES = ("class_names", "classes", "label_names")
"""Arrays that may name the classes."""


def medmnist_source(path: Path) -> Source:
    """The pictures of an npz with ``train_images``, ``train_labels`` and so on for ``val`` and ``test``."""
    return Source(legible(str(path)), ["medmnist", stamps([path])], lambda: _contents(path))


def _contents(path: Path) -> Contents:
    arrays = _read(path)
    parts = {split: name for split, name in PARTS.items() if f"{name}_images" in arrays}
    pixels = {split: _pictures(path, arrays, name) for split, name in parts.items()}
    labels = {split: _labels(path, arrays, name, len(pixels[split])) for split, name in parts.items()}
    if len(widths := {each.shape[1] for each in labels.values()}) > 1:
        found = enumerated(sorted(map(str, widths)))
        raise AssayError(f"{path}: its splits have {found} labels a picture, expected as many in each")
    every = np.concatenate(list(labels.values()))
    classes, targets = _targets(path, arrays, every)
    rows = [(split, k) for split, each in pixels.items() for k in range(len(each))]
    splits = np.array([split for split, _ in rows])
    return Contents(
        classes=classes,
        names=[f"{split}/{k:05d}" for split, k in rows],
        targets=targets,
        is_test=splits == "test",
        is_validation=splits == "validation",
        image=lambda i: Image.fromarray(pixels[rows[i][0]][rows[i][1]]),
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise AssayError(f"{path} is not a whole npz file ({error})") from error
    for name in ("train_images", "train_labels"):
        if name not in arrays:
            has = ", ".join(sorted(arrays)) or "nothing"
            raise AssayError(f"{path} has no array {name!r}, as MedMNIST's files have; it holds {has}")
    return arrays


def _pictures(path: Path, arrays: dict[str, np.ndarray], part: str) -> np.ndarray:
    """(n, height, width) or (n, height, width, 3), bytes."""
    found = arrays[f"{part}_images"]
    shape = "×".join(map(str, found.shape))
    if found.dtype == np.uint8 and (found.ndim == 3 or (found.ndim == 4 and found.shape[3] == 3)) and len(found):
        return found
    if found.ndim >= 4 and found.shape[-1] not in (1, 3):
        raise AssayError(f"{path}: {part}_images is {shape}, volumes of three dimensions, and assay reads pictures")
    raise AssayError(
        f"{path}: {part}_images is {found.dtype} of {shape}, expected uint8 of n×height×width, gray, or with ×3, RGB"
    )


def _labels(path: Path, arrays: dict[str, np.ndarray], part: str, n: int) -> np.ndarray:
    found = arrays.get(f"{part}_labels")
    if found is None or len(found) != n or found.dtype.kind not in "biu":
        has = "nothing" if found is None else f"{found.dtype} of {'×'.join(map(str, found.shape))}"
        raise AssayError(f"{path}: {part}_labels holds {has}, expected a whole number for each of {n:,} pictures")
    return found.reshape(n, -1)


def _targets(path: Path, arrays: dict[str, np.ndarray], labels: np.ndarray) -> tuple[list[str], Targets]:
    """(classes, labels), or tags where a picture has several numbers of 0 and 1."""
    number = labels.shape[1] if labels.shape[1] > 1 else int(labels.max()) + 1
    if labels.min() < 0 or (labels.shape[1] > 1 and labels.max() > 1):
        raise AssayError(f"{path}: its labels reach from {labels.min()} to {labels.max()}, expected classes or 0 and 1")
    named = next((arrays[name].tolist() for name in NAMES if name in arrays), None)
    classes = [str(k) for k in range(number)] if named is None else list(map(str, named))
    if len(classes) < number or len(classes) < 2:
        raise AssayError(f"{path} names {len(classes)} classes and has labels of {number}")
    if labels.shape[1] > 1:
        return classes, Tags(labels.astype(np.uint8))
    return classes, Labels(labels[:, 0].astype(np.int64))
