"""What the course of a training says of it; the rules are in ``assay.diagnosis``."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from assay.diagnosis.catalogue import diagnose
from assay.diagnosis.course import Course, Facts
from assay.diagnosis.finding import Finding
from assay.evaluate.units import constant_units, input_size
from assay.recipe import DiagnosisMeasure, Recipe
from assay.recipe.tasks import TASKS
from assay.tasks import catalogue
from assay.tasks.contract import Trained, Value

SCHEMA: dict[str, Any] = {
    "finding": pl.String,
    "kind": pl.String,
    "evidence": pl.String,
    "epochs": pl.List(pl.Int64),
    "numbers": pl.String,
    "rule": pl.String,
    "source": pl.String,
    "flagged": pl.Int64,
    "healthy": pl.Int64,
    "at_most": pl.Float64,
    "measured_on": pl.String,
    "next_study": pl.String,
}


def measure(trained: Trained, options: DiagnosisMeasure) -> dict[str, Value]:
    """The table ``diagnosis``, a row a finding: what, evidence with its epochs and numbers (JSON), the rule and its
    source, how many of how many healthy runs it flags with the 95 % upper limit of that rate, the study to run next
    (YAML)."""
    return {"diagnosis": findings_table(diagnose(course_of(trained), trained.recipe))}


def course_of(trained: Trained) -> Course:
    """All that the rules read of a trained network: its history, its units, its inputs."""
    recipe, data = trained.recipe, trained.data
    split = "validation" if len(data.indices["validation"]) else "train"
    table = trained.predictions[split].table(split, data.images.names)
    facts = facts_of(recipe, table, trained.history, data.epoch_size, len(data.indices["validation"]))
    found = replace(
        facts,
        inputs=input_size(data, split, trained.device),
        units=constant_units(trained.part, trained.seen, split, trained.device),
    )
    return Course.read(trained.history, found)


def facts_of(recipe: Recipe, table: pl.DataFrame, history: pl.DataFrame, images: int, checked: int) -> Facts:
    """What is known of a run of so many training images an epoch and so many validation images, without its network.

    The truth in ``table``, predictions of a split, tells what knowing nothing reaches; it may have no rows.
    """
    train, metric = recipe.train, TASKS[recipe.task].metric
    levels: dict[str, float] = {"loss": 1.0} if (recipe.task, train.loss.name) == ("regression", "mse") else {}
    for name in ("loss", metric) if TASKS[recipe.task].target != "boxes" and len(table) else ():
        level = catalogue.task(recipe.task).chance(table, name, train.loss)
        levels |= {name: level.value} if level else {}
    return Facts(
        planned=train.total_epochs,
        images=images,
        batch_size=train.batch_size * train.accumulate,
        checked=checked,
        metric=metric,
        chance_loss=levels.get("loss"),
        chance_metric=levels.get(metric),
        is_share=TASKS[recipe.task].target == "labels",
        kept=kept_epoch(recipe, history),
    )


def kept_epoch(recipe: Recipe, history: pl.DataFrame) -> int:
    """The epoch whose weights the run keeps: the best by what it watches, of equals the first, or the last."""
    watch = recipe.train.watch
    values = history.get_column(f"validation_{watch}", default=None)
    if recipe.train.keep == "last" or values is None or values.is_null().all():
        return len(history)
    lower = next(m.better == "lower" for m in catalogue.task(recipe.task).METRICS if m.name == watch)
    seen = values.cast(pl.Float64).fill_null(np.inf if lower else -np.inf).to_numpy()
    return int((-seen if lower else seen).argmax()) + 1


def findings_table(findings: Sequence[Finding]) -> pl.DataFrame:
    """A row a finding, as ``measure`` says."""
    return pl.DataFrame([_row(finding) for finding in findings], schema=SCHEMA)


def _row(finding: Finding) -> dict[str, Any]:
    rate, evidence = finding.false_alarms, finding.evidence
    return {
        "finding": finding.name,
        "kind": finding.kind,
        "evidence": evidence.text,
        "epochs": list(evidence.epochs),
        "numbers": json.dumps(dict(evidence.numbers)),
        "rule": finding.rule,
        "source": finding.source,
        "flagged": rate.flagged if rate else None,
        "healthy": rate.healthy if rate else None,
        "at_most": rate.upper if rate else None,
        "measured_on": rate.data if rate else None,
        "next_study": finding.next_study or None,
    }
