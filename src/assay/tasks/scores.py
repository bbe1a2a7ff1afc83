"""Metrics as functions of how often each image counts: what the bootstrap and the swap test draw from.

Whole weights give the metric of the table with every row repeated so often (zero: left out), ties included. Where a
metric does not exist under some weights (no positives left, nothing varies), it is nan; so is it for one class, label
or target of several, and the mean is then over the others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Real, Shaped

PerDraw = Float64[np.ndarray, "draws images"]
"""A number for each draw and image, such as how often the image counts."""
Drawn = Float64[np.ndarray, " draws"]
Score = Callable[[PerDraw], Drawn]
"""How often each image counts → the metric; a row of ones gives the metric itself."""

Columns = Float[np.ndarray, " images"] | Float[np.ndarray, "images columns"]
Counts = Real[np.ndarray, "images classes"] | Bool[np.ndarray, "images classes"]


@dataclass(frozen=True, eq=False)
class MeanScore:
    """A mean over images, which keeps its values for tests that need them."""

    values: Real[np.ndarray, " images"] | Bool[np.ndarray, " images"]

    @property
    def is_share(self) -> bool:
        """Whether it is the share of images of which something is true."""
        return self.values.dtype == np.bool_

    def __call__(self, weights: PerDraw) -> Drawn:
        """Σ w·value / Σ w."""
        return _ratio(weights @ self.values.astype(np.float64), weights.sum(axis=1))


def mean_score(values: Real[np.ndarray, " images"] | Bool[np.ndarray, " images"]) -> MeanScore:
    """Σ w·value / Σ w: accuracy of right answers, mean loss, mean absolute error."""
    return MeanScore(values)


def root_mean_score(squares: Float[np.ndarray, " images"]) -> Score:
    """√(Σ w·square / Σ w): RMSE of squared errors, in the errors' unit."""
    mean = mean_score(squares)
    return lambda weights: np.sqrt(mean(weights))


def ratio_score(part: Counts, whole: Counts, there: Counts | None = None) -> Score:
    """Mean over classes of Σ w·part / Σ w·whole, over those of which Σ w·``there`` is not 0; without a whole it is 0.

    ``there``, else the whole, says what exists of a class. mIoU of the pixels in intersection and union, mean Dice of
    twice the intersection and the sum of both areas.
    """
    parts, wholes = part.astype(np.float64), whole.astype(np.float64)
    owned = wholes if there is None else there.astype(np.float64)

    def score(weights: PerDraw) -> Drawn:
        shares = np.nan_to_num(_ratio(weights @ parts, weights @ wholes), nan=0.0)
        return mean_of_existing(np.where(weights @ owned > 0, shares, np.nan))

    return score


def supported_score(part: Counts, whole: Counts, support: Counts) -> Score:
    """The mean over classes of the same shares, each by its Σ w·``support``: precision weighted by the images of a
    class."""
    parts, wholes, supports = part.astype(np.float64), whole.astype(np.float64), support.astype(np.float64)

    def score(weights: PerDraw) -> Drawn:
        by = weights @ supports
        shares = np.nan_to_num(_ratio(weights @ parts, weights @ wholes), nan=0.0)
        return _ratio((by * shares).sum(axis=1), by.sum(axis=1))

    return score


def f1_score(
    truth: Bool[np.ndarray, "images labels"],
    said: Bool[np.ndarray, "images labels"],
    average: Literal["micro", "macro"],
) -> Score:
    """F1 = 2·TP / (2·TP + FP + FN) of all labels' counts together (micro) or as a mean over labels (macro).

    A label that no image has has no F1.
    """
    part, whole = 2 * (truth & said), truth.astype(np.int64) + said
    if average == "macro":
        return ratio_score(part, whole, truth)
    return ratio_score(part.sum(axis=1, keepdims=True), whole.sum(axis=1, keepdims=True))


def r2_score(truth: Columns, said: Columns) -> Score:
    """Mean over targets of R² = 1 − Σ w (y − ŷ)² / Σ w (y − ȳ)², with ȳ under the same weights.

    A target that does not vary has none.
    """
    y = _columns(truth)
    errors = (y - _columns(said)) ** 2
    shifted = y - y.mean(axis=0)  # Σ w y² − (Σ w y)²/Σ w cancels least near the mean

    def score(weights: PerDraw) -> Drawn:
        squares = weights @ shifted**2
        spread = squares - _ratio((weights @ shifted) ** 2, weights.sum(axis=1, keepdims=True))
        return mean_of_existing(1 - _ratio(weights @ errors, np.where(spread > 1e-12 * squares, spread, np.nan)))

    return score


def rank_correlation_score(truth: Columns, said: Columns) -> Score:
    """Mean over targets of Spearman's correlation of the ranks (Am. J. Psychol. 15, 1904), ties at mid-ranks."""
    targets = [(_mid_ranks(y), _mid_ranks(s)) for y, s in zip(_columns(truth).T, _columns(said).T, strict=True)]

    def score(weights: PerDraw) -> Drawn:
        ranks = [(rank_y(weights), rank_s(weights)) for rank_y, rank_s in targets]
        return mean_of_existing(np.stack([_correlation(weights, y, s) for y, s in ranks], axis=1))

    return score


def average_precision_score(
    truth: Bool[np.ndarray, " images"] | Bool[np.ndarray, "images labels"], said: Columns
) -> Score:
    """Mean over labels of the average precision Σ (R_t − R_{t−1}) P_t over the distinct scores t, from the highest.

    As scikit-learn has it, not interpolated. A label of no image has none.
    """
    labels = [_one_average_precision(t, s) for t, s in zip(_columns(truth).T, _columns(said).T, strict=True)]
    return lambda weights: mean_of_existing(np.stack([label(weights) for label in labels], axis=1))


def mean_of_existing(values: Float64[np.ndarray, "draws classes"]) -> Drawn:
    """Row means over what is not nan; nan where nothing is left."""
    exists = ~np.isnan(values)
    return _ratio(np.where(exists, values, 0.0).sum(axis=1), exists.sum(axis=1))


def _columns(values: Shaped[np.ndarray, "*shape"]) -> Float64[np.ndarray, "images columns"]:
    return values.reshape(len(values), -1).astype(np.float64)


def _ratio(part: Float64[np.ndarray, "*shape"], whole: Real[np.ndarray, "*#shape"]) -> Float64[np.ndarray, "*shape"]:
    """Part by whole, nan where there is no whole."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: Float64[np.ndarray, "*shape"] = np.where(whole == 0, np.nan, part / whole)
    return shares


def _mid_ranks(
    values: Float64[np.ndarray, " images"],
) -> Callable[[PerDraw], PerDraw]:
    """PerDraw → every image's mid-rank less the mean rank."""
    order = np.argsort(values, kind="stable")
    _, starts = np.unique(values[order], return_index=True)
    _, place = np.unique(values, return_inverse=True)

    def ranks(weights: PerDraw) -> PerDraw:
        of_value = np.add.reduceat(weights[:, order], starts, axis=1)
        middle = of_value.cumsum(axis=1) - of_value / 2 - weights.sum(axis=1, keepdims=True) / 2
        of_image: PerDraw = middle[:, place]
        return of_image

    return ranks


def _correlation(weights: PerDraw, x: PerDraw, y: PerDraw) -> Drawn:
    """Pearson's correlation of what has mean zero under the weights."""
    together, of_x, of_y = ((weights * a * b).sum(axis=1) for a, b in ((x, y), (x, x), (y, y)))
    return _ratio(together, np.sqrt(of_x * of_y))


def _one_average_precision(truth: Float64[np.ndarray, " images"], said: Float64[np.ndarray, " images"]) -> Score:
    order = np.argsort(-said, kind="stable")
    ends: Int[np.ndarray, " distinct"] = np.flatnonzero(np.append(np.diff(said[order]) != 0, True))
    positive = truth[order]

    def score(weights: PerDraw) -> Drawn:
        in_order = weights[:, order]
        hits = (in_order * positive).cumsum(axis=1)[:, ends]
        precision = _ratio(hits, in_order.cumsum(axis=1)[:, ends])
        gained = np.diff(hits, axis=1, prepend=0.0)
        return _ratio(np.where(gained > 0, gained * precision, 0.0).sum(axis=1), hits[:, -1])

    return score
