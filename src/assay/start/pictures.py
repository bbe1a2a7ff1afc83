"""What the pictures of a folder or zip say of how a study of them is to be written."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.data.boxes import Boxes
from assay.data.cache import open_source
from assay.data.decode_all import size_of
from assay.data.geometry import Size
from assay.data.images import Contents
from assay.data.mask_files import MaskFiles
from assay.data.sources.class_list import is_void
from assay.errors import AssayError
from assay.recipe import Data
from assay.recipe.validation import mistakes

LARGEST = 512
"""Pictures with masks or boxes keep their size up to this on either side."""
PLACED = (MaskFiles.kind, Boxes.kind)
"""What lies at places of a picture."""


@dataclass(frozen=True)
class Pictures:
    """What is seen of a source without decoding it."""

    validate: bool = False
    """Whether some are its own validation split."""
    size: Size | None = None
    """Height and width of all, where they have one and the same that is small enough."""
    kind: str = "labels"
    """What is true of them."""
    void: tuple[str, ...] = ()
    """Classes of masks that are called as if they were none."""


def look(data: Mapping[str, Any], root: Path, largest: int) -> Pictures:
    """At the source of a recipe's ``data``; a size is small enough up to ``largest`` on either side.

    Nothing is found in a source that cannot be opened: whoever runs the study is told why.
    """
    if not mistakes(Data, data):
        with suppress(AssayError):
            contents = open_source(Data.model_validate(data), root).contents()
            validates = contents.is_validation
            kind = contents.targets.kind
            void = tuple(name for name in contents.classes if kind == MaskFiles.kind and is_void(name))
            size = _one_size(contents, LARGEST if kind in PLACED else largest)
            return Pictures(validates is not None and bool(validates.any()), size, kind, void)
    return Pictures()


def _one_size(contents: Contents, largest: int) -> Size | None:
    first = size_of(contents, 0)
    if first is None or max(first) > largest:
        return None
    return first if all(size_of(contents, i) == first for i in range(1, len(contents.names))) else None
