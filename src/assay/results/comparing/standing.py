"""How far a study is and how often it was looked at: whether anything is decided yet, and at which level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assay.language.script import as_name
from assay.language.speech import later, plural, say
from assay.recipe.study import Study
from assay.results.comparing import looks
from assay.results.comparing.looks import Look, Looks, look_at
from assay.results.folders import Run
from assay.results.metrics import bounds, label, lower_is_better, value_text
from assay.results.names import listed, short_names, shortened
from assay.results.statistics.intervals import mean_interval

ORDINALS = (
    "", later("First"), later("Second"), later("Third"), later("Fourth"), later("Fifth"), later("Sixth"),
    later("Seventh"), later("Eighth"), later("Ninth"), later("Tenth"),
)  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """Where a study stands when its decisions are told."""

    planned: tuple[int, ...]
    """Its seeds …"""
    complete: tuple[int, ...]
    """… and those of which every variant's run has ended, finished or not."""
    look: Look
    """At all that is planned."""
    looks: Looks
    """The looks at it, the present one among them."""

    @property
    def is_interim(self) -> bool:
        """Whether planned runs are still to come, so that nothing is decided."""
        return len(self.complete) < len(self.planned)

    @property
    def alpha(self) -> float:
        """The level of what is decided from all planned seeds."""
        return self.looks.level(self.look)

    @property
    def before(self) -> tuple[Look, ...]:
        """The looks that were told before this one."""
        return self.looks.before(self.look)

    def then(self, look: Look) -> "Standing":
        """Where the study stood at an earlier look."""
        return replace(self, planned=look.seeds, complete=look.seeds, look=look)


def standing(folder: Path, study: Study, runs: Sequence[Run]) -> Standing:
    """Where the study in ``folder`` stands; what is decided from it is about to be told, so that the look is recorded.

    It is not where planned runs are to come, nor where nothing is decided of recipes: of one variant, from one seed.
    """
    planned = study.seed_list
    to_come = {run.seed for run in runs if run.state in ("waiting", "running", "interrupted")}
    complete = [seed for seed in planned if seed not in to_come]
    compared = {run.variant for run in runs if run.state == "finished"}
    decides = not to_come and len(compared) > 1 and len(planned) > 1
    own = look_at(planned, study.plan)
    found = looks.told(folder, own) if decides else looks.read(folder)
    return Standing(tuple(planned), tuple(complete), own, found)


def interim(study: Study, where: Standing, metric: str, values: Mapping[str, Mapping[int, float]]) -> str:
    """What there is so far, without a decision."""
    name, means = short_names(study), dict[str, tuple[float, str]]()
    for variant, by_seed in values.items():
        mean = mean_interval(list(by_seed.values()), within=bounds(metric))
        if mean.mean is not None:
            means[name[variant]] = mean.mean, value_text(metric, mean.mean, mean.low, mean.high)
    best_first = sorted(means, key=lambda told: means[told][0], reverse=not lower_is_better(metric))
    parts = shortened([f"{told} {means[told][1]}" for told in best_first])
    said = say(
        "Interim: {complete} of {planned} seeds are complete, and nothing is decided before all planned runs are done.",
        complete=len(where.complete),
        planned=len(where.planned),
    )
    so_far = say("So far the {metric}: {values}.", metric=label(metric), values=listed(parts)) if parts else ""
    return " ".join(filter(None, [said, so_far]))


def again(where: Standing) -> str:
    """That the study was looked at before or since, and what that costs; empty at the only look."""
    if where.is_interim:
        return ""
    number, found = len(where.before) + 1, []
    if where.before:
        found.append(
            say(
                "{which} look: it was read {at} before, so that the intervals are at {level}.",
                which=say(ORDINALS[number]) if number < len(ORDINALS) else say("{n}th", n=number),
                at=_at(where, where.before),
                level=percent(where.alpha),
            )
        )
    if since := where.looks.since(where.look):
        there = _at(where, since)
        found.append(say("It has since been read {at}; what was told there holds beside this.", at=there))
    return " ".join(found)


def _at(where: Standing, looks: Sequence[Look]) -> str:
    """``at 3 and 5 seeds``, ``at 3 seeds with 2 variants``."""
    alike = [look for look in looks if look.variants == where.look.variants]
    parts = [say("at {counts} seeds", counts=listed([str(len(look.seeds)) for look in alike]))] if alike else []
    return listed([*parts, *(at(look, where) for look in looks if look not in alike)])


def at(look: Look, where: Standing) -> str:
    """``at 3 seeds``, and with how many variants, where they were not those of now."""
    seeds = say("at {counts} seeds", counts=len(look.seeds))
    if look.variants == where.look.variants:
        return seeds
    return say("{at_seeds} with {n} variants", at_seeds=seeds, n=len(look.variants))


def percent(alpha: float) -> str:
    """In how many studies intervals at this level hold: ``99.75 %``."""
    return f"{100 * (1 - alpha):.5g} %"


def remarks(where: Standing) -> list[str]:
    """What is to be known of the looks: what they cost, and where the record of them is not whole."""
    found = []
    if where.before and not where.is_interim:
        found.append(
            say(
                "The first look at a study is at the level 0.05, and all later ones together, at other seeds or "
                "variants, spend 0.005 (at look j 0.005/((j−1)·j)), so that extending it until it tells something errs "
                "in at most 5.5 % of studies."
            )
        )
    if where.looks.damaged:
        found.append(
            plural(
                "{n} line of {file} cannot be read; looks that stood there are not counted.",
                "{n} lines of {file} cannot be read; looks that stood there are not counted.",
                where.looks.damaged,
                file=as_name(looks.NAME),
            )
        )
    if why := where.looks.unwritable:
        found.append(
            say("This look at the study is not on record ({why}); the next will not know of it.", why=as_name(why))
        )
    return found
