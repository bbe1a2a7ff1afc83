"""What a source of images is before it is decoded, and what it is after."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64, UInt8
from PIL import Image

from assay.errors import AssayError


@dataclass(frozen=True)
class Contents:
    """Labelled pictures of one source, not yet decoded."""

    classes: list[str]
    names: list[str]
    labels: Int64[np.ndarray, " n"]
    is_test: Bool[np.ndarray, " n"]
    image: Callable[[int], Image.Image]
    """Opens picture ``i``; may raise anything if it is unreadable."""
    misplaced: list[tuple[str, str]] = field(default_factory=list)
    """Pictures that belong to no class: (name, reason)."""


@dataclass(frozen=True)
class Source:
    """A place that holds labelled pictures; its ``contents`` are read only when they are not in the cache."""

    where: str
    identity: Any
    """Plain JSON values that change whenever the decoded pictures would."""
    contents: Callable[[], Contents]


@dataclass(frozen=True)
class ImageSet:
    """A decoded source: a memory map that all runs and processes share."""

    pixels: UInt8[np.ndarray, "n c h w"]
    labels: Int64[np.ndarray, " n"]
    names: list[str]
    """File name inside the source, or for example ``train/00017``."""
    is_test: Bool[np.ndarray, " n"]
    """Belongs to the source's own test split (all False if it has none)."""
    classes: list[str]
    skipped: list[tuple[str, str]]
    """(name, reason) of the pictures left out under ``on_bad_image: skip``."""
    identity: str = ""
    """Changes whenever the pixels would; empty for images that come from no cache."""

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)


def data_root(path: str | os.PathLike[str] | None = None) -> Path:
    """The folder that holds the data: the argument, else ``$ASSAY_DATA``, else ``./data``.

    Raises:
        AssayError: the argument or ``$ASSAY_DATA`` names no folder (``./data`` need not exist).
    """
    for value, origin in ((path, "--data"), (os.environ.get("ASSAY_DATA") or None, "ASSAY_DATA")):
        if value is None:
            continue
        root = Path(value).expanduser()
        if not root.is_dir():
            raise AssayError(f"the data root {str(root)!r} (from {origin}) is not a folder")
        return root
    return Path("data")
