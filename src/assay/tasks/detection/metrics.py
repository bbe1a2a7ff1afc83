"""What is known of the metrics of detection.

A metric of one class bears its name, ``ap_cat``. What COCO calls AR is ``recall_1`` … ``recall_large``; ``recall``
alone is that of the boxes above the thresholds. Areas are in pixels of the pictures themselves.
"""

from functools import partial

from assay.tasks.metric import NOT_NEGATIVE, TO_ONE, Metric

_share = partial(Metric, better="higher", of="answers", unit="share", within=TO_ONE)
_lower = partial(Metric, better="lower", of="answers")
_SIZE = {"size": "small|medium|large"}
_CLASS = {"class": ".+"}

DETECTION = (
    _share("map", "mAP"),
    _share("map_50", "mAP50"),
    _share("map_75", "mAP75"),
    _share("map_{size}", "mAP of {size} boxes", where=_SIZE),
    _share("f1", "F1 at the thresholds"),
    _share("precision", "precision at the thresholds"),
    _share("recall", "recall at the thresholds"),
    _lower("count_error", "boxes too many or too few an image", within=NOT_NEGATIVE),
    _share("recall_{most}", "recall of {most} boxes an image", where={"most": "1|10|100"}),
    _share("recall_{size}", "recall of {size} boxes", where=_SIZE),
    _lower(
        "error_{kind}",
        "AP50 lost to {kind}",
        unit="share",
        within=(-1.0, 1.0),
        where={
            "kind": "class|place|both|copy|background|missed",
        },
    ),
    _lower("ece", "calibration error (ECE)", within=TO_ONE),
    _lower("ece_tempered", "calibration error (ECE) by temperature", within=TO_ONE),
    _share("validation_map", "validation mAP"),
    _share("train_map", "train mAP"),
    _share("ap50_{class}", "AP50 of {class}", where=_CLASS),
    _share("ap_{class}", "AP of {class}", where=_CLASS),
    Metric("temperature", "temperature", of="calibration", within=NOT_NEGATIVE),
    Metric("threshold_{class}", "threshold of {class}", of="calibration", within=TO_ONE, where=_CLASS),
    _share("proposal_recall", "recall of the regions", of="recipe"),
    _share("proposal_recall_{class}", "recall of the regions, {class}", of="recipe", where=_CLASS),
    Metric("score_floor", "least score", of="recipe", within=TO_ONE),
    Metric("nms", "IoU of NMS", of="recipe", within=TO_ONE),
    Metric("most", "boxes an image at most", of="recipe", within=NOT_NEGATIVE),
)
