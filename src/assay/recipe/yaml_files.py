"""YAML as people write it: loaded safely, keys and names as they stand, ``1e-3`` a number, no key twice.

yaml reads YAML 1.1, in which 010 is 8, ``no`` is false, 1:30 is 90 and 2024-01-01 a date. Here a key is the text that
stands there; a value is a number, true, false or null where it looks like one today (YAML 1.2), and else text.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from assay.errors import AssayError, nearest

_WHOLE = r"(0|[1-9][0-9]*)"
VALUES = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (rf"[-+]?{_WHOLE}", list("-+0123456789")),
    "float": (
        rf"[-+]?({_WHOLE}(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
"""What is not text → (how it looks, how it begins). Zeros lead no number: 010 is a name."""

HINTS = {
    "unknown escape character": "in double quotes \\ begins an escape; put a path in single quotes",
    "'\\t' that cannot start any token": "indent with blanks, not tabs",
    "that cannot start any token": "a text that begins with it stands in quotes",
    "undefined alias": "a text that begins with * stands in quotes",
    "expected alphabetic or numeric character": "a text that begins with * or & stands in quotes",
    "but got ':'": "a bracket before it is still open, or a text with a colon in it stands without quotes",
}
"""A part of what yaml says → the way out."""


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values in a YAML file. Raises AssayError where it is missing, unreadable or holds anything else."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        folder = path.parent
        there = [p.name for p in folder.glob("*.yaml")] if folder.is_dir() else []
        hint = nearest(path.name, there) if there else "expected a YAML file"
        raise AssayError(f"there is no file {path}; {hint}") from None
    except UnicodeDecodeError:
        raise AssayError(f"{path} is not text in UTF-8, as YAML must be") from None
    except OSError as error:
        raise AssayError(f"{path} cannot be read: {error.strerror or error}") from None
    values = parse_yaml(text, str(path))
    if not isinstance(values, dict):
        raise AssayError(f"{path}: expected keys and values, found {'nothing' if values is None else 'something else'}")
    return values


def parse_yaml(text: str, where: str) -> Any:
    """The value of a YAML text; ``where`` names it in the AssayError for a malformed one."""
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark and "\n" in text else ""
        problem = str(error.problem or error.context)
        line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else ""
        raise AssayError(f"{where} is not valid YAML: {problem}{place}{way_out(problem, line)}") from None
    except yaml.YAMLError as error:
        raise AssayError(f"{where} is not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise AssayError(f"{where} is not valid YAML: it is nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise AssayError(f"{where} is not valid YAML: {error}") from None


def dump_yaml(values: Any, width: int = 80) -> str:
    """Plain values as YAML that ``parse_yaml`` reads back as they are, the keys in their order."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width)


def way_out(problem: str, line: str) -> str:
    """What to do about what yaml says of a line: "; …", or nothing where nothing is known."""
    text_with_colon = re.match(r"\s*(?:- )?([\w.]+): +(?!['\"\[{])(.*:(?: .*)?)$", line.rstrip())
    if "mapping values are not allowed" in problem and text_with_colon:
        key, value = text_with_colon.groups()
        quoted = value.replace("'", "''")
        return f"; a text with a colon in it stands in quotes: {key}: '{quoted}'"
    return next((f"; {hint}" for part, hint in HINTS.items() if part in problem), "")


class _Loader(yaml.SafeLoader):
    """The safe loader, refusing a key that stands twice (looked for before ``<<`` merges anything)."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.composer.ComposerError(None, None, f"the key '{key.value}' stands twice", key.start_mark)
                seen.add(key.value)
                if key.tag != "tag:yaml.org,2002:merge":
                    key.tag = "tag:yaml.org,2002:str"
        return node


class _Dumper(yaml.SafeDumper):
    """The safe dumper: what either YAML 1.1 or ``_Loader`` would not read as text is quoted."""


_Loader.yaml_implicit_resolvers = {}
for _kind, (_pattern, _first) in VALUES.items():
    _resolver = f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), _first
    _Loader.add_implicit_resolver(*_resolver)
    _Dumper.add_implicit_resolver(*_resolver)
