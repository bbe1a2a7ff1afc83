"""Writes the report: ``index.html``, which opens anywhere without a network, and its tables and figures as files."""

from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from assay.errors import unknown
from assay.language.speech import SOURCE, plural, say, speaking, spoken
from assay.report.document import Files, document, table_files, write_page
from assay.report.figures import Figure
from assay.report.markdown import markdown
from assay.report.section import Section, Sheet, every
from assay.report.sections.catalogue import SECTIONS
from assay.report.subject import Subject
from assay.report.tables import Table, csv
from assay.results import Results
from assay.results.formats import heading
from assay.results.metrics import duration
from assay.system.files import read_object


def write_report(results: Results, metric: str | None = None) -> Path:
    """Write ``<study>/report/`` and return the path of its ``index.html``.

    ``metric`` leads the page in place of the study's; a reader may switch to others. Raises AssayError for one that no
    finished run has.

    The page speaks the study's language, what lies beside it English, for papers and programs.
    The page holds everything it shows: styles, scripts, data, images, and the files that lie beside it too:
    ``tables/*.csv`` and ``*.tex``, and for each figure ``figures/*.svg``, ``*.pdf`` and its numbers as ``*.csv``.
    """
    if metric is not None and metric not in results.metric_names:
        raise unknown("metric", metric, results.metric_names)
    subject = Subject(results, metric)
    source = sections = page_sections(subject)
    with speaking(results.study.language):
        if spoken() != SOURCE:
            subject = Subject(results, metric)
            sections = page_sections(subject)
        page, beside = render(subject, sections, source)
    return write_page(results.folder / "report", page, beside)


def files(subject: Subject, sections: list[Section]) -> Files:
    """The tables and the numbers behind the figures, as files beside the page."""
    found = table_files(every(Table, sections))
    found |= {f"tables/{sheet.name}.csv": csv(sheet.frame) for sheet in every(Sheet, sections)}
    for figure in every(Figure, sections):
        named = subject.full_names(figure.frame) if "variant" in figure.frame.columns else figure.frame
        found[f"figures/{figure.name}.csv"] = csv(named)
    return found


def page_sections(subject: Subject) -> list[Section]:
    """The sections of the task's page that have something to show."""
    found = []
    for where in SECTIONS[subject.results.study.task]:
        module, function = where.split(":")
        found.append(getattr(import_module(module), function)(subject))
    return [section for section in found if section is not None]


def finished_on(results: Results) -> str | None:
    """The day, in UTC, on which the last of the finished runs ended: ``2026-11-05``."""
    ends = [read_object(run.folder / "status.json").get("updated") for run in results.finished]
    known = [end for end in ends if isinstance(end, int | float)]
    return datetime.fromtimestamp(max(known), UTC).date().isoformat() if known else None


def facts(subject: Subject) -> str:
    """How large the study is and how far: ``3 variants × 2 seeds · 6 of 6 runs finished · 12 s in all``."""
    results = subject.results
    variants = plural("{n} variant", "{n} variants", len(subject.plan))
    seeds = plural("{n} seed", "{n} seeds", len(results.study.seed_list))
    done = say("{done} of {planned} runs finished", done=len(results.finished), planned=len(results.runs))
    took = say("{time} in all", time=duration(results.seconds)) if results.seconds else ""
    return " · ".join(filter(None, [f"{variants} × {seeds}", done, took]))


def lacking(subject: Subject) -> str:
    """How many runs and images the numbers are without; empty where there are all."""
    runs, images = len(subject.unfinished), len(subject.skipped)
    missing = plural("{n} run missing", "{n} runs missing", runs) if runs else ""
    skipped = plural("{n} image skipped", "{n} images skipped", images) if images else ""
    return say(", ").join(filter(None, [missing, skipped]))


def render(subject: Subject, sections: list[Section], source: list[Section] | None = None) -> tuple[str, Files]:
    """The page, and what lies beside it for papers and programs: the sections of the ``source``, the page's in English,
    where that is not the language of the page."""
    results, source = subject.results, sections if source is None else source
    return document(
        "report/page.html.j2",
        list(every(Figure, sections)),
        files(subject, source),
        paper=list(every(Figure, source)),
        subject=subject,
        study=results.study,
        verdicts=[(one.metric, heading(one.metric), results.verdict(one.metric)) for one in subject.choices],
        not_measured=[] if subject.chosen else results.not_measured,
        notes=markdown(results.study.notes),
        date=finished_on(results),
        facts=facts(subject),
        lacking=lacking(subject),
        sections=sections,
    )
