"""YAML as people write it: loaded safely, ``1e-3`` is a number, a key that stands twice is refused."""

import re
from pathlib import Path
from typing import Any

import yaml

from assay.errors import AssayError, nearest


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
        raise AssayError(f"{where} is not valid YAML: {error.problem or error.context}{place}") from None
    except yaml.YAMLError as error:
        raise AssayError(f"{where} is not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise AssayError(f"{where} is not valid YAML: it is nested too deeply") from None


class _Loader(yaml.SafeLoader):
    """The safe loader, refusing a key that stands twice (looked for before ``<<`` merges anything)."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise yaml.composer.ComposerError(None, None, f"the key '{key.value}' stands twice", key.start_mark)
                seen.add((key.tag, key.value))
        return node


_Loader.add_implicit_resolver(  # YAML 1.1, which yaml reads, takes 1e-3 for text
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
