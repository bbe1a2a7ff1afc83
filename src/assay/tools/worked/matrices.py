"""Lists as they stand in YAML, made arrays: every row as long as the others, every entry a number."""

from collections.abc import Sequence
from math import prod
from typing import Any

from assay.errors import AssayError, quoted
from assay.tools.worked.exact import number
from assay.tools.worked.expressions import Numbers, Shape


def array(value: Any, where: str) -> Numbers:
    """Nested lists as numbers. AssayError for rows of different lengths, empty ones, and what is no number."""
    if not isinstance(value, list):
        raise AssayError(f"{where}: expected a list of numbers, or of rows, found {value!r}")
    if not value:
        raise AssayError(f"{where}: the list is empty; expected numbers, or rows of them")
    if not any(isinstance(each, list) for each in value):
        return Numbers((len(value),), tuple(number(each, f"{where}[{i}]") for i, each in enumerate(value)))
    lengths = [len(each) if isinstance(each, list) else None for each in value]
    for place, length in enumerate(lengths):
        if length != lengths[0] or length is None:
            raise AssayError(
                f"{where} is no matrix: row {place + 1} has {_numbers(length)}, row 1 has {_numbers(lengths[0])}; "
                "expected rows of one length"
            )
    parts = [array(each, f"{where}[{i}]") for i, each in enumerate(value)]
    for place, part in enumerate(parts):
        if part.shape != parts[0].shape:
            raise AssayError(
                f"{where} is no array: part {place + 1} is {sizes(part.shape)}, part 1 {sizes(parts[0].shape)}; "
                "expected parts of one shape"
            )
    return Numbers((len(parts), *parts[0].shape), tuple(number for part in parts for number in part.values))


def _numbers(length: int | None) -> str:
    if length is None:
        return "no list"
    return "1 number" if length == 1 else f"{length} numbers"


def reshaped(numbers: Numbers, shape: Shape, where: str, what: str) -> Numbers:
    """The same numbers in another shape. AssayError, naming what they are for, where they are fewer or more."""
    if len(numbers.values) != prod(shape):
        raise AssayError(f"{where}: expected {sizes(shape)} numbers, {what}, found {sizes(numbers.shape)}")
    return Numbers(shape, numbers.values)


def sizes(shape: Sequence[int]) -> str:
    """``3 × 3``."""
    return " × ".join(map(str, shape)) if shape else "1"


def whole(value: Any, where: str, least: int) -> int:
    """A whole number of at least so much, else AssayError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise AssayError(f"{where}: expected a whole number of at least {least}, found {value!r}")
    return value


def per_axis(value: Any, axes: int, where: str, least: int) -> Shape:
    """A whole number for every axis: one for all, or a list."""
    if not isinstance(value, list):
        return (whole(value, where, least),) * axes
    if len(value) != axes:
        raise AssayError(f"{where}: expected a number an axis, {axes} in all, found {quoted(value)}")
    return tuple(whole(each, f"{where}[{i}]", least) for i, each in enumerate(value))
