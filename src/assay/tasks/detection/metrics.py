"""What is known of the metrics of detection.

A metric of one class bears its name, ``ap_cat``.
"""

from functools import partial

from assay.tasks.metric import TO_ONE, Metric

_share = partial(Metric, better="higher", of="answers", unit="share", within=TO_ONE)
_CLASS = {"class": "(?!50_).+"}

DETECTION = (
    _share("map", "mAP"),
    _share("map_50", "mAP50"),
    _share("map_75", "mAP75"),
    _share("validation_map", "validation mAP"),
    _share("train_map", "train mAP"),
    _share("ap_{class}", "AP of {class}", where=_CLASS),
    _share("ap_50_{class}", "AP50 of {class}", where={"class": ".+"}),
)
