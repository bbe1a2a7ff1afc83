"""``assay plan``: how many seeds decide a difference, before they are trained."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from assay.errors import AssayError
from assay.language.speech import say
from assay.recipe.study import Study
from assay.results import Results
from assay.results.comparing import looks
from assay.results.comparing.spread import Spread, usual_spread
from assay.results.comparing.standing import percent
from assay.results.measurable import refuse_not_measured
from assay.results.metrics import difference_text, duration, factor, is_exact, unit
from assay.results.metrics import label as metric_label
from assay.results.names import short_names
from assay.results.statistics.seeds_needed import (
    MOST,
    POWER,
    Design,
    Range,
    deviation_range,
    more_images,
    needed,
    needed_range,
)
from assay.results.telling.more_seeds import about, in_words
from assay.results.wanted import in_own_unit, refuse_unwanted, study_metric
from assay.tools.terminal import read_results

DEVIATIONS = (0.5, 1.0, 2.0, 4.0)
"""Differences, in deviations of a run, for which the seeds are told where the deviation is not known."""


@dataclass(frozen=True)
class Plan:
    """How many seeds a study needs."""

    study: str
    metric: str
    difference: float
    """That is to be told, in the metric's own unit, …"""
    power: float
    """… in this share of studies."""
    variants: int
    reference: str | None
    """The variant that the study holds the others against; None where it decides all pairs."""
    alpha: float
    """The level of the next look at the study."""
    is_pooled: bool
    """Whether all variants share one error."""
    known_from: Path | None
    """The study whose runs say how much they vary; None where nothing does."""
    runs: int
    """Of them, that have finished."""
    seconds_a_run: float | None
    """What the study's own finished runs took on average."""
    deviation: float | None = None
    """Of a run with the seed's own effect taken out, in the metric's own unit, and its 80 % interval."""
    deviation_low: float | None = None
    deviation_high: float | None = None
    seeds_low: int | None = None
    """The seeds needed in all, at either end of the deviation; None for more than 1,000, or where nothing is known."""
    seeds_high: int | None = None
    images: int | None = None
    """Of the test images, where what is known covers others like them, …"""
    images_needed: int | None = None
    """… and how many it takes at least, where these prevent it with any number of seeds, …"""
    images_for_most: int | None = None
    """… or how many let 1,000 seeds tell it, where these together with the deviation's low end prevent it."""
    in_deviations: dict[float, int | None] = field(default_factory=dict)
    """Difference in deviations of a run → the seeds that tell it; empty where the deviation is known."""


def plan(
    study: Study,
    difference: int | float | str,
    power: float = POWER,
    folder: str | Path | None = None,
    like: Path | None = None,
) -> Plan:
    """How many seeds decide a ``difference`` of two variants of the study, at the deviations of its runs in ``folder``,
    else of the study in the folder ``like``.

    ``difference``: in the unit in which the metric's are shown. Reading them decides nothing, and is no look. Raises
    AssayError where the study compares nothing, or ``like`` says nothing.
    """
    refuse_not_measured(study)
    refuse_unwanted(study)
    metric = study_metric(study)
    size = in_own_unit(difference, metric, "--difference")
    if not 0 < power < 1:
        raise AssayError(f"--power: found {power:g}, expected a share of studies between 0 and 1")
    if study.compared < 2:
        raise AssayError(f"the study '{study.name}' has one variant, and nothing that seeds could decide")
    if is_exact(metric):
        raise AssayError(f"{metric} follows from the recipe, whatever the seed: one seed tells it")
    own = _finished(folder)
    source, known = own, _spread(own, metric) if own else None
    if known is None and like is not None:
        source = read_results(like)
        if (known := _spread(source, metric)) is None:
            raise AssayError(f"--like {like}: no two seeds have finished in it that say how much its runs vary")
    alpha = looks.ALPHA if own is None else looks.read(own.folder).next_level
    varies, is_pooled = known or (None, True)
    design = Design(study.compared, alpha, study.reference_variant is not None, is_pooled)
    errors = source.image_errors(metric) if source and known else None
    wanted = _wanted(size, varies, design, power, errors.images if errors else None)
    took = [run.seconds for run in own.finished if run.seconds] if own else []
    return Plan(
        study=study.name,
        metric=metric,
        difference=size,
        power=power,
        variants=study.compared,
        reference=study.reference_variant,
        alpha=alpha,
        is_pooled=is_pooled,
        known_from=source.folder if source and known else None,
        runs=len(source.finished) if source and known else 0,
        seconds_a_run=sum(took) / len(took) if took else None,
        **wanted,
    )


def _wanted(size: float, varies: Spread | None, design: Design, power: float, images: int | None) -> dict[str, Any]:
    """The fields of a plan on deviation, seeds and test images."""
    if varies is None:
        return {"in_deviations": {each: needed(each, math.sqrt(2), design, wanted=power) for each in DEVIATIONS}}
    seeds = needed_range(size, varies.deviation, varies.freedom, design, varies.fixed, power)
    ends = (varies.deviation, *deviation_range(varies.deviation, varies.freedom))
    deviation, low, high = (end / math.sqrt(2) for end in ends)
    known: dict[str, Any] = {"deviation": deviation, "deviation_low": low, "deviation_high": high}
    if images and seeds.low is None:
        more = more_images(size, design, *varies, images, power)
        known |= {"images": images, "images_needed": more.alone, "images_for_most": more.for_most}
    return known | {"seeds_low": seeds.low, "seeds_high": seeds.high}


def _finished(folder: str | Path | None) -> Results | None:
    """The study's own runs, where any has finished."""
    if folder is None or not (Path(folder) / "study.yaml").is_file():
        return None
    found = Results.read(folder)
    return found if found.finished else None


def _spread(results: Results, metric: str) -> tuple[Spread, bool] | None:
    errors = results.image_errors(metric)
    return usual_spread(results.values(metric), metric, errors.between if errors else None)


def plan_table(found: Plan, study: Study) -> RenderableType:
    """The plan for the terminal: what is asked, what is known, what it takes."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for what, said in _lines(found, short_names(study)):
        table.add_row(what, Text(said))
    if found.deviation is not None:
        return table
    units = Table("difference, in deviations of a run", "seeds in all", box=None, pad_edge=False)
    for size, seeds in found.in_deviations.items():
        units.add_row(f"{size:g}", in_words(Range(seeds, seeds)))
    pilot = f"assay run STUDY --seeds 4 --out pilots, then assay plan STUDY --like {Path('pilots') / found.study}"
    return Group(table, "", units, "", Text(f"A pilot of 4 seeds tells the deviation: {pilot}"))


def _lines(found: Plan, names: dict[str, str]) -> list[tuple[str, str]]:
    metric = found.metric
    size = f"{factor(metric) * found.difference:,.6g} {say(unit(metric))}".rstrip()
    lines = [("difference", f"{size} of {metric_label(metric)}, to be told in {100 * found.power:g} % of studies")]
    pairs, others = found.variants * (found.variants - 1) // 2, found.variants - 1
    family = f"all {pairs} pairs of {found.variants} variants together"
    if found.reference is not None:
        family = f"{others} variants against {names[found.reference]} together"
    if others == 1:
        family = "the one pair of variants"
    error = "one error for all" if found.is_pooled else "each pair's own error"
    again = "" if found.alpha == looks.ALPHA else ", since the study was read before"
    lines.append(("decided", f"{family} at {percent(found.alpha)}{again}; {error}"))
    if found.deviation is None or found.deviation_low is None or found.deviation_high is None:
        return [*lines, ("deviation", "nothing is known of how much runs vary")]
    middle, low, high = (
        difference_text(metric, x) for x in (found.deviation, found.deviation_low, found.deviation_high)
    )
    known = f"{middle} from run to run (80 % interval {low} to {high}), from {found.runs} runs in {found.known_from}"
    lines += [("deviation", known), ("seeds", _seeds(found))]
    seconds = [n * found.variants * (found.seconds_a_run or 0.0) for n in (found.seeds_low, found.seeds_high) if n]
    if any(seconds):
        took = " to ".join(dict.fromkeys(map(duration, seconds))) + " or more" * (found.seeds_high is None)
        lines.append(("training", f"{took} in all, a run after the other"))
    return lines


def _seeds(found: Plan) -> str:
    """How many in all; where that is no number, why."""
    if found.images and found.images_needed:
        return f"no number would do on {found.images:,} test images; {about(found.images_needed)} would"
    seeds = in_words(Range(found.seeds_low, found.seeds_high)) + " in all"
    if found.seeds_low is not None:
        return seeds
    if found.images and found.images_for_most:
        return f"{seeds} on {found.images:,} test images; with {about(found.images_for_most)} of them {MOST:,} would do"
    images = ", on any number of test images" if found.images else ""
    return f"{seeds}{images}: runs vary too much for so small a difference"
