"""Uncertainty on the page: the scores of every method, how reliable its confidence is, and whether tuning helped."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import polars as pl

from assay.errors import AssayError
from assay.language.speech import later, say
from assay.recipe import UncertaintyMeasure
from assay.report.charts import Menu
from assay.report.figures import Figure
from assay.report.section import Grid, Section, Sentences
from assay.report.sections import uncertainty_charts
from assay.report.sections.uncertainty_words import sentences
from assay.report.style import LIGHT
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.results.formats import plus_minus
from assay.results.metrics import bounds, lower_is_better
from assay.results.statistics.intervals import mean_interval
from assay.uncertainty.ensembles import ensemble
from assay.uncertainty.measures import Labels, Probabilities, curves, scores

METHODS = {
    "plain": (later("plain"), LIGHT["c7"]),
    "temperature": (later("temperature"), LIGHT["c0"]),
    "injected": (later("dropout injected"), LIGHT["c1"]),
    "trained": (later("dropout trained"), LIGHT["c2"]),
    "ensemble": (later("ensemble of the seeds"), LIGHT["c3"]),
}
"""Method → its name on the page and its colour."""

COLUMNS = {
    "nll": "NLL",
    "brier": "Brier",
    "ece": "ECE",
    "adaptive_ece": later("adaptive ECE"),
    "auroc": later("AUROC"),
    "accuracy": later("accuracy (%)"),
    "accuracy_at_90": later("accuracy, least sure 10 % set aside (%)"),
}

FEWEST = 10
"""Images of a bin that the reliability diagram draws; the CSV has every bin."""

SCORES = later(
    "NLL, Brier score and calibration error (ECE): lower is better. AUROC: the chance that a wrong answer is less sure "
    "than a right one."
)
CAPTION = later(
    "How far the probabilities may be believed: as the network gives them (plain), softened by one temperature, or "
    "averaged over passes with dropout, injected into the trained network or switched on where it was trained with it; "
    "temperature, rate and variance were tuned on validation images."
)
CAPTION_OF_PIXELS = later(
    "How far the probabilities of pixels may be believed: as the network gives them (plain), or softened by one "
    "temperature, tuned on validation images; of a sample of the pixels of each image, drawn by its number."
)
RELIABLE = later(
    "Of the answers of a confidence, how many are right. Below the diagonal the network is surer than it may be, "
    "above it less sure. Larger marks: more {counted}; fewer than {n} are not drawn."
)
RISKY = later(
    "When the least sure images go to a person, how many of the others are wrong; dashed: 10 % set aside. A lower "
    "curve knows better where it errs."
)
RISKY_OF_PIXELS = later(
    "When the images of the highest mean entropy go to a person, what share of the pixels of the others is wrong; "
    "dashed: 10 % set aside. A lower curve knows better in which images it errs."
)


def section(subject: Subject) -> Section | None:
    """Where the runs measured uncertainty."""
    table = score_table(subject)
    if table is None:
        return None
    caption = f"{say(CAPTION_OF_PIXELS if _counted(subject) == 'pixels' else CAPTION)} {say(SCORES)}"
    return Section(
        "uncertainty", say("Uncertainty"), caption, [Sentences(sentences(subject)), table, Grid(list(figures(subject)))]
    )


def score_table(subject: Subject) -> Table | None:
    """The scores of every variant by every method; an ensemble is one network, and has no interval."""
    rows = list(_scored(subject))
    if not rows:
        return None
    frame = pl.DataFrame(rows, infer_schema_length=None)
    measured = {score: words for score, words in COLUMNS.items() if score in frame["score"]}
    lines = []
    for (variant, method), part in frame.group_by("variant", "method", maintain_order=True):
        own = {row["score"]: row for row in part.iter_rows(named=True)}
        line = [Cell(subject.shown[str(variant)], is_name=True), Cell(say(METHODS[str(method)][0]))]
        of_variant = frame.filter(pl.col("variant") == variant)
        for score in measured:
            best = _best(score, of_variant.filter(pl.col("score") == score)["mean"].to_list())
            row = own.get(score, {"mean": None, "low": None, "high": None})
            is_best = row["mean"] is not None and row["mean"] == best
            text = plus_minus(row["mean"], row["low"], row["high"], f"{score}_plain")
            line.append(Cell(text, "best" if is_best else ""))
        lines.append(line)
    columns = [Column(subject.heading, "left"), Column(say("method"), "left")]
    columns += [Column(say(words)) for words in measured.values()]
    caption = [say("Test images. Bold: the best of the variant.")]
    spread = say("Mean over seeds ± half of its 95 % t interval.")
    caption.append(spread if subject.seeds > 1 else say("One seed: no intervals."))
    if _fewer_with_auroc(frame):
        caption.append(say("AUROC: over the seeds with right and wrong answers."))
    return Table("uncertainty", " ".join(caption), columns, lines, frame, fixed=False)


def figures(subject: Subject) -> Iterator[Figure]:
    """The reliability diagram and the risk–coverage curve."""
    parts = [_of_variant(subject, name) for name in subject.order]
    there = [part for part in parts if part is not None]
    if not there:
        return
    reliable, risky = (pl.concat(frames) for frames in zip(*there, strict=True))
    methods = {say(name): color for name, color in METHODS.values() if say(name) in reliable["method"]}
    variants = reliable["variant"].unique(maintain_order=True).to_list()
    best = subject.shown.get(subject.best or "", "")
    menu = Menu(subject.key, variants, best if best in variants else variants[0])
    drawn, counted = reliable.filter(pl.col("images") >= FEWEST), _counted(subject)
    seeds = " " + say("All seeds together.") if subject.seeds > 1 else ""
    chart = uncertainty_charts.reliability(drawn, methods, menu, counted)
    words = say("Reliability diagram of {n} methods, {shown}.", n=len(methods), shown=menu)
    right = say(RELIABLE, counted=say(counted), n=FEWEST) + seeds
    yield Figure("reliability", say("Reliability"), right, words, chart, reliable, wide=False)
    mean = " " + say("Mean over seeds.") if subject.seeds > 1 else ""
    risk = say(RISKY_OF_PIXELS if counted == "pixels" else RISKY)
    chart = uncertainty_charts.risk_coverage(risky, methods, menu)
    words = say("Risk–coverage curves of {n} methods, {shown}.", n=len(methods), shown=menu)
    yield Figure("risk-coverage", say("Risk and coverage"), risk + mean, words, chart, risky, wide=False)


def _counted(subject: Subject) -> str:
    return "pixels" if subject.results.study.task == "segmentation" else "images"


def _scored(subject: Subject) -> Iterator[dict[str, str | float | int | None]]:
    """A row per variant, method and score: mean, low, high, runs."""
    names = subject.results.metric_names
    for variant in subject.order:
        for method in METHODS:
            for score in COLUMNS:
                metric = f"{score}_{method}"
                values = list(subject.values(variant, metric).values()) if metric in names else []
                if values:
                    ends = mean_interval(values, within=bounds(metric))._asdict()
                    yield {"variant": variant, "method": method, "score": score, **ends, "runs": len(values)}
        if together := _ensemble(subject, variant):
            runs, found = len(subject.runs(variant)), scores(*together, _bins(subject, variant))
            for score in COLUMNS:
                if score in found:
                    numbers = {"mean": found[score], "low": None, "high": None, "runs": runs}
                    yield {"variant": variant, "method": "ensemble", "score": score, **numbers}


def _fewer_with_auroc(scored: pl.DataFrame) -> bool:
    """Whether a mean AUROC is over fewer seeds than the variant has: without a wrong answer there is none."""
    runs = [scored.filter(pl.col("score") == score).select("variant", "method", "runs") for score in ("nll", "auroc")]
    return not runs[1].join(runs[0], on=["variant", "method", "runs"], how="anti").is_empty()


def _of_variant(subject: Subject, variant: str) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """Both curves of a variant by method, seeds together, in percent and by the names on the page."""
    tables = (subject.stacked("reliability"), subject.stacked("risk_coverage"))
    if any(table.is_empty() for table in tables):
        return None
    reliable, risky = (table.filter(pl.col("variant") == variant).drop("variant", "seed") for table in tables)
    if reliable.is_empty():
        return None
    if together := _ensemble(subject, variant):
        own = curves(*together, _bins(subject, variant), "ensemble")
        reliable, risky = pl.concat([reliable, own[0]]), pl.concat([risky, own[1]])
    weight = pl.col("images") / pl.col("images").sum()
    reliable = reliable.group_by("method", "bin").agg(
        confidence=100 * (pl.col("confidence") * weight).sum(),
        accuracy=100 * (pl.col("accuracy") * weight).sum(),
        images=pl.col("images").sum(),
    )
    risky = risky.group_by("method", coverage=(100 * pl.col("coverage")).round(1)).agg(risk=100 * pl.col("risk").mean())
    return _named(subject, variant, reliable, "bin"), _named(subject, variant, risky, "coverage")


def _named(subject: Subject, variant: str, frame: pl.DataFrame, along: str) -> pl.DataFrame:
    rank = {method: i for i, method in enumerate(METHODS)}
    shown = {method: say(name) for method, (name, _) in METHODS.items()}
    return (
        frame.sort(pl.col("method").replace_strict(rank, return_dtype=pl.Int64), along)
        .with_columns(pl.col("method").replace(shown))
        .select(pl.lit(subject.shown[variant]).alias("variant"), pl.all())
    )


@lru_cache(maxsize=64)
def _ensemble(subject: Subject, variant: str) -> tuple[Probabilities, Labels] | None:
    """The seeds of a variant as one network; None where there are not two, they share no test image, or the
    probabilities of pixels are not kept."""
    if _counted(subject) == "pixels":
        return None
    runs = [run for run in subject.runs(variant) if "nll_plain" in subject.results.metrics(run)]
    if len(runs) < 2:
        return None
    try:
        return ensemble([subject.results.predictions(run) for run in runs])
    except AssayError:
        return None


def _bins(subject: Subject, variant: str) -> int:
    measures = subject.plan[variant].recipe.evaluate
    return next(measure.bins for measure in measures if isinstance(measure, UncertaintyMeasure))


def _best(score: str, values: list[float | None]) -> float | None:
    there = [v for v in values if v is not None and np.isfinite(v)]
    return (min if lower_is_better(f"{score}_plain") else max)(there) if there else None
