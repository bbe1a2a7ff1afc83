"""Boxes of several networks as one answer: weighted boxes fusion (Solovyev et al. 2021, arXiv:1910.13302)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int64

from assay.tasks.box_matching import overlaps

OVERLAP = 0.55
"""From which two boxes of a class are one, as in the paper."""

Boxes = tuple[Float32[np.ndarray, "_ 4"], Int64[np.ndarray, " _"], Float32[np.ndarray, " _"]]
"""Edges, labels and scores of one network's boxes."""


def fused(said: Sequence[Boxes]) -> Boxes:
    """The boxes of all networks, by falling score; those of one network stay as they are.

    From the highest score each box joins the cluster of its class whose fused box it overlaps most, by an IoU of
    ``OVERLAP`` at least, and in which its network has no box yet; else it begins one. A fused box has the mean edges of
    its boxes, weighted by their scores, and the sum of their scores by the number of networks: one that has no such box
    counts as 0.
    """
    if len(said) == 1:
        return said[0]
    edges, labels, scores = (np.concatenate(parts) for parts in zip(*said, strict=True))
    networks = np.repeat(np.arange(len(said)), [len(one[2]) for one in said])
    centres, totals = np.zeros((len(scores), 4)), np.zeros(len(scores))
    kinds, has = np.full(len(scores), -1), np.zeros((len(scores), len(said)), bool)
    count = 0
    for i in np.argsort(-scores, kind="stable"):
        here = slice(count)
        shared = overlaps(edges[i], centres[here])
        able = (kinds[here] == labels[i]) & ~has[here, networks[i]] & (shared >= OVERLAP)
        place = int(np.where(able, shared, -1).argmax()) if able.any() else count
        count = max(count, place + 1)
        total = totals[place] + scores[i]
        centres[place] += (edges[i] - centres[place]) * (scores[i] / total if total > 0 else 1.0)
        totals[place], kinds[place], has[place, networks[i]] = total, labels[i], True
    order = np.argsort(-totals[:count], kind="stable")
    means = (totals[order] / len(said)).astype(np.float32)
    return centres[order].astype(np.float32), kinds[order].astype(np.int64), means
