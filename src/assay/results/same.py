"""Variants whose networks are the same although their recipes are not."""

from collections.abc import Sequence

import polars as pl

from assay.results.metrics import is_share, known

OF_NETWORKS = ("answers", "layers", "calibration")


def same_networks(frame: pl.DataFrame, variants: Sequence[str]) -> list[list[str]]:
    """Groups of variants that agree in every seed in every number of their networks, to the last digit.

    ``frame``: a row per finished run, with its variant, seed and metrics. Shares alone (nine of ten images right) agree
    by chance; without any other number nothing is said.
    """
    metrics = [name for name in frame.columns if known(name).of in OF_NETWORKS]
    if all(map(is_share, metrics)):
        return []
    groups: dict[str, list[str]] = {}
    for variant in variants:
        rows = frame.filter(variant=variant).select("seed", *metrics).sort("seed")
        if rows.height:
            groups.setdefault(str(rows.rows()), []).append(variant)
    return [group for group in groups.values() if len(group) > 1]
