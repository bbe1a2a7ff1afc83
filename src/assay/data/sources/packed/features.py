"""What columns hold, by the features that Hugging Face's ``datasets`` writes beside them, and by Polars' types."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from assay.data.sources.packed.rows import Column

_LISTS = ("List", "LargeList", "Sequence")
BOX, CATEGORIES = "bbox", ("category", "categories", "category_id", "label", "labels")
"""What an object is told by: x, y, width and height in pixels as in COCO, and its class."""


def column_of(feature: Any) -> Column:
    """A column by its feature, as ``Features.to_dict`` has it."""
    kind, inner = _kind(feature)
    if kind in _LISTS or isinstance(feature, list):
        return _list_of(inner)
    match kind:
        case "Image":
            return Column("picture")
        case "ClassLabel":
            return Column("class", tuple(feature["names"]))
        case "Value":
            return _of_value(str(feature["dtype"]))
        case "struct" if BOX in feature:
            return Column("objects", _category(feature))
    return Column("other")


def _kind(feature: Any) -> tuple[str, Any]:
    """(the feature's type, what a list is of)."""
    if isinstance(feature, list):
        return "List", feature[0]
    kind = feature.get("_type", "struct")
    return (kind if isinstance(kind, str) else "struct"), feature.get("feature")


def _list_of(inner: Any) -> Column:
    kind, _ = _kind(inner)
    if kind == "struct" and BOX in inner:
        return Column("objects", _category(inner))
    if kind == "ClassLabel":
        return Column("list", tuple(inner["names"]))
    return Column("list" if kind == "Value" and _of_value(str(inner["dtype"])).kind == "class" else "other")


def _category(objects: Mapping[str, Any]) -> tuple[str, ...]:
    feature = next((objects[key] for key in CATEGORIES if key in objects), None)
    if feature is None:
        return ()
    kind, inner = _kind(feature)
    return tuple((inner if kind in _LISTS else feature).get("names") or ())


def _of_value(dtype: str) -> Column:
    if dtype.startswith(("float", "double", "decimal")):
        return Column("number")
    is_class = dtype.startswith(("int", "uint", "bool", "string", "large_string"))
    return Column("class" if is_class else "picture" if "binary" in dtype else "other")


def column_by_type(dtype: Any) -> Column:
    """A column by its type in Polars alone."""
    if isinstance(dtype, pl.Struct):
        fields = {field.name: field.dtype for field in dtype.fields}
        return Column("picture" if "bytes" in fields else "objects" if BOX in fields else "other")
    if isinstance(dtype, pl.List | pl.Array):
        inner = dtype.inner
        if isinstance(inner, pl.Struct):
            return Column("objects" if BOX in {field.name for field in inner.fields} else "other")
        return Column("list" if _is_class(inner) else "other")
    if dtype.is_float() or dtype.is_decimal():
        return Column("number")
    return Column("picture" if dtype == pl.Binary else "class" if _is_class(dtype) else "other")


def _is_class(dtype: Any) -> bool:
    return bool(dtype.is_integer()) or dtype in (pl.String, pl.Boolean, pl.Categorical, pl.Enum)
