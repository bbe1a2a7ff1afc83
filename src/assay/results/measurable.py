"""Which metrics a recipe's measures can give, known before anything is trained."""

from collections.abc import Iterable, Sequence

from assay.errors import enumerated, unknown
from assay.evaluate.metrics import ALONE, COST, LAST_LAYER, OF_SAMPLED, SEPARATION, UNCERTAINTY
from assay.recipe import ClassificationMeasure, Recipe, SegmentationMeasure, SeparationMeasure
from assay.recipe.measures import Measure
from assay.recipe.study import Study
from assay.recipe.tasks import TASKS
from assay.results.metrics import METRICS
from assay.tasks.classification.metrics import CLASSIFICATION
from assay.tasks.detection.metrics import DETECTION
from assay.tasks.metric import LOSS, Metric
from assay.tasks.multilabel.metrics import MULTILABEL
from assay.tasks.regression.metrics import INTERVALS, REGRESSION
from assay.tasks.segmentation.metrics import OF_BORDERS, SEGMENTATION, near_names

AREAS = ("roc_auc_macro", "average_precision_macro")
LOSSES = ("validation_loss", "train_loss")

MEASURED: dict[str, tuple[Metric, ...]] = {
    "classification": tuple(row for row in CLASSIFICATION if row.name not in AREAS),
    "multilabel": tuple(row for row in MULTILABEL if row.name != "roc_auc_macro"),
    "curves": tuple(row for row in CLASSIFICATION if row.name in AREAS),
    "regression": (*REGRESSION, LOSS, *(row for row in CLASSIFICATION if row.name in LOSSES)),
    "segmentation": SEGMENTATION,
    "detection": DETECTION,
    "cost": COST,
    "separation": SEPARATION,
    "diagnosis": (),
}
"""Measure → the rows of all that it can give; ``uncertainty`` depends on the task, and ``diagnosis`` gives tables."""

OF_VALUES = (*INTERVALS, *(row for row in UNCERTAINTY if row.name in ("dropout_rate", "variance_scale")))
_PIXELS = ("temperature", "aurc_{method}", "validation_nll_{method}", *(f"{name}_{{method}}" for name in OF_SAMPLED))
OF_PIXELS = tuple(row for row in UNCERTAINTY if row.name in _PIXELS)


def measured_by(task: str, measure: str) -> tuple[Metric, ...]:
    """The rows of all that ``measure`` can give of networks of ``task``."""
    if measure == "uncertainty":
        return {"values": OF_VALUES, "masks": OF_PIXELS}.get(TASKS[task].target, UNCERTAINTY)
    if measure == "cost" and TASKS[task].target == "boxes":
        return (*COST, ALONE)
    return MEASURED[measure]


def measurable(recipe: Recipe) -> list[Metric]:
    """The rows of what the recipe's measures can give, a whole family where its names follow from the data."""
    return [row for options in recipe.evaluate for row in _asked(recipe.task, options)]


def refuse_not_measured(study: Study) -> None:
    """Raise AssayError, with what there is, where no variant's measures can give the metric that the study asks for."""
    if study.metric is None:
        return
    rows = dict.fromkeys(row for variant in study.plan.values() for row in measurable(variant.recipe))
    if _calls(rows, study.metric):
        return
    names, measures = [row.name for row in rows], TASKS[study.task].measures
    if not _calls(METRICS, study.metric) and study.metric not in measures:
        raise study.mistake(f"metric: {unknown('metric', study.metric, names)}")
    giving = [repr(m) for m in measures if _calls(measured_by(study.task, m), study.metric)]
    hint = f" (the measure {' or '.join(giving)} can)" if giving else ""
    hint = " (it is a measure, not a metric)" if study.metric in measures else hint
    raise study.mistake(
        f"metric: nothing in 'evaluate' gives {study.metric!r}{hint}; this study measures {enumerated(names, 30)}"
    )


def _asked(task: str, options: Measure) -> Sequence[Metric]:
    rows = measured_by(task, options.name)
    if isinstance(options, ClassificationMeasure):
        names = [f"top_{k}_accuracy" for k in options.top_k]
        return [*(row for row in rows if not row.where), *_named(rows, names)]
    if isinstance(options, SegmentationMeasure):
        return [*(row for row in rows if row not in OF_BORDERS), *_named(rows, near_names(options.border))]
    if isinstance(options, SeparationMeasure):
        indices = [LAST_LAYER[index] for index in options.indices if index in LAST_LAYER]
        return _named(rows, [f"{index}_{split}" for index in indices for split in options.splits])
    return rows


def _named(rows: Sequence[Metric], names: Sequence[str]) -> list[Metric]:
    """What the rows know of the names; nothing of those that they do not call."""
    return [found for name in names for row in rows if (found := row.called(name))]


def _calls(rows: Iterable[Metric], metric: str) -> bool:
    return any(row.called(metric) for row in rows)
