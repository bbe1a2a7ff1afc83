"""What is known of a metric by its name: which way is better, its unit, how it is said and written."""

import math
from collections.abc import Iterable

Number = int | float

ORDER = (
    "accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "recall_macro",
    "f1_weighted", "precision_weighted", "recall_weighted", "roc_auc_macro", "average_precision_macro",
    "loss",
    "validation_accuracy", "validation_loss", "train_accuracy", "train_loss",
    "parameters", "trainable_parameters", "macs", "weight_bytes", "activation_bytes",
    "training_seconds", "inference_images_per_second",
)  # fmt: skip
"""Quality first, then cost and time; other names follow, in alphabetical order."""

_SHARES = ("accuracy", "precision", "recall", "f1")
_TO_ONE = (
    "roc_auc", "average_precision", "auroc", "aurc", "ece", "adaptive_ece", "si", "csi", "dropout_rate", "unsure_below",
)  # fmt: skip
_COUNTS = ("parameters", "macs", "_bytes")
_LABELS = {
    "loss": "test loss",
    "roc_auc_macro": "ROC AUC (macro)",
    "si_train": "SI-train",
    "si_test": "SI-test",
    "csi_train": "CSI-train",
    "csi_test": "CSI-test",
    "macs": "multiply-accumulates",
    "weight_bytes": "bytes of weights",
    "activation_bytes": "bytes of activations",
    "training_seconds": "training time",
    "inference_images_per_second": "images per second",
}
_SCORES = {
    "nll": "negative log-likelihood",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
    "adaptive_ece": "adaptive ECE",
    "aurc": "area under risk–coverage",
    "auroc": "AUROC of the uncertainty",
    "accuracy": "accuracy",
    "accuracy_at_90": "accuracy at 90 % coverage",
    "validation_nll": "validation negative log-likelihood",
}
"""What ``<score>_<method>`` is called, the measure uncertainty."""


def in_order(metrics: Iterable[str]) -> list[str]:
    """The names in the order in which a table shows them."""
    return sorted(metrics, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def is_share(metric: str) -> bool:
    """Whether the metric is a share from 0 to 1, shown in percent, its differences in percentage points."""
    return any(metric == s or metric.endswith("_" + s) or metric.startswith(s + "_") for s in _SHARES)


def bounds(metric: str) -> tuple[float, float]:
    """The least and the largest value it can have."""
    if is_share(metric) or any(metric == name or metric.startswith(name + "_") for name in _TO_ONE):
        return 0.0, 1.0
    if metric.startswith("brier_"):
        return 0.0, 2.0
    is_positive = lower_is_better(metric) or metric.endswith(("_per_second", "temperature", "variance_scale"))
    return (0.0 if is_positive else -math.inf), math.inf


def is_exact(metric: str) -> bool:
    """Whether the metric follows from the recipe and does not depend on the seed: counts and sizes."""
    return metric.endswith(_COUNTS)


def lower_is_better(metric: str) -> bool:
    """Whether the smaller of two values is the better: losses, times, counts, sizes."""
    error = metric.rpartition("_")[0] in ("nll", "brier", "ece", "adaptive_ece", "aurc", "validation_nll")
    return error or is_exact(metric) or metric == "loss" or metric.endswith(("_loss", "_seconds"))


def unit(metric: str) -> str:
    """The unit of a difference: points, s, or none for a loss or a count (whose label says what is counted)."""
    return "points" if is_share(metric) else "s" if metric.endswith("_seconds") else ""


def label(metric: str) -> str:
    """The name as a person says it: ``train loss``, ``F1 (macro)``, ``top-5 accuracy``."""
    if metric in _LABELS:
        return _LABELS[metric]
    score, _, method = metric.rpartition("_")
    if score in _SCORES:
        return f"{_SCORES[score]} ({method})"
    words = metric.removesuffix("_seconds").replace("_", " ").replace("f1", "F1").replace("top ", "top-", 1)
    for kind in (" macro", " weighted"):
        words = words.removesuffix(kind) + (f" ({kind.strip()})" if words.endswith(kind) else "")
    return words


def comparative(metric: str) -> str:
    """The words between two names: ``is better than``, ``has a lower test loss than``, ``has more parameters than``."""
    if metric == "accuracy":
        return "is better than"
    return f"has {_degrees(metric)[0 if lower_is_better(metric) else 1]} {label(metric)} than"


def superlative(metric: str) -> str:
    """What the best variant has: ``the highest accuracy``, ``the fewest parameters``."""
    return f"the {_degrees(metric)[2 if lower_is_better(metric) else 3]} {label(metric)}"


def _degrees(metric: str) -> tuple[str, str, str, str]:
    """Less, more, least, most."""
    if is_exact(metric) or metric.endswith("_per_second"):
        return "fewer", "more", "fewest", "most"
    if metric.endswith("_seconds"):
        return "a shorter", "a longer", "shortest", "longest"
    return "a lower", "a higher", "lowest", "highest"


def value_text(metric: str, value: Number, low: Number | None = None, high: Number | None = None) -> str:
    """A value with its unit and half the width of its interval: ``91.2 ± 0.3 %``, ``0.312``, ``12.3 s``, ``1,500``.

    The ends, ``95.0 (72.1 to 100.0) %``, where 0 or 100 % cuts the interval of a share.
    """
    percent = is_share(metric)
    if percent and low is not None and high is not None and (low <= 0 or high >= 1) and low < high:
        return f"{100 * value:.1f} ({100 * low:.1f} to {100 * high:.1f}) %"
    return f"{_plus_minus(metric, value, low, high)} {'%' if percent else unit(metric)}".rstrip()


def difference_text(metric: str, difference: Number, low: Number | None = None, high: Number | None = None) -> str:
    """The size of a difference, without its sign, and half the width of its interval: ``3.1 ± 0.4 points``."""
    return f"{_plus_minus(metric, abs(difference), low, high)} {unit(metric)}".rstrip()


def number(value: Number) -> str:
    """Three significant digits, or all digits before the point: ``0.312``, ``12.3``, ``3,709,825``."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"


def _plus_minus(metric: str, value: Number, low: Number | None, high: Number | None) -> str:
    """Both with as many places as give the half width one digit, and one more where the two would look alike."""
    scale, least = (100, 1) if is_share(metric) else (1, 0)
    value, half = value * scale, 0.0 if low is None or high is None else (high - low) / 2 * scale
    if half == 0:
        return f"{value:.1f}" if is_share(metric) else number(value)
    places = min(max(least, -math.floor(math.log10(half))), 6)
    places += f"{value:.{places}f}" == f"{half:.{places}f}"
    return f"{value:,.{places}f} ± {half:,.{places}f}"


def duration(seconds: int | float) -> str:
    """``4.8 s``, ``48 s``, ``12 min 5 s``, ``3 h 20 min``."""
    whole = round(seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h {whole % 3600 // 60} min"
