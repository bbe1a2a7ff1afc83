"""Any set of ``torchvision_sets``, by torchvision's own reader of its files; nothing is downloaded."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from assay.data.images import Contents, Source
from assay.data.mask_files import MaskFiles
from assay.data.own_masks import VOID, Mask
from assay.data.sources.known import ELSEWHERE
from assay.data.sources.packed.shards import stamps
from assay.data.sources.torchvision_sets import SETS, Named
from assay.data.targets import Labels
from assay.errors import AssayError
from assay.recipe.packed import SplitName

_LABELS = ("targets", "labels", "_labels", "y")
_SAMPLES = ("samples", "_samples")
"""Where torchvision's classes keep the labels, which else would be told only with a picture decoded."""
_CLASSES = ("classes", "categories")


def torchvision_source(root: Path, name: str) -> Source:
    """The set ``name`` of ``SETS`` from the data root, or from a folder of its name there.

    Raises:
        AssayError: its files are not there.
    """
    named = SETS[name]
    place = named.place(root, name)
    if place is None:
        raise _absent(name, named, root)
    files = [file for each in named.files for file in _files(place / each)]
    return Source(name, ["torchvision", name, stamps(files)], lambda: _contents(name, named, place))


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _absent(name: str, named: Named, root: Path) -> AssayError:
    missing = next(file for file in named.files if not (root / file).exists())
    return AssayError(
        f"{name}: there is no {str(root / missing)!r}, as torchvision lays it out, and a study does not download it; "
        f"{_get(named, root)} ({ELSEWHERE})"
    )


def _get(named: Named, root: Path) -> str:
    calls = "; ".join(
        f"d.{named.of}({', '.join([repr(str(root)), *_written(given)])}, download=True)"
        for given in named.splits.values()
    )
    return f'get it by: python -c "import torchvision.datasets as d; {calls}"'


def _written(given: Mapping[str, Any]) -> Iterator[str]:
    return (f"{key}={value!r}" for key, value in given.items())


def _contents(name: str, named: Named, place: Path) -> Contents:
    parts = {split: _opened(name, named, place, split) for split in named.splits}
    if empty := next((split for split, part in parts.items() if not len(part)), None):
        raise AssayError(f"{name}: torchvision finds no {empty} picture in {str(place)!r}")
    rows = [(split, k) for split, part in parts.items() for k in range(len(part))]
    splits = np.array([split for split, _ in rows])

    def image(i: int) -> Image.Image:
        split, k = rows[i]
        found, true = parts[split][k]
        if isinstance(true, Image.Image):
            true.close()
        return found  # type: ignore[no-any-return]

    classes, targets = _labels(name, parts) if named.masks is None else _masks(parts, rows, named.masks)
    return Contents(
        classes=classes,
        names=[f"{split}/{k:05d}" for split, k in rows],
        targets=targets,
        is_test=splits == "test",
        is_validation=splits == "validation",
        image=image,
    )


def _opened(name: str, named: Named, place: Path, split: SplitName) -> Any:
    from torchvision import datasets

    try:
        return getattr(datasets, named.of)(str(place), **named.splits[split], **named.common)
    except Exception as error:  # whatever torchvision meets in damaged files
        reason = " ".join(str(error).split()).removesuffix(" You can use download=True to download it")
        raise AssayError(
            f"{name}: torchvision cannot read its {split} split in {str(place)!r} ({reason or type(error).__name__}); "
            f"{_get(named, place)}"
        ) from error


def _labels(name: str, parts: dict[SplitName, Any]) -> tuple[list[str], Labels]:
    values = np.concatenate([_values(part) for part in parts.values()])
    named = [_names(part) for part in parts.values()]
    if any(each != named[0] for each in named):
        raise AssayError(f"{name}: its splits have different classes, so files of it are missing")
    return [*map(str, named[0])] or [str(k) for k in range(int(values.max()) + 1)], Labels(values)


def _names(part: Any) -> list[str]:
    return next((list(found) for key in _CLASSES if (found := getattr(part, key, None))), [])


def _values(part: Any) -> np.ndarray:
    if (found := next((getattr(part, key) for key in _LABELS if hasattr(part, key)), None)) is not None:
        return np.asarray(found, dtype=np.int64)
    if (samples := next((getattr(part, key) for key in _SAMPLES if hasattr(part, key)), None)) is not None:
        return np.array([label for _, label in samples], dtype=np.int64)
    return np.array([part[k][1] for k in range(len(part))], dtype=np.int64)


def _masks(
    parts: dict[SplitName, Any], rows: list[tuple[SplitName, int]], meaning: Mapping[int, str | None]
) -> tuple[list[str], MaskFiles]:
    """Masks by torchvision's pictures of them. ValueError for one with a value that means nothing."""
    classes = sorted(name for name in meaning.values() if name)
    table = np.full(256, -1, dtype=np.int16)
    for value, name in meaning.items():
        table[value] = classes.index(name) if name else VOID

    def read(i: int) -> Mask:
        split, k = rows[i]
        found = table[np.asarray(parts[split][k][1])]
        if (found < 0).any():
            raise ValueError(f"its mask has values other than {', '.join(map(str, meaning))}")
        return np.asarray(found.astype(np.uint8))

    return classes, MaskFiles(read, len(rows))
