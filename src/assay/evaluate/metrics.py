"""What is known of the metrics of the measures that no task owns: ``cost``, ``separation``, ``uncertainty``."""

from functools import partial

from assay.tasks.metric import NOT_NEGATIVE, TO_ONE, Metric

_count = partial(Metric, better="lower", of="recipe", unit="count", within=NOT_NEGATIVE)
_index = partial(Metric, better="higher", of="layers", within=TO_ONE)

METHOD = {"method": "plain|temperature|injected|trained"}
_share = partial(Metric, better="higher", of="answers", unit="share", within=TO_ONE, where=METHOD)
_error = partial(Metric, better="lower", of="answers", within=TO_ONE, where=METHOD)

OF_SAMPLED = ("nll", "brier", "ece", "adaptive_ece", "auroc")
"""Scores that ``uncertainty`` has of pixels."""

COST = (
    _count("parameters", "parameters"),
    _count("trainable_parameters", "trainable parameters"),
    _count("macs", "multiply-accumulates"),
    _count("weight_bytes", "size of weights", unit="bytes"),
    _count("activation_bytes", "size of activations", unit="bytes"),
    Metric("training_seconds", "training time", "lower", "time", "s", NOT_NEGATIVE),
    Metric("inference_images_per_second", "images per second", "higher", "time", "count", NOT_NEGATIVE),
)

ALONE = Metric("single_images_per_second", "images per second, one at a time", "higher", "time", "count", NOT_NEGATIVE)
"""Of boxes, beside ``COST``."""

LAST_LAYER = {
    "separation": "si",
    "center": "csi",
    "cross_separation": "cross_si",
    "cross_center": "cross_csi",
    "smoothness": "smi",
}
"""Index → the name its value at the last layer has among the metrics, before ``_train`` or ``_test``."""

SEPARATION = (
    _index("cross_csi_{split}", "cross-CSI-{split}", where={"split": "validation|test"}),
    _index("cross_si_{split}", "cross-SI-{split}", where={"split": "validation|test"}),
    _index("csi_{split}", "CSI-{split}", where={"split": "train|validation|test"}),
    _index("smi_{split}", "SmI-{split}", where={"split": "train|validation|test"}),
    _index("si_{split}", "SI-{split}", where={"split": "train|validation|test"}),
)

UNCERTAINTY = (
    _share("accuracy_{method}", "accuracy ({method})"),
    _share("accuracy_at_90_{method}", "accuracy at 90 % coverage ({method})"),
    _error("nll_{method}", "negative log-likelihood ({method})", within=NOT_NEGATIVE),
    _error("brier_{method}", "Brier score ({method})", within=(0.0, 2.0)),
    _error("ece_{method}", "calibration error (ECE) ({method})"),
    _error("adaptive_ece_{method}", "adaptive ECE ({method})"),
    _error("aurc_{method}", "area under risk–coverage ({method})"),
    _error("auroc_{method}", "AUROC of the uncertainty ({method})", better="higher"),
    _error("validation_nll_{method}", "validation negative log-likelihood ({method})", within=NOT_NEGATIVE),
    Metric("temperature", "temperature", of="calibration", within=NOT_NEGATIVE),
    Metric("dropout_rate", "dropout rate", of="calibration", within=TO_ONE),
    Metric("variance_scale", "variance scale", of="calibration", within=NOT_NEGATIVE),
    Metric(
        "unsure_below_{method}",
        "unsure below {method}",
        of="calibration",
        within=TO_ONE,
        where={"method": "temperature|injected"},
    ),
)
