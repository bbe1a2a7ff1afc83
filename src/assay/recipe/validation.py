"""Plain values → typed models, with errors a person can act on."""

import re
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from assay.errors import AssayError, nearest, shown
from assay.recipe.section import expected

M = TypeVar("M", bound=BaseModel)

_EXPECTED = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "string_too_short": "some text",
} | {
    kind: expected
    for kinds, expected in {
        "int_type int_parsing int_from_float": "a whole number",
        "float_type float_parsing": "a number",
        "finite_number": "a finite number",
        "bool_type bool_parsing": "true or false",
        "string_type": "text; a name that looks like a number, true, false or null stands in quotes",
        "list_type tuple_type": "a list",
        "dict_type model_type": "keys and values",
        "model_attributes_type": "a name, or keys and values with a name",
    }.items()
    for kind in kinds.split()
}
"""Pydantic's type of an error → what was expected instead."""


def validate(kind: type[M], values: Any, where: str) -> M:
    """``values`` as a ``kind``; otherwise an AssayError with one line for each thing that is wrong."""
    if found := mistakes(kind, values):
        raise AssayError("\n".join(f"{where}: {line}" for line in found))
    return kind.model_validate(values)


def mistakes(kind: type[BaseModel], values: Any) -> list[str]:
    """What keeps ``values`` from being a ``kind``, a sentence each: the dotted key, the value, what was expected."""
    if not isinstance(values, dict):
        return [f"found {shown(values)}, expected keys and values"]
    try:
        kind.model_validate(values)
    except ValidationError as error:
        return explain(error, kind)
    return []


def explain(error: ValidationError, kind: type[BaseModel]) -> list[str]:
    """One sentence for each key that is wrong; of a value that fits no member of a union, the first or deepest one, and
    of a word in place of a section that could be another word, what that could be."""
    found: dict[str, str] = {}
    for detail in error.errors():
        keys, owner = _walk(detail["loc"], kind)
        path, said = ".".join(keys), _sentence(dict(detail), keys, owner)
        if detail["type"] == "literal_error" and found.get(path, "").endswith("expected keys and values"):
            found[path] = said if "did you mean" in said else f"{said}, or keys and values"
        found.setdefault(path, said)
    return [line for path, line in found.items() if not any(other.startswith(f"{path}.") for other in found)]


def _sentence(detail: dict[str, Any], keys: list[str], owner: type[BaseModel] | None) -> str:
    path, found, context = ".".join(keys), shown(detail["input"]), detail.get("ctx", {})
    is_several = isinstance(detail["input"], list) and detail["input"]
    several = "; to compare several, list them under 'vary'" if is_several else ""
    match detail["type"]:
        case "extra_forbidden" | "invalid_key":
            return f"unknown key '{path}'; {_meant(keys, owner)}"
        case "missing":
            return f"the key '{path}' is missing"
        case "union_tag_invalid":
            return (
                f"{path}: unknown name {context['tag']!r}; {nearest(context['tag'], _quoted(context['expected_tags']))}"
            )
        case "union_tag_not_found":
            return f"{path}: found {found}, expected a name, or keys and values with a name{several}"
        case "literal_error":
            return f"{path}: found {found}; {nearest(detail['input'], _quoted(context['expected']))}{several}"
        case "value_error":
            said = str(context["error"])
            said = f"found {found}, {said}" if said.startswith("expected") else said
            return f"{path}: {said}" if path else said
    field = owner.model_fields.get(keys[-1]) if owner else None
    words = (field and expected(field)) or _EXPECTED.get(detail["type"])
    if words is None:
        return f"{path}: found {found}, {detail['msg'].removeprefix('Input ')}"
    return f"{path}: found {found}, expected {words.format(**context)}{several}"


def _meant(keys: list[str], owner: type[BaseModel] | None) -> str:
    """Which known key is meant by one that is not: a longer one that ends with it, or a similar one."""
    *before, last = keys
    if longer := [key for key in full_keys(owner) if key.endswith(f".{last}")] if owner else []:
        return f"did you mean {' or '.join(repr('.'.join([*before, key])) for key in longer)}?"
    return nearest(last, owner.model_fields if owner else ())


def full_keys(kind: type[BaseModel]) -> list[str]:
    """The dotted keys in a model and in its parts, whichever member of a union a part is; not those in lists."""
    found = dict.fromkeys(kind.model_fields)
    for name, field in kind.model_fields.items():
        for member in _members(field.annotation):
            if isinstance(member, type) and issubclass(member, BaseModel):
                found |= dict.fromkeys(f"{name}.{key}" for key in full_keys(member))
    return list(found)


def _quoted(text: str) -> list[str]:
    """The names in pydantic's ``"'gray' or 'rgb'"``."""
    return re.findall(r"'([^']*)'", text)


def _walk(location: tuple[int | str, ...], kind: type[BaseModel]) -> tuple[list[str], type[BaseModel] | None]:
    """The keys as the user wrote them (union tags left out), and the model that owns the last one."""
    keys: list[str] = []
    owner: type[BaseModel] | None = kind
    here: Any = kind
    for part in location:
        members = [m for m in _members(here) if isinstance(m, type) and issubclass(m, BaseModel)]
        tagged = [
            m for m in members if "name" in m.model_fields and part in get_args(m.model_fields["name"].annotation)
        ]
        chosen = tagged if len(members) > 1 else [m for m in members if m.__name__ == part]
        if chosen:
            here = chosen[0]
            continue
        if keys and re.match(
            r"(bool|str|int|float|constrained-\w+)$|(function-|literal\[|tuple\[|list\[|lax-or-strict|is-instance)",
            str(part),
        ):
            continue
        keys.append(str(part))
        owner = members[0] if len(members) == 1 else None
        if owner is not None and part in owner.model_fields:
            field = owner.model_fields[str(part)]
            here = field.annotation
        elif isinstance(part, int):
            here = next((a for a in get_args(here) if a is not Ellipsis), None)
    return keys, owner


def _members(annotation: Any) -> list[Any]:
    """The alternatives of a type: the members of a union, what Annotated wraps, or the type alone."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [m for a in get_args(annotation) for m in _members(a)]
    if origin is Literal:
        return []
    return [annotation]
