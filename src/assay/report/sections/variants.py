"""What several sections say of the variants: a table variant × metric, and a mean over seeds with its interval."""

from collections.abc import Sequence

from assay.language.speech import plural, say
from assay.report.section import Folded, Group, Name, Part
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Mark, Table
from assay.results.comparing.comparison import Comparison
from assay.results.formats import heading, p_value, plus_minus, signed
from assay.results.metrics import bounds, factor, is_share, label, lower_is_better
from assay.results.statistics.intervals import mean_interval


def variants_table(
    subject: Subject,
    name: str,
    caption: str,
    metrics: Sequence[str],
    is_compared: bool = False,
    is_whole: bool = False,
) -> Table:
    """Variant × metric; ``is_compared``: the page's own with its difference to the base; ``is_whole``: the CSV has all
    metrics."""
    table = subject.results.table(None if is_whole else metrics)
    rows = {row["variant"]: row for row in table.iter_rows(named=True)}
    compared = {c.variant: c for c in subject.comparisons or ()} if is_compared and subject.metric in metrics else {}
    tested = any(c.p is not None for c in compared.values())
    best = _best(subject.metric, [rows[n].get(subject.metric) for n in subject.finished])
    columns = [Column(subject.heading, "left"), Column(say("seeds"))]
    for m in metrics:
        columns.append(Column(heading(m)))
        if m == subject.metric and compared:
            unit = say("points") if is_share(m) else label(m)
            columns.append(Column(say("difference to {base} ({unit})", base=subject.base_word, unit=unit)))
            columns += [Column("p")] * tested
    lines = []
    for variant in [*subject.order, *(v for v in subject.plan if v not in subject.finished)]:
        row = rows[variant]
        hint = subject.base_word if variant == subject.base and len(subject.plan) > 1 else ""
        line = [Cell(subject.shown[variant], is_name=True, hint=hint), Cell(str(row["seeds"]), value=row["seeds"])]
        for m in metrics:
            is_best = m == subject.metric and len(subject.finished) > 1 and row[m] is not None and row[m] == best
            shown = plus_minus(row[m], row[f"{m}_low"], row[f"{m}_high"], m)
            line.append(Cell(shown, "best" if is_best else "", value=row[m]))
            if m == subject.metric and compared:
                # the base's difference is to itself, and has no p
                itself = (Cell(say("reference")), Cell(""))
                told = itself if variant == subject.base else _difference(compared.get(variant))
                line += told[: 1 + tested]
        lines.append(line)
    return Table(name, caption, columns, lines, table, is_of_variants=True)


def _difference(c: Comparison | None) -> tuple[Cell, ...]:
    if c is None:
        return Cell(""), Cell("")
    return Cell(difference(c), mark(c), value=c.difference), Cell(p_value(c.p), value=c.p)


def difference(c: Comparison) -> str:
    """With its sign and interval, ``+3.10 ± 0.42``; ``−49.8, too few seeds`` where that tells nothing; or ``same
    network``."""
    if c.decided == "same network":
        return say(c.decided)
    if c.is_too_wide:
        return say("{difference}, too few seeds", difference=signed(c.difference, None, None, c.metric))
    return signed(c.difference, c.low, c.high, c.metric)


def mark(c: Comparison) -> Mark:
    """Whether the difference of a comparison is lifted."""
    return "better" if c.decided == "better" else "worse" if c.decided == "worse" else ""


def _best(metric: str, values: list[float | None]) -> float | None:
    there = [v for v in values if v is not None]
    return (min if lower_is_better(metric) else max)(there) if there else None


def mean_and_ends(subject: Subject, variant: str, metric: str) -> dict[str, float | None]:
    """The mean over seeds with its 95 % t interval as the page shows them: value, low, high."""
    found = mean_interval(list(subject.values(variant, metric).values()), within=bounds(metric))
    named = {"value": found.mean, "low": found.low, "high": found.high}
    return {name: None if number is None else number * factor(metric) for name, number in named.items()}


def more(count: int) -> str:
    """The summary of what is folded away."""
    return plural("{n} more variant", "{n} more variants", count)


def first_of(title: str, tables: Sequence[tuple[str, Table]]) -> Group | None:
    """The first of the (variant on the page, its table) under a title, the others folded away."""
    if not tables:
        return None
    (_, first), *others = tables
    parts: list[Part] = [first]
    if others:
        parts.append(Folded(more(len(others)), [Group((Name(shown),), [table]) for shown, table in others]))
    return Group(title, parts)
