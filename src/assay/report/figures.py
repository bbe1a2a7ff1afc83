"""Results → figures: the frame behind each chart, the chart, and the words beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.metrics import is_exact, is_share, label, lower_is_better
from assay.report import charts, style
from assay.report.formats import factor, heading
from assay.report.subject import Subject
from assay.statistics import mean_interval
from assay.study import label as level_label
from assay.study import short_keys

MOST_CLASSES = 24
"""More classes than these are cut to the hardest in the bar chart; the CSV has them all."""
MOST_MATRICES = 12
MOST_CELLS = 20_000
"""So many confusion matrices, of so many cells together, are drawn; at least the best variant's and the base's."""


@dataclass(frozen=True)
class Figure:
    """A chart with its words; ``frame`` is what it shows, or more, and becomes the CSV."""

    name: str
    """File stem of the SVG and the CSV."""
    title: str
    caption: str
    alt: str
    """For those who do not see the chart."""
    chart: charts.Chart
    frame: pl.DataFrame
    wide: bool = True
    folded: bool = False
    """Shown only when asked for."""


def effect(subject: Subject) -> Iterator[Figure]:
    """Paired differences to the base."""
    if subject.comparisons is None:
        return
    metric, base = subject.metric, subject.shown[subject.base]
    scale, rows = factor(metric), []
    reference = subject.values(subject.base, metric)
    by_name = {c.variant: c for c in subject.comparisons}
    for name in subject.order:
        if name not in by_name:
            continue
        c = by_name[name]
        shared = {"variant": subject.shown[name], "verdict": c.decided}
        ends = {"low": None if c.low is None else scale * c.low, "high": None if c.high is None else scale * c.high}
        if c.difference is not None:
            numbers = {"seed": None, "difference": scale * c.difference, **ends, "p": c.p_holm}
            rows.append(shared | {"kind": "interval"} | numbers)
        for seed, value in subject.values(name, metric).items():
            if seed in reference and c.pairs > 1:
                numbers = {"seed": seed, "difference": scale * (value - reference[seed])}
                rows.append(shared | {"kind": "seed"} | numbers | {"low": None, "high": None, "p": None})
    if not rows:
        return
    floats = dict.fromkeys(["difference", "low", "high", "p"], pl.Float64)
    frame = pl.DataFrame(rows, schema_overrides={**floats, "seed": pl.Int64}, infer_schema_length=None)
    unit = " (percentage points)" if is_share(metric) else ""
    order = [subject.shown[name] for name in subject.order if name in by_name]
    better = "smaller" if lower_is_better(metric) else "larger"
    methods = sorted({c.method for c in subject.comparisons})
    yield Figure(
        "effect",
        f"Difference in {label(metric)} to {base}",
        f"Large mark: mean paired difference to {base}; line: its 95 % interval ({'; '.join(methods)}); small dots: one "
        f"seed each. Coloured where the Holm-corrected p is below 0.05. For {label(metric)}, {better} is better.",
        f"Differences in {label(metric)} to {base} with 95 % intervals, {len(order)} variants; "
        "the numbers are in the table above.",
        charts.effect(frame, order, f"difference in {label(metric)}{unit}"),
        frame,
    )


def levels(subject: Subject) -> Iterator[Figure]:
    """The metric against each numeric factor, a line for each combination of the other factors."""
    study, metric = subject.results.study, subject.metric
    short, scale = short_keys(study.factors), factor(metric)
    for key in subject.numeric:
        others = [k for k in study.factors if k != key]
        rows = []
        for name in subject.finished:
            level = subject.plan[name].levels[key]
            if not isinstance(level, int | float) or isinstance(level, bool):
                continue
            if study.design == "one_at_a_time" and not _only_differs_in(subject, name, key):
                continue
            group = ", ".join(f"{short[k]}={level_label(subject.plan[name].levels[k])}" for k in others)
            values = subject.values(name, metric)
            mean = mean_interval(list(values.values()))
            if mean.mean is None:
                continue
            shared = {"group": group, "level": float(level)}
            ends = {"low": _times(mean.low, scale), "high": _times(mean.high, scale)}
            rows.append(shared | {"kind": "interval", "seed": None, "value": scale * mean.mean} | ends)
            rows += [
                shared | {"kind": "seed", "seed": seed, "value": scale * v, "low": None, "high": None}
                for seed, v in values.items()
                if len(values) > 1
            ]
        if len({row["level"] for row in rows}) < 3:
            continue
        overrides = {"seed": pl.Int64, "low": pl.Float64, "high": pl.Float64}
        frame = pl.DataFrame(rows, schema_overrides=overrides, infer_schema_length=None)
        groups = list(dict.fromkeys(frame["group"]))
        colors = dict(zip(groups, style.categorical(len(groups)), strict=True))
        if len(groups) == 1:
            colors = {groups[0]: style.LIGHT["accent"]}
        found = frame["level"].unique()
        log = bool((found > 0).all()) and float(found.max() / found.min()) >= 8  # type: ignore[arg-type, operator]
        yield Figure(
            f"levels-{key}",
            f"{label(metric).capitalize()} against {short[key]}",
            "Mean over seeds with its 95 % t interval; small dots: one seed each."
            if subject.seeds > 1
            else "One seed a level, so no intervals over seeds.",
            f"{label(metric)} against {key}, {len(found)} levels.",
            charts.levels(frame, short[key], heading(metric), colors, log),
            frame,
        )


def _only_differs_in(subject: Subject, name: str, key: str) -> bool:
    base, other = subject.plan[subject.base].levels, subject.plan[name].levels
    return all(base[k] == other[k] for k in base if k != key)


def learning(subject: Subject) -> Iterator[Figure]:
    """Accuracy and loss over the epochs, train beside validation, on one scale."""
    history = subject.results.histories()
    if history.is_empty():
        return
    for quantity in ("accuracy", "loss"):
        frames = {}
        for split in ("validation", "train"):
            column = f"{split}_{quantity}"
            if column in history.columns and history[column].is_not_null().any():
                frames[split] = _curve(subject, history, column)
        if not frames:
            continue
        together = pl.concat(frames.values())
        domain = (float(together["low"].min()), float(together["high"].max()))  # type: ignore[arg-type]
        for split, frame in frames.items():
            measure = heading(quantity if quantity == "accuracy" else f"{split}_loss").replace("test ", "")
            yield Figure(
                f"learning-{split}-{quantity}",
                f"{split.capitalize()} {quantity}",
                "",
                f"{split} {quantity} over {frame['epoch'].n_unique()} epochs for {frame['variant'].n_unique()} variants.",
                charts.curves(frame, measure, subject.colors, domain),
                frame,
                wide=len(frames) == 1,
            )


def _curve(subject: Subject, history: pl.DataFrame, column: str) -> pl.DataFrame:
    value = pl.col(column) * factor(column)
    curve = (
        history.filter(pl.col(column).is_finite())
        .group_by("variant", "epoch")
        .agg(mean=value.mean(), low=value.min(), high=value.max(), seeds=pl.len())
    )
    rank = {name: i for i, name in enumerate(subject.order)}
    ranked = curve.sort(pl.col("variant").replace_strict(rank, return_dtype=pl.Int64), "epoch")
    return ranked.with_columns(pl.col("variant").replace(subject.shown))


def per_class(subject: Subject) -> Iterator[Figure]:
    """Precision and recall of every class."""
    frame = class_frame(subject)
    if frame.is_empty() or subject.best is None:
        return
    classes = list(dict.fromkeys(frame["class"]))
    hard = frame.filter(pl.col("measure") != "f1").group_by("class").agg(pl.col("mean").mean()).sort("mean")
    shown, best = classes, subject.shown[subject.best]
    title, note = "Precision and recall of every class", ""
    if len(classes) > MOST_CLASSES:
        shown = hard["class"].head(MOST_CLASSES).to_list()
        title = f"Precision and recall of the {MOST_CLASSES} hardest of {len(classes)} classes"
        note = " Sorted by the mean of precision and recall over all variants, the hardest first; the CSV has every class."
    bars = frame.filter(pl.col("measure") != "f1", pl.col("class").is_in(shown))
    whiskers = " Whiskers: from the lowest to the highest seed." if subject.seeds > 1 else ""
    variants = [subject.shown[name] for name in subject.order]
    yield Figure(
        "per-class",
        title,
        f"Test images, mean over seeds.{whiskers}{note}",
        f"Precision and recall of {len(shown)} classes, one variant at a time, first {best}.",
        charts.classes(bars, shown, variants, best, subject.key),
        frame,
    )


def class_frame(subject: Subject) -> pl.DataFrame:
    """A row per variant, class and measure (precision, recall, f1): mean, low, high over seeds in percent; images."""
    rows: list[dict[str, Any]] = []
    for name in subject.order:
        measured = [(subject.results.data(run)["classes"], subject.results.metrics(run)) for run in subject.runs(name)]
        measured = [(classes, m) for classes, m in measured if "precision_per_class" in m]
        for measure in ("precision", "recall", "f1") if measured else ():
            values = 100 * np.array([m[f"{measure}_per_class"] for _, m in measured])
            support = np.mean([m["support_per_class"] for _, m in measured], axis=0)
            for i, one in enumerate(measured[0][0]):
                column = values[:, i]
                numbers = {"mean": float(column.mean()), "low": float(column.min()), "high": float(column.max())}
                shared = {"variant": subject.shown[name], "class": one, "measure": measure}
                rows.append(shared | numbers | {"images": float(support[i])})
    return pl.DataFrame(rows, infer_schema_length=None)


def confusion(subject: Subject) -> Iterator[Figure]:
    """A matrix for each variant, summed over seeds: the best and the base (or the worst) open, the others folded."""
    first = list(dict.fromkeys(n for n in (subject.best, subject.base, subject.worst) if n in subject.finished))[:2]
    others = [name for name in subject.order if name not in first]
    keep_open = len(subject.order) <= 4
    cells = 0
    for i, name in enumerate([*first, *others][:MOST_MATRICES]):
        frame = confusion_frame(subject, name)
        cells += frame.height
        if frame.is_empty() or (i >= 2 and cells > MOST_CELLS):
            continue
        classes = list(dict.fromkeys(frame["true"]))
        seeds = len(subject.runs(name))
        yield Figure(
            f"confusion-{subject.plan[name].folder}",
            subject.shown[name],
            "",
            f"Confusion matrix of {subject.shown[name]}: {len(classes)} true by {len(classes)} predicted classes, "
            f"{int(frame['count'].sum())} predictions over {seeds} seed{'s' * (seeds != 1)}.",
            charts.confusion(frame.filter(pl.col("count") > 0) if len(classes) > 40 else frame, classes),
            frame,
            wide=len(classes) > 12,
            folded=name in others and not keep_open,
        )


def confusion_frame(subject: Subject, variant: str) -> pl.DataFrame:
    """A row per pair of classes: true, predicted, count (summed over seeds), share and percent of the true class."""
    total, classes = None, []
    for run in subject.runs(variant):
        matrix = subject.results.metrics(run).get("confusion_matrix")
        if matrix is not None:
            classes = subject.results.data(run)["classes"]
            total = np.array(matrix) + (0 if total is None else total)
    if total is None:
        return pl.DataFrame()
    share = total / np.maximum(total.sum(axis=1, keepdims=True), 1)
    n = len(classes)
    return pl.DataFrame(
        {
            "true": np.repeat(classes, n).tolist(),
            "predicted": list(classes) * n,
            "count": total.ravel().tolist(),
            "share": share.ravel().round(6).tolist(),
            "percent": (100 * share).ravel().round(4).tolist(),
            "right": np.eye(n, dtype=bool).ravel().tolist(),
        }
    )


def time(subject: Subject) -> Iterator[Figure]:
    """Training time bars."""
    if "training_seconds" not in subject.results.metric_names:
        return
    rows: list[dict[str, Any]] = []
    for name in subject.order:
        values, shown = subject.values(name, "training_seconds"), subject.shown[name]
        if values:
            mean = sum(values.values()) / len(values)
            rows.append({"variant": shown, "kind": "mean", "seed": None, "seconds": mean})
        if len(values) > 1:
            rows += [{"variant": shown, "kind": "seed", "seed": s, "seconds": v} for s, v in values.items()]
    if not rows:
        return
    frame = pl.DataFrame(rows, schema_overrides={"seed": pl.Int64}, infer_schema_length=None)
    dots = "; dots: one seed each" if subject.seeds > 1 else ""
    yield Figure(
        "training-time",
        "Training time",
        f"Wall-clock seconds, all epochs{dots}. Runs that shared a machine slowed one another.",
        f"Training seconds of {len(subject.order)} variants; the numbers are in the table.",
        charts.seconds(frame, [subject.shown[n] for n in subject.order], subject.colors),
        frame,
    )


def tradeoff(subject: Subject) -> Iterator[Figure]:
    """The metric against parameters, multiply-accumulates and training seconds, where they differ."""
    metric, scale = subject.metric, factor(subject.metric)
    wanted = [m for m in ("parameters", "macs", "training_seconds") if m in subject.results.metric_names]
    figures = []
    for cost in wanted:
        rows = []
        for name in subject.order:
            spent = list(subject.values(name, cost).values())
            reached = mean_interval(list(subject.values(name, metric).values()))
            if spent and reached.mean is not None:
                point = {"variant": subject.shown[name], "cost": sum(spent) / len(spent), "value": scale * reached.mean}
                rows.append(point | {"low": _times(reached.low, scale), "high": _times(reached.high, scale)})
        if len(rows) < 2 or len({row["cost"] for row in rows}) < 2:
            continue
        if is_exact(cost) and any(f.name == "cost-parameters" for f in figures):
            continue
        overrides = {"low": pl.Float64, "high": pl.Float64}
        frame = pl.DataFrame(rows, schema_overrides=overrides, infer_schema_length=None)
        low, high = float(frame["cost"].min()), float(frame["cost"].max())  # type: ignore[arg-type]
        title = heading(cost) if cost == "training_seconds" else label(cost)
        figures.append(
            Figure(
                f"cost-{cost}",
                f"{label(metric).capitalize()} against {label(cost)}",
                "Mean over seeds with its 95 % t interval." if subject.seeds > 1 else "",
                f"{label(metric)} against {label(cost)} for {len(rows)} variants.",
                charts.tradeoff(frame, title, heading(metric), subject.colors, log=low > 0 and high / low >= 20),
                frame,
                wide=False,
            )
        )
    yield from figures


def _times(number: float | None, scale: float) -> float | None:
    return None if number is None else number * scale
