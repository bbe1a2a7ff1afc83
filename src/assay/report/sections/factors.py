"""The main effects of a grid's factors, as a table."""

import polars as pl

from assay.language.speech import say
from assay.recipe.names import shown_keys
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.results.comparing.factors import FactorEffect, LevelEffect
from assay.results.comparing.standing import percent
from assay.results.formats import p_value, signed, value
from assay.results.metrics import is_share, label


def main_effects(subject: Subject) -> Table | None:
    """Which factor matters, by how much; None where the study is no complete grid of several factors and seeds."""
    if not subject.finished:
        return None
    effects = subject.results.main_effects(subject.metric)
    if not effects:
        return None
    short, metric = shown_keys(subject.results.study.factors), subject.metric
    columns = [Column(head, "left") for head in (say("factor"), say("best level"), say("against"))]
    columns += [Column(head) for head in (say("difference"), "p", say("in single cells"), say("p if alike"))]
    pairs = [(effect, level) for effect in effects for level in effect.levels]
    lines = [
        [
            Cell(short[effect.factor], is_name=True),
            Cell(effect.best, is_name=True),
            Cell(level.level, is_name=True),
            Cell(signed(level.difference, level.low, level.high, metric), "better" if level.is_decided else ""),
            Cell(p_value(level.p)),
            Cell(say("{low} to {high}", low=value(level.least, metric), high=value(level.most, metric))),
            Cell(p_value(effect.p_same)),
        ]
        for effect, level in pairs
    ]
    caption = say(
        "Which factor matters, by how much: differences in {metric}{unit} between the best level of a factor and its "
        "others, over all other factors and seeds. Their intervals (Tukey's, from the pooled error) hold together in "
        "{level} of studies. The smallest and the largest difference in a single cell of the other factors follow, and "
        "how likely they lie so far apart if the difference is the same in all.",
        metric=label(metric),
        unit=say(" (percentage points)") if is_share(metric) else "",
        level=percent(len(effects) * effects[0].alpha),
    )
    if images := effects[0].images:
        more = say("The intervals cover other seeds and other test images like these {images:,}.", images=images)
        caption = f"{caption} {more}"
    frame = pl.DataFrame([_row(effect, level) for effect, level in pairs])
    return Table(f"factors{subject.suffix}", caption, columns, lines, frame)


def _row(effect: FactorEffect, level: LevelEffect) -> dict[str, str | float]:
    return {"factor": effect.factor, "best": effect.best, **vars(level), "p_same": effect.p_same}
