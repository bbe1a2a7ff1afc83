"""How far probabilities may be believed: measures on plain arrays of predictions, none of which reads a network.

An answer is the most probable class (of equals the first), its confidence that class's probability. Where images are as
sure as one another, every order of them is as good; what depends on the order is then given as the mean over all.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int64

from assay.errors import AssayError

Probabilities = Float[np.ndarray, "n classes"]
Labels = Int64[np.ndarray, " n"]
Right = Bool[np.ndarray, " n"] | Float[np.ndarray, " n"]
"""Whether an answer is right, or how much of one that has parts."""

SMALLEST = float(np.finfo(np.float32).smallest_subnormal)
"""A probability that was rounded to 0 is taken for this one, 1.4e-45, so that no logarithm is infinite."""

POINTS = 100
"""Shares of coverage that the curves of a report keep."""


def negative_log_likelihood(probabilities: Probabilities, labels: Labels) -> float:
    """Mean of −log p(label), in nats; 0 for certainty in what is right, log(classes) for knowing nothing."""
    of_label = _checked(probabilities, labels)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_label, SMALLEST)).mean())


def brier_score(probabilities: Probabilities, labels: Labels) -> float:
    """Mean over images of Σ over classes of (p − 1[class is the label])², from 0 to 2.

    Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78, 1950.
    """
    errors = _checked(probabilities, labels).copy()
    errors[np.arange(len(labels)), labels] -= 1
    return float(np.square(errors).sum(axis=1).mean())


def answers(probabilities: Probabilities, labels: Labels) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The confidence of every answer, and whether it is right."""
    p = _checked(probabilities, labels)
    return p.max(axis=1), p.argmax(axis=1) == labels


def calibration_error(probabilities: Probabilities, labels: Labels, bins: int = 15, adaptive: bool = False) -> float:
    """Expected calibration error: Σ over bins of (share of the images) · |accuracy − mean confidence|, from 0 to 1.

    Bins of equal width: Naeini, Cooper, Hauskrecht, AAAI 2015; Guo et al., arXiv:1706.04599, equation 3. ``adaptive``
    bins hold equally many images each: Nguyen & O'Connor, arXiv:1508.05154; Nixon et al., arXiv:1904.01685.
    """
    table = reliability(probabilities, labels, bins, adaptive)
    gap = (table["accuracy"] - table["confidence"]).abs()
    return float((gap * table["images"]).sum() / len(labels))


def reliability(probabilities: Probabilities, labels: Labels, bins: int = 15, adaptive: bool = False) -> pl.DataFrame:
    """The reliability diagram: of the answers in each bin of confidence, how many are right.

    Columns: bin (from 0), low, high (edges; of adaptive bins the least and the greatest confidence), images, confidence
    (mean), accuracy. Bins are (low, high]; those without images are left out.
    """
    if bins < 1:
        raise AssayError(f"reliability: found {bins} bins, expected at least 1")
    confidence, right = sure_first(*answers(probabilities, labels))
    confidence, right = confidence[::-1], right[::-1]
    if adaptive:
        number = np.arange(len(confidence)) * min(bins, len(confidence)) // len(confidence)
    else:
        number = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    table = (
        pl.DataFrame({"bin": number, "c": confidence, "right": right})
        .group_by("bin", maintain_order=True)
        .agg(
            low=pl.col("c").min(),
            high=pl.col("c").max(),
            images=pl.len().cast(pl.Int64),
            confidence=pl.col("c").mean(),
            accuracy=pl.col("right").mean(),
        )
    )
    return table if adaptive else table.with_columns(low=pl.col("bin") / bins, high=(pl.col("bin") + 1) / bins)


def risk_coverage(confidence: Float[np.ndarray, " n"], right: Right) -> pl.DataFrame:
    """What is wrong among the surest share of the images, for every share: coverage (k/n), risk (1 − accuracy).

    El-Yaniv & Wiener, JMLR 11, 2010; Geifman & El-Yaniv, arXiv:1705.08500. A row an image.
    """
    _, ordered = sure_first(confidence, right)
    k = np.arange(1, len(ordered) + 1)
    return pl.DataFrame({"coverage": k / len(ordered), "risk": 1 - np.cumsum(ordered) / k})


def area_under_risk_coverage(confidence: Float[np.ndarray, " n"], right: Right) -> float:
    """Mean risk over all coverages 1/n, 2/n, …, 1 (AURC; Geifman, Uziel, El-Yaniv, arXiv:1805.08206); 0 is best."""
    return float(risk_coverage(confidence, right)["risk"].mean())  # type: ignore[arg-type]


def accuracy_at_coverage(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], coverage: float = 0.9
) -> float:
    """Accuracy on the surest share ``coverage`` of the images, when the others go to a person."""
    _, ordered = sure_first(confidence, right)
    return float(ordered[: max(1, round(coverage * len(ordered)))].mean())


def error_auroc(confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]) -> float | None:
    """Chance that a wrong answer is less sure than a right one (Hendrycks & Gimpel, arXiv:1610.02136).

    The area under the ROC curve of the uncertainty; 0.5 is chance. None where all answers are right, or all wrong.
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(right, confidence)) if 0 < right.sum() < len(right) else None


def scores(probabilities: Probabilities, labels: Labels, bins: int = 15) -> dict[str, float]:
    """All of it by the names the metrics have; ``auroc`` is missing where it has no value."""
    confidence, right = answers(probabilities, labels)
    found = {
        "nll": negative_log_likelihood(probabilities, labels),
        "brier": brier_score(probabilities, labels),
        "ece": calibration_error(probabilities, labels, bins),
        "adaptive_ece": calibration_error(probabilities, labels, bins, adaptive=True),
        "auroc": error_auroc(confidence, right),
        "aurc": area_under_risk_coverage(confidence, right),
        "accuracy": float(right.mean()),
        "accuracy_at_90": accuracy_at_coverage(confidence, right, 0.9),
    }
    return {name: value for name, value in found.items() if value is not None}


def curves(probabilities: Probabilities, labels: Labels, bins: int, method: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The reliability diagram, and the risk at each hundredth of coverage, with the method in front."""
    named = pl.lit(method).alias("method")
    curve = risk_coverage(*answers(probabilities, labels))
    rows = [max(1, round(len(labels) * k / POINTS)) - 1 for k in range(1, POINTS + 1)]
    risks = curve[rows].unique(maintain_order=True).select(named, pl.all())
    return reliability(probabilities, labels, bins).select(named, pl.all()), risks


def sure_first(
    confidence: Float[np.ndarray, " n"], right: Right
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Confidence from the greatest down, and beside it how right: images as sure as one another share their mean."""
    levels, place, counts = np.unique(-confidence, return_inverse=True, return_counts=True)
    mean = np.bincount(place, weights=right.astype(np.float64)) / counts
    return np.repeat(-levels, counts), np.repeat(mean, counts)


def _checked(probabilities: Probabilities, labels: Labels) -> Float[np.ndarray, "n classes"]:
    """The probabilities in float64."""
    p = np.asarray(probabilities, dtype=np.float64)
    if len(p) == 0 or len(p) != len(labels):
        raise AssayError(f"uncertainty: found probabilities of {len(p)} images and {len(labels)} labels, expected both")
    if not np.isfinite(p).all() or np.abs(p.sum(axis=1) - 1).max() > 1e-3:
        raise AssayError("uncertainty: expected probabilities, finite and with the sum 1 in each row")
    if not np.issubdtype(labels.dtype, np.integer):
        raise AssayError(f"uncertainty: found labels of type {labels.dtype}, expected whole numbers")
    if labels.min() < 0 or labels.max() >= p.shape[1]:
        raise AssayError(f"uncertainty: found label {labels.max()}, expected 0 to {p.shape[1] - 1}")
    return p
