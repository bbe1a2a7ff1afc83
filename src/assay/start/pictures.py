"""What the pictures of a folder or zip say of how a study of them is to be written."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.data.cache import open_source
from assay.data.decode_all import size_of
from assay.data.geometry import Size
from assay.data.images import Contents
from assay.errors import AssayError
from assay.recipe import Data
from assay.recipe.validation import mistakes


@dataclass(frozen=True)
class Pictures:
    """What is seen of a source without decoding it."""

    validate: bool = False
    """Whether some are its own validation split."""
    size: Size | None = None
    """Height and width of all, where they have one and the same that is small enough."""


def look(data: Mapping[str, Any], root: Path, largest: int) -> Pictures:
    """At the source of a recipe's ``data``; a size is small enough up to ``largest`` on either side.

    Nothing is found in a source that cannot be opened: whoever runs the study is told why.
    """
    if not mistakes(Data, data):
        with suppress(AssayError):
            contents = open_source(Data.model_validate(data), root).contents()
            validates = contents.is_validation
            return Pictures(validates is not None and bool(validates.any()), _one_size(contents, largest))
    return Pictures()


def _one_size(contents: Contents, largest: int) -> Size | None:
    first = size_of(contents, 0)
    if first is None or max(first) > largest:
        return None
    return first if all(size_of(contents, i) == first for i in range(1, len(contents.names))) else None
