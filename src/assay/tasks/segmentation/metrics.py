"""What is known of the metrics of segmentation.

A metric of one class bears its name, ``iou_road``. Which tools report which number as "mIoU" is told in
``docs/segmentation.md``.
"""

from functools import partial

from assay.tasks.metric import LOSS, NOT_NEGATIVE, TO_ONE, Metric

_share = partial(Metric, better="higher", of="answers", unit="share", within=TO_ONE)
_loss = partial(Metric, better="lower", of="answers", within=NOT_NEGATIVE)
_CLASS = {"class": "(?!(macro|micro)$).+"}
"""A class of that name has no number of its own beside the means, but in the table ``classes``."""

NEAR = 3
"""Pixels from a border of the truth within which answers are counted apart, unless a recipe states another width."""
DILATION = 0.02
"""Of an image's diagonal: how wide the bands of boundary IoU then are."""


def near_names(border: int | None) -> tuple[str, str, str]:
    """The metrics of answers near borders, where ``evaluate: segmentation`` states so many pixels, or none."""
    at = "" if border is None else f"{border}_"
    return f"border_{at}miou", f"border_{at}accuracy", f"boundary_{at}iou"


_WITHIN = {"pixels": "[0-9]+"}
OF_BORDERS = (
    _share("border_miou", f"mIoU within {NEAR} px of borders"),
    _share("border_{pixels}_miou", "mIoU within {pixels} px of borders", where=_WITHIN),
    _share("border_accuracy", f"pixel accuracy within {NEAR} px of borders"),
    _share("border_{pixels}_accuracy", "pixel accuracy within {pixels} px of borders", where=_WITHIN),
    _share("boundary_iou", f"boundary IoU ({100 * DILATION:g} % of the diagonal)"),
    _share("boundary_{pixels}_iou", "boundary IoU ({pixels} px)", where=_WITHIN),
)
"""Numbers at another width go by another name, and are compared with their own kind only."""

SEGMENTATION = (
    _share("miou", "mIoU"),
    _share("miou_per_image", "mIoU per image"),
    _share("miou_per_pair", "mIoU per image and class"),
    _share("iou_micro", "pooled IoU"),
    _share("dice_macro", "Dice (macro)"),
    _share("pixel_accuracy", "pixel accuracy"),
    _share("class_accuracy", "mean class accuracy"),
    _share("frequency_weighted_iou", "frequency weighted IoU"),
    *OF_BORDERS,
    LOSS,
    _share("validation_miou", "validation mIoU"),
    _loss("validation_loss", "validation loss"),
    _share("train_miou", "train mIoU"),
    _loss("train_loss", "train loss"),
    _share("iou_{class}", "IoU of {class}", where=_CLASS),
    _share("dice_{class}", "Dice of {class}", where=_CLASS),
)
