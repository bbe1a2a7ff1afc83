"""What the sections of a recipe are made of: immutable parts, shorthand, amounts, ranges of numbers."""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

from assay.errors import unknown


def _strict(schema: Any) -> Any:
    """A pydantic schema with strict numbers and truth values at any depth; pydantic's own ``strict`` would refuse lists
    for tuples."""
    if isinstance(schema, dict):
        strict = {"strict": True} if schema.get("type") in ("int", "float", "bool") else {}
        return {key: _strict(value) for key, value in schema.items()} | strict
    return type(schema)(map(_strict, schema)) if type(schema) in (list, tuple) else schema


class Strict(BaseModel):
    """A model that takes numbers for numbers: neither ``true`` nor ``"3"`` is one, ``3.0`` no whole one, and ``1`` no
    truth value."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The usual schema, but for its numbers and truth values."""
        schema: CoreSchema = _strict(handler(source))
        return schema


class Section(Strict):
    """A part of the recipe: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Expected:
    """Annotates a field whose type alone does not say in words what may stand there."""

    words: str


def expected(field: FieldInfo) -> str | None:
    """The words with which ``field`` is annotated."""
    return next((each.words for each in field.metadata if isinstance(each, Expected)), None)


def named(default: str | None = None) -> BeforeValidator:
    """Let ``adam`` stand for ``{name: adam}``, and ``{lr: 0.1}`` for the default with another rate."""

    def expand(value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        return {"name": default, **value} if default and isinstance(value, dict) else value

    return BeforeValidator(expand)


def _amount(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected a share between 0 and 1 or a whole number of images")
    if not 0 <= value < math.inf or (value > 1 and value != int(value)):
        raise ValueError("expected a share between 0 and 1 or a whole number of images")
    return int(value) if value > 1 else float(value)


Amount = Annotated[int | float, BeforeValidator(_amount)]
"""A share (0 to 1; 1 is everything) or, above 1, a number of images."""


def _some(value: int | float) -> int | float:
    if value == 0:
        raise ValueError("expected more than 0")
    return value


Some = Annotated[Amount, AfterValidator(_some)]
"""An amount that is not nothing."""


def _pattern(value: Any) -> Any:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"expected a regular expression ({error})") from None
    except TypeError:
        raise ValueError("expected a regular expression, as text") from None
    return value


Pattern = Annotated[str, BeforeValidator(_pattern)]
"""A regular expression, kept as text."""


NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]


def pair(value: Any, kind: str, known: Collection[str], expected: str) -> dict[str, Any]:
    """``{rotation: 15}`` or ``rotation`` as one of the ``known`` names and an amount; ValueError for anything else."""
    if isinstance(value, str):
        value = {value: None}
    if isinstance(value, dict) and len(value) == 1 and "name" not in value:
        name, amount = next(iter(value.items()))
        value = {"name": name, "amount": amount}
    if not isinstance(value, dict) or "name" not in value:
        raise ValueError(f"expected {expected}")
    if value["name"] not in known:
        raise ValueError(str(unknown(kind, value["name"], known)))
    return value
