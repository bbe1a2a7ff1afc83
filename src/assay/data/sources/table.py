"""A folder or zip of pictures with a table: what is true of a picture stands in the row that names it.

A picture that no row names is no part of the source; how many there are is counted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay.data.images import Contents, Source
from assay.data.sources.archive import zip_tree
from assay.data.sources.table_columns import splits, told
from assay.data.sources.table_file import ENDINGS, read_table
from assay.data.sources.table_rows import check_labels, meet, missing, one_row_each
from assay.data.sources.tree import Tree, folder_tree
from assay.data.targets import Labels
from assay.errors import AssayError, nearest
from assay.recipe import Data

USUAL = ("image", "file", "filename", "file_name", "path", "image_path", "image_id", "id", "name")
"""Columns that may name the pictures: the first that is there, unless ``data.image`` says which."""

_READ = 2
"""Counts the ways in which a column of splits has been read."""


@dataclass(frozen=True)
class _File:
    name: str
    identity: list[Any]
    read: Callable[[], bytes]


def table_source(path: Path, data: Data, root: Path) -> Source:
    """The pictures in the folder or zip ``path`` that the rows of ``data.table`` name.

    Raises:
        AssayError: the folder or zip is bad, or the table is neither in it, beside it, in the data root nor a path.
    """
    tree = folder_tree(path) if path.is_dir() else zip_tree(path)
    file = _find(tree, path, str(data.table), root)
    columns = data.model_dump(mode="json", include={"image", "label", "targets", "tags", "split"})
    identity = ["table", tree.identity, file.identity, columns, *([_READ] if data.split else [])]
    return Source(tree.where, identity, lambda: _contents(tree, file, data))


def _find(tree: Tree, path: Path, name: str, root: Path) -> _File:
    if not name.lower().endswith(ENDINGS):
        raise AssayError(f"data.table: found {name!r}, expected a file that ends in {', '.join(ENDINGS)}")
    inside = [name] if name in tree.others else [other for other in tree.others if other.endswith(f"/{name}")]
    if len(inside) > 1:
        raise AssayError(
            f"data.table: {tree.where} has {len(inside)} files {name!r}; name one of them: {min(inside)!r}"
        )
    if inside and not path.is_dir():
        return _File(inside[0], inside, lambda: tree.read(inside[0]))
    outside = [place / Path(name).expanduser() for place in (path.parent, root, Path())]
    for file in [path / each for each in inside] or outside:
        if file.is_file():
            stat = file.stat()
            return _File(file.name, [str(file.resolve()), stat.st_size, stat.st_mtime_ns], file.read_bytes)
    there = {*tree.others, *(each.name for each in path.parent.iterdir())}
    hint = nearest(name, [each for each in there if each.lower().endswith(ENDINGS)])
    raise AssayError(f"data.table: there is no {name!r} in {tree.where}, beside it or in the data root; {hint}")


def _contents(tree: Tree, file: _File, data: Data) -> Contents:
    try:
        content = file.read()
    except Exception as error:  # whatever a damaged zip meets
        raise AssayError(f"{file.name} of {tree.where} cannot be read ({error})") from error
    table = read_table(file.name, content, lambda columns: _wanted(file.name, columns, data))
    classes, targets = told(table, data)
    assert not isinstance(data.split, tuple)
    split = splits(table, data.split)
    image, pictures = next(iter(table.columns)), sorted(tree.pictures)
    met = meet(table, image, pictures)
    lost = np.flatnonzero(met < 0).tolist()
    if len(lost) == len(met) or (len(lost) and data.on_bad_image == "fail"):
        raise missing(table, image, lost, tree.where)
    rows = one_row_each(table, image, met, [f"{targets.line(i)} {split[i]}" for i in range(len(met))])
    if isinstance(targets, Labels):
        check_labels(table, str(data.label), rows, targets, split == "test")
    names = [pictures[k] for k in met[rows]]
    return Contents(
        classes=classes,
        names=names,
        targets=targets.subset(rows),
        is_test=split[rows] == "test",
        is_validation=split[rows] == "validation",
        image=lambda i: tree.image(names[i]),
        misplaced=[
            (str(table.columns[image][row]), f"{table.at(row, image)}: there is no such picture") for row in lost
        ],
        unlisted=len(pictures) - len(names),
    )


def _wanted(name: str, columns: Sequence[str], data: Data) -> list[str]:
    """The columns to read, the one that names the pictures first."""
    image = data.image or next((usual for usual in USUAL if usual in columns), None)
    if image is None:
        usual = f"none of the usual columns {', '.join(USUAL)}"
        raise AssayError(f"data.image is missing: {name} has {usual}; say which one names the pictures")
    assert not isinstance(data.split, tuple)
    keys = {"image": image, "label": data.label, "targets": data.targets, "tags": data.tags, "split": data.split}
    wanted: dict[str, str] = {}
    for key, value in keys.items():
        for column in (value,) if isinstance(value, str) else value or ():
            if column not in columns:
                raise AssayError(f"data.{key}: {name} has no column {column!r}; {nearest(column, columns)}")
            if column in wanted:
                raise AssayError(f"data.{key}: column {column!r} of {name} serves as data.{wanted[column]} already")
            wanted[column] = key
    return list(wanted)
