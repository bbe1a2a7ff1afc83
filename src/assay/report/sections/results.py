"""The section on the results: what each variant reached, differences to the base, levels of a numeric factor."""

from collections.abc import Iterator

import polars as pl

from assay.recipe.names import SEPARATOR, shown_keys
from assay.recipe.names import label as level_label
from assay.report import style
from assay.report.charts import in_sight
from assay.report.choices import quality_metrics
from assay.report.figures import Figure
from assay.report.section import Aside, Folded, Part, Section, Sentences, View, Views
from assay.report.sections import results_charts
from assay.report.sections.factors import main_effects
from assay.report.sections.variants import difference, mark, mean_and_ends, variants_table
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.results.comparison import Comparison
from assay.results.formats import heading, in_title, p_value, value, with_unit
from assay.results.metrics import factor, is_share, label, lower_is_better
from assay.results.standing import percent
from assay.results.superiority import Share, chance_to_beat, share_text

WIDEST = 4
"""So many of these, the first there are, fit."""


def section(subject: Subject) -> Section:
    """Always there, even before a run has finished; one view for each metric that the reader may choose."""
    return Section("results", "Results", "", [Views([View(one.metric, answer(one)) for one in subject.choices])])


def answer(subject: Subject) -> list[Part]:
    """The results in one metric."""
    parts: list[Part] = [quality(subject), *effect(subject)]
    if (factors := main_effects(subject)) is not None:
        parts.append(factors)
    parts += levels(subject)
    if notes := subject.results.notes(subject.metric):
        parts.append(Aside(f"notes{subject.suffix}", "What these numbers allow", [Sentences(notes)]))
    if (table := differences(subject)) is not None:
        best = "" if subject.results.study.reference_variant else " and against the best"
        parts.append(Folded(f"Every comparison, against the {subject.base_word}{best}", [table]))
    return parts


def quality(subject: Subject) -> Table:
    """Variant × quality, with the differences in the page's metric to the base."""
    names = subject.results.metric_names
    known = quality_metrics(names)
    wanted = [m for m in known if not (m == "loss" and subject.losses_differ)]
    others = [m for m in wanted if m != subject.metric and not _repeats(subject, m)][:WIDEST]
    caption = (
        "Mean over seeds ± half of its 95 % t interval, shares cut at 0 and 100 %."
        if subject.seeds > 1
        else "One seed: no intervals over seeds."
    )
    if len(subject.finished) > 1:
        caption += f" ● the {'lowest' if subject.lower_is_better else 'highest'} {label(subject.metric)}."
    if subject.chance is not None:
        caption += f" Chance, {subject.chance.guess}: {with_unit(subject.chance.value, subject.metric)}."
    against = subject.comparisons
    if against and against.images and against.images_lead:
        caption += f" {against.images:,} test images, which limit the differences more than the seeds do."
    if "si_test" in others:
        caption += " SI and CSI are of the last layer."
    if "smi_test" in others:
        caption += " SmI is of the last layer."
    if subject.losses_differ:
        caption += " The variants train with different losses, whose values cannot be compared."
    shown = [subject.metric, *others] if names else []
    return variants_table(
        subject, f"results{subject.suffix}", caption, shown, is_compared=True, is_whole=not subject.suffix
    )


def _repeats(subject: Subject, metric: str) -> bool:
    """Whether a metric is the page's own again, as balanced accuracy is on balanced classes."""
    frame = subject.results.frame
    return bool(((frame[metric] - frame[subject.metric]).abs() < 1e-9).all()) if frame.height else False


def differences(subject: Subject) -> Table | None:
    """Every variant against the base and against the best, in full."""
    if subject.comparisons is None:
        return None
    answer = subject.results.answering(subject.metric)
    groups = [subject.comparisons] if answer is subject.comparisons else [subject.comparisons, answer]
    beats = [chance_to_beat(c) for group in groups for c in group]
    ends = {end: [share and getattr(share, end) for share in beats] for end in Share._fields}
    frame = pl.concat([group.frame for group in groups]).with_columns(
        pl.Series(f"beats_{end}".removesuffix("_value"), ends[end], pl.Float64) for end in ends
    )
    columns = [Column(subject.key, "left"), Column("against", "left"), Column("pairs"), Column("difference")]
    images = next((group.images for group in groups if group.images), None)
    columns += [Column("± by seeds"), Column("± by images")] if images else []
    tested = any(c.p is not None for group in groups for c in group)
    columns += [Column("p")] * tested + [Column("beats it in")] * any(beats)
    columns.append(Column("verdict", "left"))
    lines = [
        [
            Cell(subject.shown[c.variant], is_name=True),
            Cell(subject.shown[c.reference], is_name=True),
            Cell(str(c.pairs)),
            Cell(difference(c)),
            *(_parts(c) if images else ()),
            *[Cell(p_value(c.p))] * tested,
            *[Cell(share_text(share))] * any(beats),
            Cell(c.decided, mark(c)),
        ]
        for c, share in zip((c for group in groups for c in group), beats, strict=True)
    ]
    unit = "percentage points" if is_share(subject.metric) else heading(subject.metric)
    caption = (
        f"Paired differences in {label(subject.metric)} ({unit}), variant minus reference, with intervals that hold "
        f"together in {percent(groups[-1].alpha)} of studies."
    )
    if any(beats):
        caption += " Beats it in: of so many seeds a run of the variant is better than that of the reference."
    if images:
        caption += (
            f" They cover other seeds and other test images like these {images:,}; the part by images is what no "
            "number of seeds takes away."
        )
    return Table(f"differences{subject.suffix}", caption, columns, lines, frame)


def _parts(c: Comparison) -> list[Cell]:
    """Of the half width of the interval, the seeds' part, never more than the whole, and the test images'."""
    if not c.error or c.low is None or c.high is None or c.is_too_wide:
        return [Cell("–"), Cell("–")]
    half = (c.high - c.low) / 2
    parts = (None if part is None else half * min(part / c.error, 1.0) for part in (c.seeds_error, c.images_error))
    return [Cell(value(part, c.metric, half)) for part in parts]


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
        shown = (c.low, c.high) if _has_line(c) else (None, None)
        ends = {end: None if at is None else scale * at for end, at in zip(("low", "high"), shown, strict=True)}
        if c.difference is not None:
            numbers = {"seed": None, "difference": scale * c.difference, **ends, "p": c.p}
            rows.append(shared | {"kind": "interval"} | numbers)
        for seed, reached in subject.values(name, metric).items():
            if seed in reference and c.pairs > 1:
                numbers = {"seed": seed, "difference": scale * (reached - reference[seed])}
                rows.append(shared | {"kind": "seed"} | numbers | {"low": None, "high": None, "p": None})
    if not rows:
        return
    floats = dict.fromkeys(["difference", "low", "high", "p"], pl.Float64)
    frame = pl.DataFrame(rows, schema_overrides={**floats, "seed": pl.Int64}, infer_schema_length=None)
    unit = " (percentage points)" if is_share(metric) else ""
    chance = _chance(subject, frame["difference"], subject.means[subject.base])
    order = [subject.shown[name] for name in subject.order if name in by_name]
    better = "smaller" if lower_is_better(metric) else "larger"
    dots = bool((frame["kind"] == "seed").any())
    methods = sorted({c.method for c in subject.comparisons})
    over = ", and over test images" * bool(subject.comparisons.images)
    together = ", all together" * (subject.comparisons.family > 1)
    colored = "Coloured where the interval excludes 0."
    if any(c.is_too_wide and c.decided != "same network" for c in subject.comparisons):
        colored += " Without a line: too few seeds to tell."
    if subject.comparisons.is_interim:
        colored = "Nothing is decided yet."
    yield Figure(
        f"effect{subject.suffix}",
        f"Difference in {label(metric)} to {base}",
        f"Large mark: the difference to {base}{', mean of the pairs' * dots}; line: its interval{together} at "
        f"{percent(subject.comparisons.alpha)} ({'; '.join(methods)}{over}){'; small dots: one seed each' * dots}. "
        f"{colored} For {label(metric)}, {better} is better.",
        f"Differences in {label(metric)} to {base} with intervals, {len(order)} variants; "
        "the numbers are in the table above.",
        results_charts.effect(frame, order, f"difference in {label(metric)}{unit}", chance),
        frame,
        is_file=not subject.suffix,
    )


def _has_line(c: Comparison) -> bool:
    """Whether its interval tells anything."""
    return not c.is_too_wide and c.decided != "same network"


def levels(subject: Subject) -> Iterator[Figure]:
    """The metric against each numeric factor, a line for each combination of the other factors."""
    study, metric = subject.results.study, subject.metric
    short, scale = shown_keys(study.factors), factor(metric)
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
            values, numbers = subject.values(name, metric), mean_and_ends(subject, name, metric)
            if numbers["value"] is None:
                continue
            shared = {"group": group, "level": float(level)}
            rows.append(shared | {"kind": "interval", "seed": None} | numbers)
            rows += [
                shared | {"kind": "seed", "seed": seed, "value": scale * v, "low": None, "high": None}
                for seed, v in values.items()
                if len(values) > 1
            ]
        of_groups = {(row["group"], row["level"]) for row in rows}
        if len({row["level"] for row in rows}) < 3 or len(of_groups) == len({row["group"] for row in rows}):
            continue
        overrides = {"seed": pl.Int64, "low": pl.Float64, "high": pl.Float64}
        frame = pl.DataFrame(rows, schema_overrides=overrides, infer_schema_length=None)
        groups = list(dict.fromkeys(frame["group"]))
        colors = dict(zip(groups, style.categorical(len(groups)), strict=True))
        if len(groups) == 1:
            colors = {groups[0]: style.LIGHT["accent"]}
        found = frame["level"].unique()
        chance = _chance(subject, frame["value"])
        log = bool((found > 0).all()) and float(found.max() / found.min()) >= 8  # type: ignore[arg-type, operator]
        yield Figure(
            f"levels-{key}{subject.suffix}",
            f"{in_title(label(metric))} against {short[key]}",
            "Mean over seeds with its 95 % t interval; small dots: one seed each."
            if subject.seeds > 1
            else "One seed a level, so no intervals over seeds.",
            f"{label(metric)} against {key}, {len(found)} levels.",
            results_charts.levels(
                frame, short[key], heading(metric), colors, SEPARATOR.join(short[k] for k in others), log, chance
            ),
            frame,
            is_file=not subject.suffix,
        )


def _chance(subject: Subject, shown: pl.Series, less: float = 0.0) -> float | None:
    """Where the level of chance, ``less`` so much, stands among the numbers that a chart shows; None where it is out of
    sight of them."""
    if subject.chance is None:
        return None
    at = factor(subject.metric) * (subject.chance.value - less)
    return at if in_sight(at, shown) else None


def _only_differs_in(subject: Subject, name: str, key: str) -> bool:
    base, other = subject.plan[subject.base].levels, subject.plan[name].levels
    return all(base[k] == other[k] for k in base if k != key)
