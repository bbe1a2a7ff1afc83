"""The section on cost: parameters, operations, bytes and seconds, and the metric against them."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from assay.language.script import as_name
from assay.language.speech import say
from assay.report.figures import Figure
from assay.report.section import Grid, Legend, Part, Section, Text, Words, listing
from assay.report.sections import cost_charts
from assay.report.sections.variants import mean_and_ends, variants_table
from assay.report.subject import Subject
from assay.report.tables import Table
from assay.results.formats import heading, in_title, time_unit, with_unit
from assay.results.metrics import is_exact, label

COST = ("parameters", "macs", "weight_bytes", "activation_bytes", "training_seconds", "inference_images_per_second")


def section(subject: Subject) -> Section | None:
    """The table, training times, and the metric against each cost that differs."""
    table, shared = costs(subject)
    wide, half = list(time(subject)), list(tradeoff(subject))
    if table is None and not wide and not half:
        return None
    parts: list[Part] = [] if table is None else [table]
    if shared:
        same = say(", ").join(f"{name} {text}" for name, text in shared)
        parts.append(Text(say("The same for every variant: {costs}.", costs=same)))
    parts += map(Text, uncounted(subject))
    parts += wide
    if half:
        parts += [Legend(subject.heading, subject.colors), Grid(half)]
    return Section("cost", say("Cost"), "", parts)


def costs(subject: Subject) -> tuple[Table | None, list[tuple[str, str]]]:
    """Variant × cost, and apart from it what is the same for every variant, as (metric, value)."""
    wanted = [m for m in subject.results.metric_names if m in COST]
    means = {m: [row[m] for row in subject.results.table([m]).iter_rows(named=True) if row["seeds"]] for m in wanted}
    common = [m for m in wanted if len(means[m]) > 1 and None not in means[m] and len(set(means[m])) == 1]
    differ = [m for m in wanted if m not in common]
    caption = say("Per image: multiply-accumulates and activations. Times are wall-clock.")
    table = variants_table(subject, "cost", caption, differ) if differ else None
    return table, [(label(m), with_unit(means[m][0], m)) for m in common]


def uncounted(subject: Subject) -> Iterator[Words]:
    """A sentence for the operations that are in no count of the same variants."""
    if "uncounted" not in subject.results.tables:
        return
    found = subject.results.stacked("uncounted")
    together: dict[tuple[str, ...], list[str]] = {}
    for (operation,), rows in found.group_by("operation", maintain_order=True):
        whose = tuple(rows["variant"].unique(maintain_order=True))
        together.setdefault(whose, []).append(as_name(str(operation)))
    for whose, operations in together.items():
        where = ["."] if len(whose) == len(subject.order) else listing(": ", [subject.shown[name] for name in whose])
        what = say(", ").join(operations)
        yield [say("Not counted, so that multiply-accumulates are too low: {operation}", operation=what), *where]


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
    unit, scale = time_unit(float(frame["seconds"].max()))  # type: ignore[arg-type]
    dots = say("; dots: one seed each") if subject.seeds > 1 else ""
    yield Figure(
        "training-time",
        say("Training time"),
        say("Wall-clock time, all epochs{dots}. Runs that shared a machine slowed one another.", dots=dots),
        say("Training times of {n} variants; the numbers are in the table.", n=len(subject.order)),
        cost_charts.times(frame, [subject.shown[n] for n in subject.order], subject.colors, unit, scale),
        frame,
    )


def tradeoff(subject: Subject) -> Iterator[Figure]:
    """The metric against parameters, multiply-accumulates and training seconds, where they differ."""
    metric = subject.metric
    wanted = [m for m in ("parameters", "macs", "training_seconds") if m in subject.results.metric_names]
    figures: list[Figure] = []
    for cost in wanted:
        rows = []
        for name in subject.order:
            spent = list(subject.values(name, cost).values())
            reached = mean_and_ends(subject, name, metric)
            if spent and reached["value"] is not None:
                rows.append({"variant": subject.shown[name], "cost": sum(spent) / len(spent)} | reached)
        if len(rows) < 2 or len({row["cost"] for row in rows}) < 2:
            continue
        if is_exact(cost) and any(f.name == "cost-parameters" for f in figures):
            continue
        overrides = {"low": pl.Float64, "high": pl.Float64}
        frame = pl.DataFrame(rows, schema_overrides=overrides, infer_schema_length=None)
        low, high = float(frame["cost"].min()), float(frame["cost"].max())  # type: ignore[arg-type]
        unit, scale = time_unit(high)
        timed = cost_charts.Cost(f"{label(cost)} ({say(unit)})", scale)
        axis = cost_charts.Cost(heading(cost)) if is_exact(cost) else timed
        figures.append(
            Figure(
                f"cost-{cost}",
                say("{metric} against {cost}", metric=in_title(label(metric)), cost=label(cost)),
                say("Mean over seeds with its 95 % t interval.") if subject.seeds > 1 else "",
                say("{metric} against {cost} for {n} variants.", metric=label(metric), cost=label(cost), n=len(rows)),
                cost_charts.tradeoff(frame, axis, heading(metric), subject.colors, log=low > 0 and high / low >= 20),
                frame,
                wide=False,
                legend=False,
            )
        )
    yield from figures
