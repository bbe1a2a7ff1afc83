"""Plain values → typed models, with errors a person can act on."""

from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from assay.errors import AssayError, nearest

M = TypeVar("M", bound=BaseModel)


def validate(kind: type[M], values: Any, where: str) -> M:
    """``values`` as a ``kind``; otherwise an AssayError with one line for each thing that is wrong."""
    if not isinstance(values, dict):
        raise AssayError(f"{where}: expected keys and values, found {_shown(values)}")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise AssayError("\n".join(f"{where}: {line}" for line in explain(error, kind))) from None


def explain(error: ValidationError, kind: type[BaseModel]) -> list[str]:
    """One sentence for each error: the dotted key, the value found, what was expected."""
    return list(dict.fromkeys(_sentence(dict(detail), kind) for detail in error.errors()))


def _sentence(detail: dict[str, Any], kind: type[BaseModel]) -> str:
    keys, owner = _walk(detail["loc"], kind)
    path = ".".join(keys)
    message, found = detail["msg"], _shown(detail["input"])
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key '{path}'; {nearest(keys[-1], owner.model_fields if owner else ())}"
        case "missing":
            return f"the key '{path}' is missing"
        case "union_tag_invalid":
            expected = [part.strip(" '") for part in detail["ctx"]["expected_tags"].split(",")]
            return f"unknown {path.split('.')[-1]} {detail['ctx']['tag']!r}; {nearest(detail['ctx']['tag'], expected)}"
        case "union_tag_not_found":
            return f"{path}: found {found}, expected a name, or keys and values with a name"
        case "literal_error":
            expected = [part.strip(" '") for part in detail["ctx"]["expected"].replace(" or ", ",").split(",")]
            return f"{path}: found {found}; {nearest(detail['input'], expected)}"
        case "value_error":
            return (f"{path}: " if path else "") + str(detail["ctx"]["error"])
    lowered = message.removeprefix("Input ").replace("unable to parse string as an integer", "not a whole number")
    lowered = lowered.replace("unable to parse string as a number", "not a number")
    return f"{path}: found {found}, {lowered[0].lower()}{lowered[1:]}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


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
        if tagged and len(members) > 1:
            here = tagged[0]
            continue
        if str(part).startswith(("function-", "tuple[", "constrained-", "lax-or-strict", "is-instance")) or (
            part in ("int", "float") and keys
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
