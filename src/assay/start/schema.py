"""The JSON schema of a study file, by which editors complete keys and underline mistakes.

It takes every file that assay takes, shorthand included; what only the whole recipe can say (a loss that its task does
not know, an argument that a network does not have) it does not see.
"""

from collections.abc import Collection
from typing import Any, get_args

from assay.recipe import AUGMENTATIONS, Recipe
from assay.recipe.model import HEAD_LAYERS
from assay.recipe.packed import SplitName
from assay.recipe.study import Study

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]
ANY_LIST: Schema = {"type": "array", "minItems": 1}


def study_schema() -> Schema:
    """The schema as plain values, in the dialect 2020-12."""
    recipe = _shorthand(Recipe.model_json_schema())
    parts = {name: _whole(name, part) for name, part in recipe.pop("$defs").items()}
    del recipe["properties"]["seed"], recipe["title"]
    changes = {key: True for key in _keys(recipe, parts)}
    study = Study.model_json_schema()
    parts |= study.pop("$defs")
    levels: Schema = {"anyOf": [ANY_LIST, {"$ref": "#/$defs/Range"}]}
    study["required"] = ["title", "base"]
    study["properties"] |= {
        "base": recipe,
        "vary": {"type": ["object", "null"], "properties": dict.fromkeys(changes, levels)}
        | {"additionalProperties": levels},
        "variants": {
            "type": ["object", "null"],
            "additionalProperties": {"type": ["object", "null"], "properties": changes},
        },
    }
    return {"$schema": DIALECT, **study, "title": "A study of assay", "$defs": parts}


def _shorthand(schema: Any) -> Any:
    """Where one of several named sections stands, its name alone or its options alone may stand too; nothing is
    required, for a variant may give it."""
    if isinstance(schema, list):
        return [_shorthand(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _shorthand(value) for key, value in schema.items() if key not in ("required", "discriminator")}
    if "discriminator" in schema:
        names = list(schema["discriminator"]["mapping"])
        kept["anyOf"] = [{"enum": names}, *kept.pop("oneOf")]
    return kept


def _whole(name: str, part: Schema) -> Schema:
    """A section with the shorthand of its own."""
    properties = part.get("properties", {})
    match name:
        case "Augmentation":
            return _pair(part, AUGMENTATIONS)
        case "HeadLayer":
            return _pair(part, HEAD_LAYERS)
        case "Model":
            return {"anyOf": [{"type": "string"}, part]}
        case "Data":
            return part | {"properties": properties | _data(properties)}
        case "SumOfLosses":
            return {"anyOf": [properties["of"], part]}
    return part


def _data(properties: Schema) -> Schema:
    """The keys of the data that may be written in another way than they are kept."""
    text, nothing, split = {"type": "string"}, {"type": "null"}, {"enum": list(get_args(SplitName))}
    parts = {"anyOf": [text, ANY_LIST | {"items": text}]}
    by_split = {"type": "object", "properties": dict.fromkeys(split["enum"], parts), "additionalProperties": False}
    folders = {"type": "object", "additionalProperties": split, "minProperties": 1}
    return {
        "layout": {"anyOf": [*properties["layout"]["anyOf"], folders]},
        "imbalance": {"type": ["object", "null"], "additionalProperties": {"type": "number"}},
        "targets": {"anyOf": [text, *properties["targets"]["anyOf"]]},
        "ignore": {"anyOf": [text, {"type": "integer"}, *properties["ignore"]["anyOf"]]},
        "split": {"anyOf": [text, by_split | {"required": ["train"]}, nothing]},
    }


def _pair(part: Schema, names: Collection[str]) -> Schema:
    """``rotation``, ``{rotation: 15}``, or both keys written out."""
    amounts: Schema = {"type": ["number", "null"]}
    short = {"type": "object", "properties": dict.fromkeys(names, amounts), "additionalProperties": False}
    return {"anyOf": [{"enum": list(names)}, short | {"minProperties": 1, "maxProperties": 1}, part]}


def _keys(schema: Schema, parts: dict[str, Schema], path: str = "") -> list[str]:
    """The dotted keys of a section and of those in it, for completion."""
    found = []
    for each in (schema, *schema.get("anyOf", [])):
        here = parts[each["$ref"].rpartition("/")[2]] if "$ref" in each else each
        if here is not schema:
            found += _keys(here, parts, path)
            continue
        for name, value in here.get("properties", {}).items():
            key = f"{path}.{name}".lstrip(".")
            found += [key, *_keys(value, parts, key)]
    return list(dict.fromkeys(found))
