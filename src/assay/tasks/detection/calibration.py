"""How far the score of a box may be believed, as the chance that it hits an object of its class."""

from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Float64, Int64
from scipy.special import expit, logit

from assay.tasks.box_matching import HIT, IGNORED, Matches
from assay.tasks.scores import Drawn, PerDraw, Score
from assay.uncertainty.temperature import find_temperature

LEAST = 0.05
"""Boxes with a lower score are left out: there are very many, hardly any is right, and nobody is shown one."""
BINS = 15
"""Of equal width."""
NEAREST = 1e-6
"""How near a score comes to 0 and to 1."""


class Scored(NamedTuple):
    """Boxes with their scores, and whether they hit at an overlap of one half; none in an object with a flag."""

    images: Int64[np.ndarray, " boxes"]
    scores: Float64[np.ndarray, " boxes"]
    hits: Bool[np.ndarray, " boxes"]


def scored(matches: Matches, scores: Float32[np.ndarray, " _"]) -> Scored:
    """The detections with a score of ``LEAST`` at least; ``scores`` are those of all."""
    own = scores[matches.rows].astype(np.float64)
    which = (own >= LEAST) & (matches.outcomes[0] != IGNORED)
    return Scored(matches.images[which], own[which], matches.outcomes[0, which] == HIT)


def temperature(boxes: Scored) -> float:
    """What the log-odds of the scores are divided by so that the hits are likeliest; 1 where there are no boxes."""
    if not len(boxes.scores):
        return 1.0
    odds = logit(boxes.scores.clip(NEAREST, 1 - NEAREST))
    return find_temperature(np.stack([np.zeros_like(odds), odds], axis=1), boxes.hits.astype(np.int64))


def tempered(boxes: Scored, temperatures: Float64[np.ndarray, " images"]) -> Scored:
    """The same with the scores that the temperature of each image gives."""
    odds = logit(boxes.scores.clip(NEAREST, 1 - NEAREST))
    return boxes._replace(scores=expit(odds / temperatures[boxes.images]))


def ece_score(boxes: Scored, images: int) -> Score:
    """Expected calibration error: Σ over bins of (share of the boxes) · |share that hits − mean score|.

    Naeini, Cooper, Hauskrecht, AAAI 2015; of boxes: Küppers et al., arXiv:2004.13546. Nan without boxes.
    """
    gaps, counts = np.zeros((images, BINS)), np.zeros(images)
    np.add.at(gaps, (boxes.images, bins(boxes.scores)), boxes.hits - boxes.scores)
    np.add.at(counts, boxes.images, 1)

    def score(weights: PerDraw) -> Drawn:
        total = weights @ counts
        found: Drawn = np.where(total > 0, np.abs(weights @ gaps).sum(axis=1) / np.maximum(total, 1), np.nan)
        return found

    return score


def bins(scores: Float64[np.ndarray, " boxes"]) -> Int64[np.ndarray, " boxes"]:
    """The bin of each, from 0; a bin holds its upper end."""
    return np.asarray(np.clip(np.ceil(scores * BINS).astype(np.int64) - 1, 0, BINS - 1))


def reliability(boxes: Scored) -> pl.DataFrame:
    """A row a bin that has boxes: bin, confidence (their mean score), precision (the share that hits), count."""
    table = pl.DataFrame({"bin": bins(boxes.scores), "confidence": boxes.scores, "precision": boxes.hits})
    means = (pl.col("confidence").mean(), pl.col("precision").mean(), pl.len().cast(pl.Int64).alias("count"))
    return table.group_by("bin").agg(*means).sort("bin")
