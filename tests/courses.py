"""Courses of trainings made up from numbers, for the rules of a diagnosis."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from assay.diagnosis.catalogue import diagnose
from assay.diagnosis.course import Course, Facts
from assay.diagnosis.finding import Finding
from assay.recipe import Recipe

CHANCE = float(np.log(10))
FACTS = Facts(
    planned=10, images=1000, batch_size=100, checked=400, chance_loss=CHANCE, chance_metric=0.1, inputs=1.0, kept=10
)
RECIPE = Recipe.model_validate({"data": {"source": "digits"}, "model": {"name": "mlp"}})


def course(train_loss: Sequence[float], facts: Facts = FACTS, **columns: Sequence[float]) -> Course:
    """Ten classes; the validation loss is that of the training, and the accuracy what such a loss has about."""
    loss = np.array(train_loss, float)
    accuracy = np.exp(-loss).clip(0.0, 1.0)
    own: dict[str, Any] = {
        "train_loss": loss,
        "validation_loss": loss,
        "train_metric": accuracy,
        "validation_metric": accuracy,
        "loss_noise": 0.1 * loss,
        "step_size": np.full(len(loss), 1e-2),
        "first_gradient": np.full(len(loss), 1e-2),
        "last_gradient": np.full(len(loss), 3e-2),
    }
    return Course(facts, **own | {name: np.array(values, float) for name, values in columns.items()})


def healthy(epochs: int = 20, least: float = 0.3, rate: float = 0.4) -> np.ndarray:
    """Losses that fall from near chance to ``least``, as exp(−rate·epoch)."""
    return least + (CHANCE - least) * np.exp(-rate * np.arange(1, epochs + 1))


def said(found: Course) -> dict[str, Finding]:
    """Name → finding."""
    return {finding.name: finding for finding in diagnose(found, RECIPE)}


def named(found: Course) -> list[str]:
    """What is wrong with it."""
    return [name for name, finding in said(found).items() if finding.kind == "fault"]


def with_facts(**values: Any) -> Facts:
    """Those of a healthy run, but for some."""
    return replace(FACTS, **values)
