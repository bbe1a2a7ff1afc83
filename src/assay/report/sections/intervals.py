"""Uncertainty of numbers on the page: likelihood, coverage and width of intervals, plain and by injected dropout."""

from collections.abc import Iterator

import polars as pl

from assay.language.script import as_name
from assay.language.speech import later, say
from assay.report.figures import Figure
from assay.report.section import Grid, Part, Section, Sentences
from assay.report.sections import intervals_charts
from assay.report.sections.uncertainty_words import called, changes, how_often, lowered
from assay.report.style import LIGHT
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.results.formats import fixed, plus_minus
from assay.results.metrics import bounds
from assay.results.statistics.intervals import mean_interval

METHODS = {"plain": (later("plain"), LIGHT["c7"]), "injected": (later("dropout injected"), LIGHT["c1"])}
"""Method → its name on the page and its colour."""
LEVELS = (50, 80, 90, 95)

CAPTION = later(
    "How far the numbers may be believed: a normal distribution around each, as wide for every image as the errors on "
    "the validation images were (plain), or as the passes with dropout injected into the trained network vary, with "
    "rate, scale and floor tuned on validation images. An interval of 90 % should hold the truth of 90 % of the test "
    "images: "
    "with fewer the network is too sure, with more too careful. NLL: lower is better."
)


def section(subject: Subject) -> Section | None:
    """Where the runs measured uncertainty."""
    table = subject.stacked("intervals")
    if table.is_empty():
        return None
    parts: list[Part] = [Sentences(sentences(subject)), score_table(subject), Grid(list(figures(subject, table)))]
    return Section("uncertainty", say("Uncertainty"), say(CAPTION), parts)


def sentences(subject: Subject) -> list[str]:
    """Whether injected dropout lowered the negative log-likelihood, what intervals of 90 % hold, what is left out."""
    methods = _measured(subject)
    held = (
        say("{method} ones {range}", method=say(METHODS[method][0]), range=_range(subject, f"coverage_90_{method}"))
        for method in methods
    )
    said = [
        say(
            "Intervals of 90 % hold of the true values: {held} %, from the lowest to the highest run.",
            held=say(", ").join(held),
        )
    ]
    return [_likelihood(subject), *said, *_left_out(subject)] if "injected" in methods else [*said, *_left_out(subject)]


def _measured(subject: Subject) -> list[str]:
    """The methods that at least one run has."""
    return [method for method in METHODS if f"gaussian_nll_{method}" in subject.results.metric_names]


def _likelihood(subject: Subject) -> str:
    measured = {
        name: by_seed for name in subject.order if (by_seed := changes(subject, name, "injected", "gaussian_nll"))
    }
    not_lower = [name for name, by_seed in measured.items() if sum(by_seed.values()) >= 0]
    all_changes = [change for by_seed in measured.values() for change in by_seed.values()]
    return say(
        "{tuned}, tuned on validation images, {average}{lowered}{often}.",
        tuned=say("Injected dropout"),
        average=say("on average ") if any(len(by_seed) > 1 for by_seed in measured.values()) else "",
        lowered=lowered(len(measured), len(not_lower)),
        often=how_often(all_changes, len(measured)),
    )


def _left_out(subject: Subject) -> Iterator[str]:
    """The variants with a run whose output no dropout moves."""
    for name in subject.order:
        runs = [found for run in subject.runs(name) if "gaussian_nll_plain" in (found := subject.results.metrics(run))]
        if still := sum("gaussian_nll_injected" not in found for found in runs):
            seeds = say(" in {n} of {all} seeds", n=still, all=len(runs)) if len(runs) > 1 else ""
            yield say(
                "Of {name} injected numbers are left out{seeds}: with dropout there an output does not vary, for any "
                "validation image.",
                name=called(subject, name),
                seeds=seeds,
            )


def score_table(subject: Subject) -> Table:
    """Likelihood, coverage and width of every variant by both methods."""
    names = subject.results.metric_names
    coverage = {f"coverage_{level}": say("{level} % (%)", level=level) for level in LEVELS}
    widths = [name.removeprefix("width_90_plain") for name in names if name.startswith("width_90_plain")]
    headings = {"gaussian_nll": "NLL"} | coverage
    headings |= {f"width_90{suffix}": _width(suffix) for suffix in widths}
    lines, rows = [], []
    for variant in subject.order:
        for method in _measured(subject):
            line = [Cell(subject.shown[variant], is_name=True), Cell(say(METHODS[method][0]))]
            for score in headings:
                metric = f"width_90_{method}{score.removeprefix('width_90')}"
                metric = metric if score.startswith("width") else f"{score}_{method}"
                ends = mean_interval(list(subject.values(variant, metric).values()), within=bounds(metric))
                line.append(Cell(plus_minus(ends.mean, ends.low, ends.high, metric)))
                rows.append({"variant": variant, "method": method, "metric": metric, **ends._asdict()})
            lines.append(line)
    columns = [Column(subject.heading, "left"), Column(say("method"), "left"), *map(Column, headings.values())]
    caption = say("Test images: coverage of intervals by their level, and the mean width of that of 90 %. ")
    several = subject.seeds > 1
    caption += say("Mean over seeds ± half of its 95 % t interval.") if several else say("One seed: no intervals.")
    return Table("uncertainty", caption, columns, lines, pl.DataFrame(rows, infer_schema_length=None))


def figures(subject: Subject, table: pl.DataFrame) -> Iterator[Figure]:
    """Coverage against level, of each target, one variant at a time."""
    targets = table["target"].unique(maintain_order=True).to_list()
    rank = {method: i for i, method in enumerate(METHODS)}
    for number, target in enumerate(targets, start=1):
        frame = (
            table.filter(pl.col("target") == target)
            .group_by("variant", "method", level=(100 * pl.col("level")).round(1))
            .agg(coverage=100 * pl.col("coverage").mean(), width=pl.col("width").mean())
            .sort(pl.col("method").replace_strict(rank, return_dtype=pl.Int64), "variant", "level")
            .with_columns(
                pl.col("variant").replace(subject.shown),
                pl.col("method").replace({method: say(shown) for method, (shown, _) in METHODS.items()}),
            )
        )
        yield Figure(
            f"coverage-{number}" if len(targets) > 1 else "coverage",
            say("Coverage of intervals of {target}", target=as_name(target)),
            say(
                "Test images whose truth lies in the interval; on the dashed line as many as promised. Below it the "
                "network is too sure."
            )
            + (say(" Mean over seeds.") if subject.seeds > 1 else ""),
            say(
                "Coverage of intervals of {target} by two methods, {variants}.",
                target=as_name(target),
                variants=subject.menu,
            ),
            intervals_charts.coverage(frame, {say(shown): color for shown, color in METHODS.values()}, subject.menu),
            frame,
            wide=False,
        )


def _width(suffix: str) -> str:
    return say("width of {target}", target=suffix[1:]) if suffix else say("width")


def _range(subject: Subject, metric: str) -> str:
    values = [100 * value for name in subject.order for value in subject.values(name, metric).values()]
    least, most = (fixed(end, 1) for end in (min(values), max(values)))
    return least if least == most else say("{low} to {high}", low=least, high=most)
