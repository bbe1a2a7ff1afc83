"""Any folder or zip of pictures: with masks (``masks``, ``coco``), with ``boxes``, else in class folders (``layout``).

A file beside the pictures of a class that does not end like one is bad.
"""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from assay.data.images import Contents, Source
from assay.data.sources.archive import zip_identity, zip_tree
from assay.data.sources.boxes import FORMATS, box_files, boxes_in
from assay.data.sources.class_list import list_files
from assay.data.sources.coco import coco_contents
from assay.data.sources.coco_files import coco_files
from assay.data.sources.formats import what_it_is
from assay.data.sources.layout import layout
from assay.data.sources.mask_pairs import in_one_place, lone_images
from assay.data.sources.masks import mask_contents
from assay.data.sources.panoptic import panoptic_contents, panoptic_files
from assay.data.sources.tree import Tree, folder_tree
from assay.data.sources.voc import voc_lists
from assay.data.targets import Labels
from assay.errors import AssayError, nearest
from assay.recipe.data import Ignore, Layout, Truth
from assay.system.files import legible

READ = 4
"""Counts the ways in which folders have been read; pictures that an earlier one placed are placed anew."""


def folder_source(
    path: Path, stated: Layout | None = None, ignore: Ignore | None = None, truth: Truth | None = None
) -> Source:
    """The pictures in a folder; ``stated`` is ``data.layout``, the others are the keys of their names."""
    tree = folder_tree(path)
    tell = {*list_files(tree.others), *voc_lists(tree.others)}
    tell.update(coco_files(tree.others), panoptic_files(tree.others))
    if truth == "boxes" or in_one_place(tree.pictures):
        tell.update(box_files(tree.others))
    stamps = [[name, *tree.stamps[name]] for name in sorted(tell)]
    return _source(tree.where, [*tree.identity, *stamps], lambda: tree, stated, ignore, truth)


def zip_source(
    path: Path, stated: Layout | None = None, ignore: Ignore | None = None, truth: Truth | None = None
) -> Source:
    """The pictures in a zip, which is opened only when its contents are asked for; else as ``folder_source``."""
    return _source(legible(str(path)), zip_identity(path), lambda: zip_tree(path), stated, ignore, truth)


def _source(
    where: str,
    identity: list[Any],
    tree: Callable[[], Tree],
    stated: Layout | None,
    ignore: Ignore | None,
    truth: Truth | None,
) -> Source:
    keys = [key for key in (ignore, truth) if key is not None]
    return Source(where, [identity, READ, stated, *keys], lambda: _contents(tree(), stated, ignore, truth))


def _contents(tree: Tree, stated: Layout | None, ignore: Ignore | None, truth: Truth | None) -> Contents:
    if truth == "boxes":
        if ignore is not None:
            raise AssayError("data.ignore names classes of masks, and boxes are asked for; leave it out")
        if (boxes := boxes_in(tree, stated)) is None:
            raise AssayError(f"{tree.where} has no boxes: expected {FORMATS}")
        return _all_named(boxes, tree, stated)
    ways = (panoptic_contents, mask_contents, coco_contents)
    masks = next((found for way in ways if (found := way(tree, stated, ignore))), None)
    if masks is None and stated == "masks":
        raise AssayError(
            f"data.layout: masks, and {tree.where} has no picture with a mask of the same name (in a folder such as "
            "masks, or with an ending such as _mask), and no objects in COCO's JSON"
        )
    if masks is None and ignore is not None:
        raise AssayError(f"data.ignore names classes of masks, and {tree.where} has none")
    if masks is None and not isinstance(stated, str) and in_one_place(tree.pictures):
        masks = boxes_in(tree, stated)
    return _classified(tree, stated) if masks is None else _all_named(masks, tree, stated)


def _all_named(found: Contents, tree: Tree, stated: Layout | None) -> Contents:
    """What was found, unless ``stated`` names what is neither a folder of the source nor a file that tells splits."""
    for name, _ in stated if isinstance(stated, tuple) else ():
        called = {PurePosixPath(folder).name for folder in tree.folders}
        if name not in called | set(tree.folders) | {PurePosixPath(other).stem for other in tree.others}:
            raise AssayError(f"data.layout: {tree.where} has no folder {name!r}; {nearest(name, called)}")
    return found


def _classified(tree: Tree, stated: Layout | None) -> Contents:
    try:
        found = layout(tree.where, tree.pictures, tree.folders, stated)
    except AssayError as error:
        if stated is not None or not (missing := lone_images(tree.pictures, tree.folders, tree.others)):
            raise
        raise AssayError(f"{tree.where}: {missing}; or a folder of pictures for each class") from error
    number = {name: k for k, name in enumerate(found.classes)}
    names = [p.name for p in found.placed]
    places = {str(PurePosixPath(name).parent) for name in names}
    beside = [name for name in sorted(tree.others) if str(PurePosixPath(name).parent) in places]
    return Contents(
        classes=found.classes,
        names=names,
        targets=Labels(np.array([number[p.label] for p in found.placed], dtype=np.int64)),
        is_test=np.array([p.split == "test" for p in found.placed], dtype=bool),
        is_validation=np.array([p.split == "validation" for p in found.placed], dtype=bool),
        image=lambda i: tree.image(names[i]),
        misplaced=found.misplaced + [(name, _why(name)) for name in beside],
    )


def _why(name: str) -> str:
    what = what_it_is(name)
    return f"{what}, which is not read: convert it, to PNG for example" if what else "does not end like a picture"
