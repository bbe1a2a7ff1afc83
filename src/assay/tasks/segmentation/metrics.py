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

SEGMENTATION = (
    _share("miou", "mIoU"),
    _share("miou_per_image", "mIoU per image"),
    _share("miou_per_pair", "mIoU per image and class"),
    _share("iou_micro", "pooled IoU"),
    _share("dice_macro", "Dice (macro)"),
    _share("pixel_accuracy", "pixel accuracy"),
    _share("class_accuracy", "mean class accuracy"),
    _share("frequency_weighted_iou", "frequency weighted IoU"),
    _share("border_miou", "mIoU near borders"),
    _share("border_accuracy", "pixel accuracy near borders"),
    _share("boundary_iou", "boundary IoU"),
    LOSS,
    _share("validation_miou", "validation mIoU"),
    _loss("validation_loss", "validation loss"),
    _share("train_miou", "train mIoU"),
    _loss("train_loss", "train loss"),
    _share("iou_{class}", "IoU of {class}", where=_CLASS),
    _share("dice_{class}", "Dice of {class}", where=_CLASS),
)
