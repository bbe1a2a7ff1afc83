"""Which rows of a source in columns are its training, validation and test split."""

from itertools import chain

import numpy as np
from jaxtyping import Shaped

from assay.data.sources.packed.rows import Packed
from assay.data.sources.packed.truth import texts
from assay.data.sources.split_names import WORDS, split_in
from assay.errors import AssayError, nearest, quoted
from assay.recipe import Data

Splits = Shaped[np.ndarray, " rows"]
"""``train``, ``validation``, ``test``, or "" for a row that is left out."""


def splits(packed: Packed, data: Data) -> Splits:
    """The split of each row: by ``data.split``, else by the names of the parts; of a single part, ``train``.

    Raises:
        AssayError: ``data.split`` names no part and no column, a cell of its column no split, a part's name says
            nothing, or no row is for training.
    """
    stated = data.split
    if isinstance(stated, str) and stated not in packed.parts:
        return _by_column(packed, stated)
    if isinstance(stated, str):
        said = {stated: "train"}
    elif stated is not None:
        said = {part: split for split, parts in stated for part in parts}
    else:
        said = _by_name(packed)
    if strange := [part for part in said if part not in packed.parts]:
        raise AssayError(f"data.split: {packed.where} has no part {strange[0]!r}; it has {quoted(list(packed.parts))}")
    found = np.array(list(chain.from_iterable([said.get(part, "")] * n for part, n in packed.parts.items())))
    return _with_training(packed, found)


def _by_name(packed: Packed) -> dict[str, str]:
    if len(packed.parts) == 1:
        return dict.fromkeys(packed.parts, "train")
    found = {part: split_in(part) for part in packed.parts}
    if unsaid := [part for part, split in found.items() if split is None]:
        raise AssayError(
            f"{packed.where} has the parts {quoted(list(packed.parts))}, and {unsaid[0]!r} names no split; say which "
            "is which, as data.split: {train: NAME, test: NAME}"
        )
    return {part: str(split) for part, split in found.items()}


def _by_column(packed: Packed, column: str) -> Splits:
    if column not in packed.columns:
        parts = quoted(list(packed.parts))
        raise AssayError(
            f"data.split: {packed.where} has no part and no column {column!r}; its parts are {parts}, and of the "
            f"columns: {nearest(column, packed.columns)}"
        )
    found = [WORDS.get(str(cell).lower(), "") for cell in texts(packed, column)]
    if "" in found:
        cell = texts(packed, column)[found.index("")]
        raise AssayError(
            f"{packed.where}, column {column!r}, row {found.index('') + 1:,}: found {cell!r}, expected one of "
            f"{', '.join(sorted(WORDS))}"
        )
    return _with_training(packed, np.array(found))


def _with_training(packed: Packed, found: Splits) -> Splits:
    if not (found == "train").any():
        raise AssayError(f"{packed.where} has no rows to train on; data.split says which parts are, as {{train: NAME}}")
    return found
