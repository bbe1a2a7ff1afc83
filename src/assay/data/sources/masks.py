"""Any folder or zip of pictures with masks: paired by their names, their classes told by a list beside them.

Without a list the values that occur are the classes. 255 is void where the list names no class for it.
"""

from collections.abc import Sequence

import numpy as np

from assay.data.images import Contents
from assay.data.mask_files import MaskFiles
from assay.data.own_masks import Mask
from assay.data.sources.class_list import ClassList, class_list
from assay.data.sources.ignored import code_of
from assay.data.sources.mask_pairs import mask_pairs
from assay.data.sources.mask_pictures import Code, opened, read_mask
from assay.data.sources.mask_values import by_values, refuse_absent, settled
from assay.data.sources.tree import Tree
from assay.data.sources.voc import VOC, listed, voc_lists
from assay.errors import AssayError
from assay.recipe.data import Ignore, Layout


def mask_contents(tree: Tree, stated: Layout | None, ignore: Ignore | None) -> Contents | None:
    """The pictures with their masks; None where the source is not laid out so.

    ``stated`` is ``data.layout``, ``ignore`` is ``data.ignore``.

    Raises:
        AssayError: as ``mask_pairs``, ``class_list`` and ``code_of``; the masks hold 0 and 255 only and nothing says
            what these are; no mask has a value that ``ignore`` names and no class; or no picture that a list of VOC's
            names has a mask.
    """
    found = mask_pairs(tree.where, tree.pictures, stated)
    if found is None:
        return None
    lists, unlisted = voc_lists(tree.others), 0
    absent: list[tuple[str, str]] = []
    if lists:
        found, absent, unlisted = listed(tree, found, lists, dict(stated) if isinstance(stated, tuple) else {})
    pairs = found.pairs
    if not pairs:
        raise AssayError(f"{tree.where} has no picture with a mask of those that {', '.join(lists)} list")
    masks = [pair.mask for pair in pairs]
    classes, code = code_of(_classes(tree, masks, bool(lists)), ignore)
    refuse_absent(tree, masks, code.void)
    return Contents(
        classes=classes,
        names=[pair.name for pair in pairs],
        targets=MaskFiles(lambda i: _mask(tree, masks[i], code), len(pairs)),
        is_test=np.array([pair.split == "test" for pair in pairs], dtype=bool),
        is_validation=np.array([pair.split == "validation" for pair in pairs], dtype=bool),
        image=lambda i: tree.image(pairs[i].name),
        misplaced=absent + found.misplaced,
        colours=code.colours,
        unlisted=unlisted,
    )


def _classes(tree: Tree, masks: Sequence[str], is_voc: bool) -> ClassList:
    there = settled(tree, masks, class_list(tree))
    return there or (VOC if is_voc else by_values(tree, masks))


def _mask(tree: Tree, name: str, code: Code) -> Mask:
    with opened(tree, name) as image:
        return read_mask(image, name, code)
