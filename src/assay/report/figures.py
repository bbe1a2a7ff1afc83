"""Results → figures: the frame behind each chart, the chart, and the words beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from assay.recipe.study import label as level_label
from assay.recipe.study import short_keys
from assay.report import charts, style
from assay.report.subject import SEPARATOR, Subject
from assay.results.formats import heading
from assay.results.metrics import bounds, factor, is_exact, is_share, label, lower_is_better
from assay.results.statistics import mean_interval


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
    metric, base = subject.metric, subject.base_in_words
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
    dots = bool((frame["kind"] == "seed").any())
    methods = sorted({c.method for c in subject.comparisons})
    yield Figure(
        "effect",
        f"Difference in {label(metric)} to {base}",
        f"Large mark: the difference to {base}{', mean of the pairs' * dots}; line: its 95\u00a0% interval "
        f"({'; '.join(methods)}){'; small dots: one seed each' * dots}. "
        f"Coloured where the Holm-corrected p is below 0.05. "
        f"For {label(metric)}, {better} is better.",
        f"Differences in {label(metric)} to {base} with 95 % intervals, {len(order)} variants; "
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
            group = SEPARATOR.join(level_label(subject.plan[name].levels[k]) for k in others)
            values = subject.values(name, metric)
            mean = mean_interval(list(values.values()), within=bounds(metric))
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
            "Mean over seeds with its 95 % t interval; small dots: one seed each."
            if subject.seeds > 1
            else "One seed a level, so no intervals over seeds.",
            f"{label(metric)} against {key}, {len(found)} levels.",
            charts.levels(frame, short[key], heading(metric), colors, SEPARATOR.join(short[k] for k in others), log),
            frame,
        )


def _only_differs_in(subject: Subject, name: str, key: str) -> bool:
    base, other = subject.plan[subject.base].levels, subject.plan[name].levels
    return all(base[k] == other[k] for k in base if k != key)


def learning(subject: Subject) -> Iterator[Figure]:
    """Accuracy, and where all variants have the same loss that too, over the epochs, train beside validation, on one
    scale."""
    history = subject.results.histories()
    if history.is_empty():
        return
    for quantity in ("accuracy",) if subject.losses_differ else ("accuracy", "loss"):
        frames = {}
        for split in ("validation", "train"):
            column = f"{split}_{quantity}"
            if column in history.columns and history[column].is_not_null().any():
                frames[split] = _curve(subject, history, column)
        if not frames:
            continue
        together = pl.concat(frames.values())
        settled = together.filter(pl.col("epoch") > opening(together))
        domain = (float(settled["low"].min()), float(settled["high"].max()))  # type: ignore[arg-type]
        epochs = together["epoch"].n_unique()
        phases = phase_begins(history)
        for split, frame in frames.items():
            measure = heading(quantity if quantity == "accuracy" else f"{split}_loss").replace("test ", "")
            yield Figure(
                f"learning-{split}-{quantity}",
                f"{split.capitalize()} {quantity}",
                "",
                f"{split} {quantity} over {epochs} epochs for {frame['variant'].n_unique()} variants.",
                charts.curves(frame, measure, subject.colors, domain, phases),
                frame,
                wide=len(frames) == 1,
            )


def phase_begins(history: pl.DataFrame) -> list[tuple[int, str]]:
    """(first epoch, word) of every phase after the first; runs that begin it elsewhere get a mark of their own."""
    if "phase" not in history.columns:
        return []
    first = history.filter(pl.col("phase") > 1).group_by("variant", "seed", "phase").agg(pl.col("epoch").min())
    marks = first.group_by("epoch").agg(pl.col("phase").unique().sort()).sort("epoch")
    return [(epoch, f"phase {' or '.join(map(str, numbers))}") for epoch, numbers in marks.iter_rows()]


def opening(curve: pl.DataFrame) -> int:
    """How many epochs at the beginning the axes do not make room for: a tenth of six or more."""
    epochs = curve["epoch"].n_unique()
    return max(1, epochs // 10) if epochs >= 6 else 0


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
    figures: list[Figure] = []
    for cost in wanted:
        rows = []
        for name in subject.order:
            spent = list(subject.values(name, cost).values())
            reached = mean_interval(list(subject.values(name, metric).values()), within=bounds(metric))
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
        title = heading(cost)
        figures.append(
            Figure(
                f"cost-{cost}",
                f"{label(metric).capitalize()} against {label(cost)}",
                "Mean over seeds with its 95 % t interval." if subject.seeds > 1 else "",
                f"{label(metric)} against {label(cost)} for {len(rows)} variants.",
                charts.tradeoff(frame, title, heading(metric), subject.colors, log=low > 0 and high / low >= 20),
                frame,
                wide=False,
            )
        )
    yield from figures


def _times(number: float | None, scale: float) -> float | None:
    return None if number is None else number * scale
