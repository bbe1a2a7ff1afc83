"""Any folder or zip of pictures with boxes: COCO's JSON, Pascal VOC's XML or YOLO's text files, told apart by what lies
there."""

from collections.abc import Collection

from assay.data.images import Contents
from assay.data.sources.coco_boxes import coco_boxes
from assay.data.sources.tree import Tree
from assay.data.sources.voc_boxes import voc_contents
from assay.data.sources.yolo import yolo_contents
from assay.errors import AssayError
from assay.recipe.data import Layout

FORMATS = "Pascal VOC's XML, COCO's JSON, or YOLO's text files with data.yaml"
_ENDINGS = (".xml", ".json", ".txt", ".yaml", ".yml", ".names")


def box_files(others: Collection[str]) -> list[str]:
    """Those that may tell boxes."""
    return [name for name in others if name.lower().endswith(_ENDINGS)]


def boxes_in(tree: Tree, stated: Layout | None) -> Contents | None:
    """The pictures with their boxes; None where there are none. ``stated`` is ``data.layout``.

    Raises:
        AssayError: ``stated`` says that there is something else, or as the format's reader.
    """
    if isinstance(stated, str):
        raise AssayError(f"data.layout: {stated}, and boxes are asked for; leave it out")
    splits = dict(stated or ())
    return coco_boxes(tree, splits) or voc_contents(tree, splits) or yolo_contents(tree, splits)
