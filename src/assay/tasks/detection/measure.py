"""How well the boxes of each class are found, and all of them together."""

import math
from collections.abc import Iterable

import numpy as np
import polars as pl

from assay.after.around import selecting
from assay.models.detector import Detector
from assay.recipe import DetectionMeasure
from assay.tasks.box_matching import Area
from assay.tasks.box_scores import RECALLS, map_score, precision_at_recalls
from assay.tasks.contract import Trained, Value
from assay.tasks.detection.calibration import reliability
from assay.tasks.detection.ceiling import proposal_recalls
from assay.tasks.detection.confusion import confusion
from assay.tasks.detection.confusion import table as pairs_table
from assay.tasks.detection.errors import KINDS, MISSED, errors
from assay.tasks.detection.predictions import Predictions
from assay.tasks.detection.thresholds import over_thresholds
from assay.tasks.predicting import scores

OTHER_SPLITS = ("map",)
SIZES: tuple[Area, ...] = ("small", "medium", "large")


def measure(trained: Trained, options: DetectionMeasure) -> dict[str, Value]:
    """All that the test predictions are evidence of, ``threshold_<class>`` and, by validation images, ``temperature``;
    what ``selected`` the boxes; of the other splits ``<split>_map``; the recall of regions. The tables are those of
    ``tables``.

    A number that does not exist, such as the AP of a class that is nowhere, is left out.
    """
    test: Predictions = trained.predictions["test"]
    assert test.thresholds is not None
    values: dict[str, Value] = {**existing(test, test.metrics)}
    values |= {f"threshold_{name}": float(at) for name, at in zip(test.classes, test.thresholds, strict=True)}
    if len(test.temperatures) and not math.isnan(test.temperatures[0]):
        values["temperature"] = float(test.temperatures[0])
    for split, found in trained.predictions.items():
        if split != "test":
            values |= {f"{split}_{name}": value for name, value in existing(found, OTHER_SPLITS).items()}
    values |= proposal_recalls(trained)
    return values | selected(trained) | tables(test, {name: v for name, v in values.items() if isinstance(v, float)})


def existing(predictions: Predictions, metrics: Iterable[str]) -> dict[str, float]:
    """Those that exist for these images."""
    return {name: value for name, value in scores(predictions, metrics).items() if math.isfinite(value)}


def selected(trained: Trained) -> dict[str, Value]:
    """By what the boxes were selected, without which an mAP cannot be compared: score_floor, nms (left out where no
    box goes for its overlap), most."""
    assert isinstance(trained.model, Detector)
    by = selecting(trained.model, trained.recipe.predict).selecting
    found: dict[str, Value] = {"score_floor": by.score, "most": by.most}
    return found if by.nms is None else found | {"nms": by.nms}


def tables(test: Predictions, values: dict[str, float]) -> dict[str, Value]:
    """``classes``, ``pr_curves``, ``threshold_curves``, ``box_confusion``, ``box_errors``, ``box_sizes`` and
    ``box_calibration`` of what the ``values`` are measured of."""
    counts = confusion(test.truth, test.said, test.matches(), test.counted)
    return {
        "classes": by_class(test),
        "pr_curves": curves(test),
        "threshold_curves": over_thresholds(test.matches(), test.said.scores, test.classes),
        "box_confusion": pairs_table(counts, test.classes),
        "box_errors": by_kind(test, values),
        "box_sizes": by_size(test, values),
        "box_calibration": reliability(test.scored),
    }


def by_class(test: Predictions) -> pl.DataFrame:
    """A row a class: class, ap, ap_50; precision, recall and f1 at its threshold; threshold, boxes (those to find).

    Null is what does not exist: all of a class that is nowhere, the precision of one that is not said.
    """
    above = test.above
    hits, said, objects = (each.sum(axis=0) for each in (above.hits, above.said, above.objects))
    with np.errstate(invalid="ignore"):
        shares = {"precision": hits / said, "recall": hits / objects, "f1": 2 * hits / (said + objects)}
    each_once = np.ones((1, len(test.indices)))
    aps = {
        name: [float(map_score(test.matches(), iou, label)(each_once)[0]) for label in range(len(test.classes))]
        for name, iou in (("ap", None), ("ap_50", 0.5))
    }
    found = {"class": test.classes, **aps, **shares, "threshold": test.thresholds, "boxes": objects}
    return pl.DataFrame(found, schema_overrides=dict.fromkeys(aps, pl.Float64)).with_columns(
        pl.col(*shares, *aps).fill_nan(None)
    )


def curves(test: Predictions) -> pl.DataFrame:
    """A row a class and recall of COCO's 101: class, recall, precision (at an overlap of one half, the highest at this
    recall or a higher one). Without classes that have no object."""
    matches = test.matches()
    parts = [
        pl.DataFrame({"class": name, "recall": RECALLS, "precision": precision_at_recalls(matches, label)})
        for label, name in enumerate(test.classes)
        if matches.objects[:, label].any()
    ]
    empty = pl.DataFrame(schema={"class": pl.String, "recall": pl.Float64, "precision": pl.Float64})
    return pl.concat(parts) if parts else empty


def by_kind(test: Predictions, values: dict[str, float]) -> pl.DataFrame:
    """A row a kind of error: kind, count (among the boxes above the thresholds), cost (in AP50, of all boxes)."""
    matches = test.matches()
    above = test.counted[matches.rows]
    fewer = {name: getattr(matches, name)[above] for name in ("rows", "images", "labels", "places")}
    shown = matches._replace(**fewer, outcomes=matches.outcomes[:, above], found=matches.found[:, above])
    found = errors(test.truth, test.said, shown)
    counts = [int(found.missed.sum()) if kind == MISSED else int((found.kinds == kind).sum()) for kind in range(6)]
    return pl.DataFrame(
        {"kind": KINDS, "count": counts, "cost": [values.get(f"error_{kind}") for kind in KINDS]},
        schema_overrides={"cost": pl.Float64},
    )


def by_size(test: Predictions, values: dict[str, float]) -> pl.DataFrame:
    """A row a size, in pixels of the pictures themselves: size, boxes (those to find), ap, recall (of 100 boxes)."""
    boxes = [int(test.matches(size).objects.sum()) for size in SIZES]
    shares = {
        name: [values.get(f"{metric}_{size}") for size in SIZES]
        for name, metric in (("ap", "map"), ("recall", "recall"))
    }
    return pl.DataFrame({"size": SIZES, "boxes": boxes, **shares}, schema_overrides=dict.fromkeys(shares, pl.Float64))
