"""The section on the results: what each variant reached, differences to the base, levels of a numeric factor."""

from collections.abc import Collection, Iterator, Mapping

import polars as pl

from assay.language.script import as_name
from assay.language.speech import say
from assay.recipe.names import SEPARATOR, shown_keys
from assay.recipe.names import label as level_label
from assay.report import style
from assay.report.charts import in_sight
from assay.report.choices import quality_metrics
from assay.report.figures import Figure
from assay.report.section import Aside, Folded, Part, Section, Sentences, View, Views
from assay.report.sections import results_charts
from assay.report.sections.differences import differences
from assay.report.sections.factors import main_effects
from assay.report.sections.variants import mean_and_ends, variants_table
from assay.report.subject import Subject
from assay.report.tables import Table
from assay.results.comparing.comparison import Comparison, Comparisons
from assay.results.comparing.standing import percent
from assay.results.formats import heading, in_title, with_unit
from assay.results.metrics import factor, is_share, label, lower_is_better

WIDEST = 4
"""So many of these, the first there are, fit."""


def section(subject: Subject) -> Section:
    """Always there, even before a run has finished; one view for each metric that the reader may choose."""
    return Section("results", say("Results"), "", [Views([View(one.metric, answer(one)) for one in subject.choices])])


def answer(subject: Subject) -> list[Part]:
    """The results in one metric."""
    parts: list[Part] = [quality(subject), *effect(subject)]
    if (factors := main_effects(subject)) is not None:
        parts.append(factors)
    parts += levels(subject)
    if notes := subject.results.notes(subject.metric):
        parts.append(Aside(f"notes{subject.suffix}", say("What these numbers allow"), [Sentences(notes)]))
    if (table := differences(subject)) is not None:
        is_named = subject.results.study.reference_variant is not None
        against = say("Every comparison, against the {base}", base=subject.base_word)
        both = say("Every comparison, against the {base} and against the best", base=subject.base_word)
        parts.append(Folded(against if is_named else both, [table]))
    return parts


def quality(subject: Subject) -> Table:
    """Variant × quality, with the differences in the page's metric to the base."""
    names = subject.results.metric_names
    known = quality_metrics(names)
    wanted = [m for m in known if not (m == "loss" and subject.losses_differ)]
    others = [m for m in wanted if m != subject.metric and not _repeats(subject, m)][:WIDEST]
    shown = [subject.metric, *others] if names else []
    return variants_table(
        subject,
        f"results{subject.suffix}",
        " ".join(caption(subject, others)),
        shown,
        is_compared=True,
        is_whole=not subject.suffix,
    )


def caption(subject: Subject, others: Collection[str]) -> Iterator[str]:
    """What is to be known of the table, which has ``others`` beside the page's metric, sentence after sentence."""
    metric = label(subject.metric)
    if subject.seeds > 1:
        yield say("Mean over seeds ± half of its 95 % t interval, shares cut at 0 and 100 %.")
    else:
        yield say("One seed: no intervals over seeds.")
    if len(subject.finished) > 1:
        low, high = say("● the lowest {metric}.", metric=metric), say("● the highest {metric}.", metric=metric)
        yield low if subject.lower_is_better else high
    if subject.chance is not None:
        value = with_unit(subject.chance.value, subject.metric)
        yield say("Chance, {guess}: {value}.", guess=subject.chance.said, value=value)
    against = subject.comparisons
    if against and against.images and against.images_lead:
        yield say("{n:,} test images, which limit the differences more than the seeds do.", n=against.images)
    if "si_test" in others:
        yield say("SI and CSI are of the last layer.")
    if "smi_test" in others:
        yield say("SmI is of the last layer.")
    if subject.losses_differ:
        yield say("The variants train with different losses, whose values cannot be compared.")


def _repeats(subject: Subject, metric: str) -> bool:
    """Whether a metric is the page's own again, as balanced accuracy is on balanced classes."""
    frame = subject.results.frame
    return bool(((frame[metric] - frame[subject.metric]).abs() < 1e-9).all()) if frame.height else False


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
    chance = _chance(subject, frame["difference"], subject.means[subject.base])
    order = [subject.shown[name] for name in subject.order if name in by_name]
    words = {"metric": label(metric), "base": base}
    yield Figure(
        f"effect{subject.suffix}",
        say("Difference in {metric} to {base}", **words),
        " ".join(marks(subject.comparisons, words, dots=bool((frame["kind"] == "seed").any()))),
        say(
            "Differences in {metric} to {base} with intervals, {n} variants; the numbers are in the table above.",
            **words,
            n=len(order),
        ),
        results_charts.effect(frame, order, axis(metric), chance),
        frame,
        is_file=not subject.suffix,
    )


def axis(metric: str) -> str:
    """The title of the differences."""
    if is_share(metric):
        return say("difference in {metric} (percentage points)", metric=label(metric))
    return say("difference in {metric}", metric=label(metric))


def marks(found: Comparisons, words: Mapping[str, str], dots: bool) -> Iterator[str]:
    """What the marks of the differences mean, the seeds' own as ``dots``, sentence after sentence."""
    yield (
        say("Large mark: the difference to {base}", **words)
        + (say(", mean of the pairs") if dots else "")
        + say(
            "; line: its interval{together} at {level} ({methods}{images}){dots}.",
            together=say(", all together") if found.family > 1 else "",
            level=percent(found.alpha),
            methods=say("; ").join(say(method) for method in sorted({c.method for c in found})),
            images=say(", and over test images") if found.images else "",
            dots=say("; small dots: one seed each") if dots else "",
        )
    )
    if found.is_interim:
        yield say("Nothing is decided yet.")
    else:
        yield say("Coloured where the interval excludes 0.")
        if any(c.is_too_wide and c.decided != "same network" for c in found):
            yield say("Without a line: too few seeds to tell.")
    smaller = say("For {metric}, smaller is better.", **words)
    yield smaller if lower_is_better(found.metric) else say("For {metric}, larger is better.", **words)


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
            say("{metric} against {factor}", metric=in_title(label(metric)), factor=as_name(short[key])),
            say("Mean over seeds with its 95 % t interval; small dots: one seed each.")
            if subject.seeds > 1
            else say("One seed a level, so no intervals over seeds."),
            say("{metric} against {factor}, {n} levels.", metric=label(metric), factor=as_name(key), n=len(found)),
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
