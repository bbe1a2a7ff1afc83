"""Writes the report: ``index.html``, which opens anywhere without a network, and its tables and figures as files."""

from pathlib import Path

from assay.report import class_report, classes, contents, curves, figures, layers, pictures, style, uncertainty
from assay.report.document import document, figure_files, table_files, write_page
from assay.report.figures import Figure
from assay.report.subject import Subject
from assay.report.tables import Table, csv
from assay.results import Results
from assay.results.metrics import duration


def write_report(results: Results) -> Path:
    """Write ``<study>/report/`` and return the path of its ``index.html``.

    The page holds everything it shows: styles, scripts, data, images. Beside it ``tables/*.csv`` and ``*.tex``, and for
    each figure ``figures/*.svg`` and the numbers behind it as ``*.csv``.
    """
    subject, folder = Subject(results), results.folder / "report"
    drawn = {
        "effect": list(figures.effect(subject)),
        "levels": list(figures.levels(subject)),
        "learning": list(figures.learning(subject)),
        "per_class": list(classes.per_class(subject)),
        "curves": list(curves.figures(subject)),
        "confusion": list(classes.confusion(subject)),
        "layers": list(layers.curves(subject)),
        "layers_by_epoch": list(layers.heat_maps(subject)),
        "uncertainty": list(uncertainty.figures(subject)),
        "cost": [*figures.time(subject), *figures.tradeoff(subject)],
    }
    every = [figure for group in drawn.values() for figure in group]
    page, svgs, tables = render(subject, drawn, every)
    beside = {"tables/runs.csv": csv(results.frame), "tables/confusion.csv": csv(contents.matrices(subject))}
    beside |= table_files(tables)
    for figure in every:
        named = contents.full_names(subject, figure.frame) if "variant" in figure.frame.columns else figure.frame
        beside |= figure_files(figure.name, svgs[figure.name], named)
    return write_page(folder, page, beside)


def render(
    subject: Subject, drawn: dict[str, list[Figure]], every: list[Figure]
) -> tuple[str, dict[str, str], list[Table]]:
    """The page, its figures as SVG, and the tables that are also written as files."""
    results = subject.results
    cost, shared = contents.cost(subject)
    tables = {
        "quality": contents.quality(subject),
        "cost": cost,
        "differences": contents.differences(subject),
        "per_class": contents.per_class(subject),
        "uncertainty": uncertainty.score_table(subject),
        "unfinished": contents.unfinished(subject),
        "skipped": contents.skipped(subject),
    }
    reports = class_report.tables(subject)
    seconds = results.frame["training_seconds"].sum() if "training_seconds" in results.metric_names else None
    page, svgs = document(
        "report/page.html.j2",
        every,
        subject=subject,
        study=results.study,
        results=results,
        verdict=results.verdict(subject.metric),
        notes=results.notes(subject.metric),
        tables=tables,
        shared=shared,
        reports=reports,
        curveless=curves.missing(subject),
        readings=layers.readings(subject),
        remarks=layers.remarks(subject),
        tuned=uncertainty.sentences(subject),
        figures=drawn,
        galleries=pictures.galleries(subject, subject.best),
        reproduction=contents.reproduction(subject),
        training=duration(float(seconds)) if seconds else None,
        hidden_epochs=figures.opening(drawn["learning"][0].frame) if drawn["learning"] else 0,
        variable=style.variable,
    )
    return page, svgs, [table for table in tables.values() if table is not None] + [table for _, table in reports]
