"""What a comparison in a study rests on: its reference, its level, the answers to its test images."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl

from assay.data.groups import group_numbers
from assay.recipe.study import Study
from assay.results.comparing.compare import AnswersOf, Values, compare
from assay.results.comparing.comparison import Comparisons
from assay.results.comparing.means import best
from assay.results.comparing.standing import Standing
from assay.results.metrics import known
from assay.results.same import OF_NETWORKS
from assay.results.statistics.answers import Answers
from assay.results.statistics.image_errors import ImageErrors, image_errors
from assay.results.wanted import indifference, study_metric
from assay.tasks import catalogue

Predictions = Callable[[str, int], pl.DataFrame]
"""(variant, seed) → the table of that run's answers."""
Errors = Callable[[str], ImageErrors | None]
"""Metric → what other test images would change."""


@dataclass(frozen=True)
class Basis:
    """What a study's comparisons rest on beside its numbers."""

    predictions: Predictions
    errors: Errors
    same: Sequence[Sequence[str]] = ()
    """Groups of variants that are one network."""


def compared(study: Study, values: Values, metric: str, reference: str, basis: Basis, where: Standing) -> Comparisons:
    """Every other variant of the study against ``reference``, at the level of the look at it."""
    of_images = basis.errors(metric)
    found = compare(
        values,
        metric,
        reference,
        answers_of(study, metric, basis.predictions),
        images=None if of_images is None else of_images.between,
        alpha=where.alpha,
        is_interim=where.is_interim,
        indifferent=indifference(study) if metric == study_metric(study) else None,
        is_named=reference == study.reference_variant,
    )
    twins = {variant for group in basis.same if reference in group for variant in group}
    items = found.items
    if known(metric).of in OF_NETWORKS and not found.is_interim:
        items = tuple(replace(c, decided="same network", p=None) if c.variant in twins else c for c in items)
    covers_images = any(c.images_error is not None for c in found)
    return replace(found, items=items, images=of_images.images if of_images and covers_images else None)


def compared_again(
    study: Study, metric: str, by: Values | None, basis: Basis, where: Standing, left: Values
) -> Comparisons | None:
    """What a verdict on the values ``left`` would speak of, ``by`` others choosing the best where they are given; None
    where the reference has no value among them."""
    ranked = left if by is None else {v: {seed: by[v][seed] for seed in own} for v, own in left.items()}
    named = study.reference_variant
    reference = named if named in left else best(ranked, metric)
    if reference is None or not left.get(reference):
        return None
    return compared(study, left, metric, reference, basis, where)


def answers_of(study: Study, metric: str, predictions: Predictions) -> AnswersOf:
    """What the runs say of their test images, as far as ``metric`` is a property of it."""

    def answers(variant: str, seed: int) -> Answers:
        task = catalogue.task(study.task)
        test = predictions(variant, seed).filter(pl.col("split") == "test")
        pattern = study.plan[variant].recipe.data.group
        group = None if pattern is None else partial(group_numbers, pattern)
        return Answers(test, task.TRUTH, lambda rows: task.read(rows).evidence(metric), group)

    return answers


def errors_of(study: Study, values: Values, metric: str, predictions: Predictions) -> ImageErrors | None:
    """What other test images would change in the variants of several seeds; None where there is none, or the metric is
    no property of answers."""
    if known(metric).of in ("recipe", "time", "layers"):
        return None
    several = [(variant, seed) for variant, found in values.items() if len(found) > 1 for seed in found]
    return image_errors(answers_of(study, metric, predictions), several)


def chosen_by(study: Study, values: Values, metric: str, predictions: Predictions) -> Values | None:
    """The values on the validation images, where the study selects the best variant by them and every run has one;
    None where ``values`` choose: those on the test images, or of a metric of training.

    Raises AssayError where a run has none of the study's own metric.
    """
    if study.select_on == "test" or known(metric).of != "answers":
        return None
    task = catalogue.task(study.task)

    def value(variant: str, seed: int) -> float:
        rows = predictions(variant, seed).filter(pl.col("split") == "validation")
        score = task.read(rows).evidence(metric) if rows.height else None
        return math.nan if score is None else float(score(np.ones((1, rows.height)))[0])

    found = {variant: {seed: value(variant, seed) for seed in by_seed} for variant, by_seed in values.items()}
    without = [(variant, seed) for variant, own in found.items() for seed in own if math.isnan(own[seed])]
    if without and metric == study_metric(study):
        why = "the run of '{}' with seed {} has no {} over validation images".format(*without[0], metric)
        raise study.mistake(f"select_on: validation, but {why}")
    return None if without else found
