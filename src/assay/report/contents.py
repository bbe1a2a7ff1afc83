"""Results → everything on the page that is not a chart: tables, what it takes to reproduce the study."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import yaml

from assay.recipe.study import label as level_label
from assay.report.classes import class_frame, confusion_frame
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Mark, Table, skipped_table
from assay.results.compare import Comparison
from assay.results.formats import heading, p_value, plus_minus, signed, value
from assay.results.metrics import is_share, label, lower_is_better

QUALITY = (
    "si_train", "si_test", "csi_train", "csi_test",
    "balanced_accuracy", "roc_auc_macro", "average_precision_macro", "f1_macro", "loss", "train_accuracy",
)  # fmt: skip
WIDEST = 4
"""So many of these, the first there are, fit beside the page's metric."""
COST = ("parameters", "macs", "weight_bytes", "activation_bytes", "training_seconds", "inference_images_per_second")
"""What the page's two tables show; the CSV has every metric."""


def quality(subject: Subject) -> Table:
    """Variant × quality, with the differences in the page's metric to the base."""
    names = subject.results.metric_names
    wanted = [m for m in QUALITY if m in names and not (m == "loss" and subject.losses_differ)]
    others = [m for m in wanted if m != subject.metric and not _repeats(subject, m)][:WIDEST]
    caption = (
        "Mean over seeds ± half of its 95 % t interval, shares cut at 0 and 100 %."
        if subject.seeds > 1
        else "One seed: no intervals over seeds."
    )
    if len(subject.finished) > 1:
        caption += f" ● the {'lowest' if subject.lower_is_better else 'highest'} {label(subject.metric)}."
    if "si_test" in others:
        caption += " SI and CSI are of the last layer."
    if subject.losses_differ:
        caption += " The variants train with different losses, whose values cannot be compared."
    return _variants_by_metrics(subject, "results", caption, [subject.metric, *others] if names else [])


def _repeats(subject: Subject, metric: str) -> bool:
    """Whether a metric is the page's own again, as balanced accuracy is on balanced classes."""
    frame = subject.results.frame
    return bool(((frame[metric] - frame[subject.metric]).abs() < 1e-9).all()) if frame.height else False


def cost(subject: Subject) -> tuple[Table | None, list[tuple[str, str]]]:
    """Variant × cost, and apart from it what is the same for every variant, as (metric, value)."""
    wanted = [m for m in subject.results.metric_names if m in COST]
    means = {m: [row[m] for row in subject.results.table([m]).iter_rows(named=True) if row["seeds"]] for m in wanted}
    common = [m for m in wanted if len(means[m]) > 1 and None not in means[m] and len(set(means[m])) == 1]
    differ = [m for m in wanted if m not in common]
    caption = "Per image: multiply-accumulates and activations. Times are wall-clock."
    table = _variants_by_metrics(subject, "cost", caption, differ) if differ else None
    return table, [(label(m), value(means[m][0], m)) for m in common]


def _variants_by_metrics(subject: Subject, name: str, caption: str, metrics: list[str]) -> Table:
    table = subject.results.table(None if name == "results" else metrics)
    rows = {row["variant"]: row for row in table.iter_rows(named=True)}
    compared = {c.variant: c for c in subject.comparisons or ()} if subject.metric in metrics else {}
    best = _best(subject.metric, [rows[n].get(subject.metric) for n in subject.finished])
    columns = [Column(subject.key, "left"), Column("seeds")]
    for m in metrics:
        columns.append(Column(heading(m)))
        if m == subject.metric and compared:
            columns += [Column(f"difference to base ({'points' if is_share(m) else label(m)})"), Column("p (Holm)")]
    lines = []
    for variant in [*subject.order, *(v for v in subject.plan if v not in subject.finished)]:
        row = rows[variant]
        hint = "base" if variant == subject.base and len(subject.plan) > 1 else ""
        line = [Cell(subject.shown[variant], is_name=True, hint=hint), Cell(str(row["seeds"]))]
        for m in metrics:
            is_best = m == subject.metric and len(subject.finished) > 1 and row[m] is not None and row[m] == best
            line.append(Cell(plus_minus(row[m], row[f"{m}_low"], row[f"{m}_high"], m), "best" if is_best else ""))
            if m == subject.metric and compared:
                line += _difference(compared.get(variant), m)
        lines.append(line)
    return Table(name, caption, columns, lines, table)


def _difference(c: Comparison | None, metric: str) -> list[Cell]:
    if c is None:
        return [Cell(""), Cell("")]
    return [Cell(signed(c.difference, c.low, c.high, metric), _mark(c)), Cell(p_value(c.p_holm))]


def _mark(c: Comparison) -> Mark:
    return "better" if c.decided == "better" else "worse" if c.decided == "worse" else ""


def _best(metric: str, values: list[float | None]) -> float | None:
    there = [v for v in values if v is not None]
    return (min if lower_is_better(metric) else max)(there) if there else None


def differences(subject: Subject) -> Table | None:
    """Every variant against the base and against the best, in full."""
    if subject.comparisons is None:
        return None
    groups = [subject.comparisons]
    if subject.best != subject.base:
        groups.append(subject.results.compare(subject.metric, "best"))
    frame = pl.concat([group.frame for group in groups])
    columns = [Column(subject.key, "left"), Column("against", "left"), Column("pairs"), Column("difference")]
    columns += [Column("p"), Column("p (Holm)"), Column("p (sign flip)"), Column("verdict", "left")]
    lines = [
        [
            Cell(subject.shown[c.variant], is_name=True),
            Cell(subject.shown[c.reference], is_name=True),
            Cell(str(c.pairs)),
            Cell(signed(c.difference, c.low, c.high, c.metric)),
            Cell(p_value(c.p)),
            Cell(p_value(c.p_holm)),
            Cell(p_value(c.sign_flip)),
            Cell(c.decided, _mark(c)),
        ]
        for group in groups
        for c in group
    ]
    unit = "percentage points" if is_share(subject.metric) else heading(subject.metric)
    caption = f"Paired differences in {label(subject.metric)} ({unit}), variant minus reference, with 95 % intervals."
    return Table("differences", caption, columns, lines, frame)


def per_class(subject: Subject) -> Table | None:
    """Precision, recall and F1 of each class and variant; only for the files."""
    frame = class_frame(subject)
    if frame.is_empty():
        return None
    wide = frame.pivot("measure", index=["variant", "class", "images"], values="mean", maintain_order=True)
    columns = [Column("variant", "left"), Column("class", "left"), Column("images")]
    columns += [Column(f"{m} (%)") for m in ("precision", "recall", "F1")]
    lines = [
        [Cell(row["variant"]), Cell(row["class"]), Cell(f"{row['images']:.0f}")]
        + [Cell(f"{row[m]:.2f}") for m in ("precision", "recall", "f1")]
        for row in wide.iter_rows(named=True)
    ]
    return Table("per-class", "Mean over seeds.", columns, lines, full_names(subject, frame))


def matrices(subject: Subject) -> pl.DataFrame:
    """Every confusion matrix, summed over seeds, a row per variant and pair of classes."""
    parts = [(name, confusion_frame(subject, name)) for name in subject.finished]
    frames = [
        frame.select(pl.lit(name).alias("variant"), "true", "predicted", "count", "share")
        for name, frame in parts
        if not frame.is_empty()
    ]
    return pl.concat(frames) if frames else pl.DataFrame()


def unfinished(subject: Subject) -> Table | None:
    """The runs that are missing from the numbers, and why."""
    runs = [run for run in subject.results.runs if run.state != "finished"]
    if not runs:
        return None
    columns = [Column(subject.key, "left"), Column("seed"), Column("state", "left"), Column("reason", "left")]
    lines = [
        [
            Cell(subject.shown[r.variant], is_name=True),
            Cell(str(r.seed)),
            Cell(r.state),
            Cell(r.reason or "", is_name=True),
        ]
        for r in runs
    ]
    rows = [{"variant": r.variant, "seed": r.seed, "state": r.state, "reason": r.reason} for r in runs]
    frame = pl.DataFrame(rows, schema={"variant": pl.String, "seed": pl.Int64, "state": pl.String, "reason": pl.String})
    return Table("unfinished", "Runs missing from the numbers above.", columns, lines, frame)


def skipped(subject: Subject) -> Table | None:
    """Images left out under ``on_bad_image: skip``, once each."""
    found: dict[tuple[str, str], None] = {}
    for run in subject.results.finished:
        found |= dict.fromkeys((str(name), str(why)) for name, why in subject.results.data(run).get("skipped", []))
    if not found:
        return None
    return skipped_table(list(found))


def full_names(subject: Subject, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the variants' full names for those on the page, for a file that is read without the page."""
    return frame.with_columns(pl.col("variant").replace({v: k for k, v in subject.shown.items()}))


# --------------------------------------------------------------------------------------------- reproduce


@dataclass(frozen=True)
class Reproduction:
    """What somebody else needs to get these numbers."""

    command: str
    study: str
    recipe: str
    recipe_of: str
    levels: list[tuple[str, list[str]]]
    environment: list[tuple[str, str]]
    data: list[tuple[str, str]]


def reproduction(subject: Subject) -> Reproduction:
    """The study file, the base's recipe with every default, the levels, the environments and the data of the runs."""
    results, study = subject.results, subject.results.study
    run = next(iter(subject.runs(subject.base) or results.finished), None)
    written = run.folder / "recipe.yaml" if run else None
    if written is not None and written.exists():
        recipe = written.read_text(encoding="utf-8")
    else:
        recipe = yaml.safe_dump(study.plan[subject.base].recipe.dump(), sort_keys=False, allow_unicode=True)
    values: dict[str, dict[str, None]] = {}
    for each in results.finished:
        for key, found in results.environment(each).items():
            text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
            values.setdefault(key, {})[text] = None
    commands = list(values.pop("command", {}))
    command = next((c for c in commands if c), f"assay run {study.name}.yaml")
    levels = {
        key: list(dict.fromkeys(level_label(v.levels[key]) for v in subject.plan.values())) for key in study.factors
    }
    return Reproduction(
        command,
        study.dump(),
        recipe,
        run.variant if run else subject.base,
        list(levels.items()),
        [(key, ", ".join(several)) for key, several in values.items()],
        list(_data(subject)),
    )


def _data(subject: Subject) -> Iterator[tuple[str, str]]:
    run = next(iter(subject.results.finished), None)
    if run is None:
        return
    data = subject.results.data(run)
    yield "source", subject.plan[run.variant].recipe.data.source
    yield "classes", str(len(data["classes"]))
    channels, height, width = data["shape"]
    yield "images", f"{width} × {height} pixels, {channels} channel{'s' * (channels != 1)}"
    if views := subject.plan[run.variant].recipe.data.augment_views:
        yield "augmentation", f"{views} views of each training image, epoch e sees view e mod {views}"
    for split, count in data["counts"].items():
        yield split, value(count, "parameters") + " images"
