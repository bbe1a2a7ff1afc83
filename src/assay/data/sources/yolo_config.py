"""YOLO's ``data.yaml``: the names of the classes, and where the pictures of each split lie."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from posixpath import basename, dirname
from typing import Any

import yaml

from assay.data.sources.box_classes import checked, listed_classes
from assay.data.sources.tree import Tree
from assay.errors import AssayError
from assay.recipe.data import SplitName


class _Text(yaml.SafeLoader):
    """All as it is written but null: ``no`` and ``007`` are names."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [
            (tag, pattern) for tag, pattern in kinds if tag in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
        ]
        for first, kinds in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_SPLITS: dict[str, SplitName] = {"train": "train", "val": "validation", "valid": "validation", "test": "test"}


@dataclass(frozen=True)
class Config:
    """What lies beside YOLO's labels."""

    where: str
    """The file, as an error names it."""
    names: Mapping[int, str]
    """Of the classes, by their numbers, which may have holes."""
    split_of: Mapping[str, SplitName] = field(default_factory=dict)
    """Picture → split; nothing where the file names no place that is there."""
    has_points: bool = False
    """Whether key points follow the box in a line."""

    @property
    def classes(self) -> list[str]:
        """In the order of their numbers."""
        return [self.names[number] for number in sorted(self.names)]


def config_in(tree: Tree) -> Config | None:
    """What the ``data.yaml`` says that lies least deep, or another YAML with ``names``, or else a list of classes; None
    where there is none.

    Raises:
        AssayError: it cannot be read, names no class or one twice, or says another number of classes.
    """
    files = [name for name in tree.others if name.lower().endswith((".yaml", ".yml"))]
    for file in sorted(files, key=lambda name: (name.count("/"), not basename(name).startswith("data."), name)):
        try:
            found = yaml.load(tree.read(file).decode("utf-8-sig"), _Text)
        except Exception as error:  # whatever a damaged file meets
            why = " ".join(str(error).split())
            raise AssayError(f"{file} of {tree.where} cannot be read as YAML ({why})") from error
        if isinstance(found, dict) and "names" in found:
            return _config(tree, file, found)
    names = listed_classes(tree)
    return None if names is None else Config("the list of classes", dict(enumerate(names)))


def _config(tree: Tree, file: str, found: Mapping[Any, Any]) -> Config:
    where = f"{file} of {tree.where}"
    names = found["names"]
    by_number = {str(k): name for k, name in enumerate(names)} if isinstance(names, list) else names
    if not isinstance(by_number, dict) or not all(str(number).isdecimal() for number in by_number):
        raise AssayError(f"{where}: names is {names!r}, expected a list, or numbers with the name of each class")
    for number, name in by_number.items():
        if not isinstance(name, str) or not name:
            said = repr(name) if name else "nothing"
            raise AssayError(
                f"{where} has {said} for the name of class {number}, expected text; the name null stands in quotes"
            )
    named = {int(number): name for number, name in by_number.items()}
    checked(where, list(named.values()))
    if (number := found.get("nc", str(len(named)))) != str(len(named)):
        raise AssayError(f"{where} says nc: {number}, and names {len(named):,} classes")
    split_of: dict[str, SplitName] = {}
    for key, split in _SPLITS.items():
        entries = found.get(key)
        for entry in entries if isinstance(entries, list) else [entries] if isinstance(entries, str) else []:
            for name in _pictures(tree, str(entry)):
                if (was := split_of.setdefault(name, split)) != split:
                    raise AssayError(
                        f"{where} puts {name} in two splits, {was} and {split} (by {key}: {entry}); expected one"
                    )
    return Config(file, named, split_of, "kpt_shape" in found)


def _pictures(tree: Tree, entry: str) -> list[str]:
    """Those in the folder that an entry names, or in the list, as far as the end of its path is there."""
    if not entry.endswith(".txt"):
        folder = _ending_alike(entry, {dirname(name) for name in tree.pictures} | set(tree.folders))
        return [] if folder is None else [name for name in tree.pictures if f"/{name}".startswith(f"/{folder}/")]
    if (file := _ending_alike(entry, tree.others)) is None:
        return []
    try:
        lines = tree.read(file).decode("utf-8-sig").splitlines()
    except Exception as error:  # whatever a damaged file meets
        raise AssayError(f"{file} of {tree.where} cannot be read ({error})") from error
    by_name: dict[str, list[str]] = {}
    for name in tree.pictures:
        by_name.setdefault(basename(name), []).append(name)
    found = (_ending_alike(line.strip(), by_name.get(basename(line.strip()), ())) for line in lines if line.strip())
    return [name for name in found if name is not None]


def _ending_alike(path: str, there: Collection[str]) -> str | None:
    """Of ``there`` the one that shares the longest end with a path from another machine, two of its parts at least
    where it has them; None without any."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for first in range(max(1, len(parts) - 1)):
        end = "/".join(parts[first:])
        if found := [name for name in there if f"/{name}".endswith(f"/{end}")]:
            return min(found, key=lambda name: (name.count("/"), name))
    return None
