"""What the name of a source says of its format, and which part of such a source is which split."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import BeforeValidator, Field, PlainSerializer

Format = Literal["hf", "parquet", "webdataset"]
SplitName = Literal["train", "validation", "test"]
_ENDINGS: dict[str, Format] = {".parquet": "parquet", ".pq": "parquet", ".tar": "webdataset"}


def packed(source: str) -> tuple[Format, str] | None:
    """(format, where) of a source that keeps pictures and what is true of them in columns: ``parquet`` and
    ``views.parquet`` of ``views.parquet``, ``hf`` and ``beans`` of ``hf:beans``; None of any other."""
    before, colon, where = source.partition(":")
    if colon and before in get_args(Format):
        return cast(Format, before), where
    return next(((each, source) for ending, each in _ENDINGS.items() if source.lower().endswith(ending)), None)


def _split(value: Any) -> Any:
    if value is None or isinstance(value, tuple):
        return value
    if isinstance(value, str) and value:
        return value
    splits = get_args(SplitName)
    stated = value if isinstance(value, Mapping) else {}
    parts = {split: [part] if isinstance(part, str) else part for split, part in stated.items()}
    if "train" not in parts or not set(parts) <= set(splits) or not all(map(_are_names, parts.values())):
        raise ValueError(
            "expected a column, or the parts of the source that are its train, validation and test split, as "
            "{train: train, test: validation}"
        )
    return tuple((split, tuple(parts[split])) for split in splits if split in parts)


def _are_names(parts: Any) -> bool:
    return isinstance(parts, list) and bool(parts) and all(isinstance(part, str) and part for part in parts)


def _written(split: Any) -> Any:
    if not isinstance(split, tuple):
        return split
    return {name: parts[0] if len(parts) == 1 else list(parts) for name, parts in split}


Split = Annotated[
    str | tuple[tuple[SplitName, tuple[str, ...]], ...] | None,
    BeforeValidator(_split),
    PlainSerializer(_written),
    Field(default=None, exclude_if=lambda split: split is None),
]
"""The name of a column or part, or (split, parts); in a file a mapping."""
