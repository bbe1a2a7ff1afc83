"""The section on the courses of the runs: a line a variant, what is behind it folded."""

from collections.abc import Sequence

import polars as pl

from assay.diagnosis.words import again
from assay.language.script import as_name
from assay.language.speech import later, plural, say
from assay.report.section import Code, Folded, Group, Name, Part, Section, Sentences, Sheet, Text, Words
from assay.report.subject import Subject
from assay.results.diagnosed import is_diagnosed, stacked_findings

CAPTION = later(
    "Rules that read what each training recorded. A finding says what was seen, not why: how often its rule speaks of "
    "healthy runs stands beside it, and a study that would tell."
)
KINDS = {"fault": "{finding}", "fact": later("a fact: {finding}"), "description": later("in words: {finding}")}


def section(subject: Subject) -> Section | None:
    """Where runs asked for a diagnosis."""
    plan = subject.results.study.plan
    asking = [name for name, own in plan.items() if any(m.name == "diagnosis" for m in own.recipe.evaluate)]
    runs = [run for run in subject.results.runs if run.variant in asking and is_diagnosed(run)]
    if not runs:
        return None
    found = stacked_findings([(run, plan[run.variant].recipe) for run in runs])
    parts: list[Part] = []
    for variant in (name for name in plan if any(run.variant == name for run in runs)):
        seeds = [run.seed for run in runs if run.variant == variant]
        own = found.filter(pl.col("variant") == variant)
        shown: Words = [Name(subject.shown[variant], strong=True), f": {line(own, seeds)}"]
        parts.append(Folded(shown, details(own, seeds)))
    sheet = Sheet(f"diagnosis{subject.suffix}", found.drop("epochs"))
    return Section("diagnosis", say("Diagnosis"), say(CAPTION), [*parts, Text([say("All of it: "), sheet, "."])])


def line(found: pl.DataFrame, seeds: Sequence[int]) -> str:
    """``unfinished in 2 of 3 runs (seeds 0 and 2); overfitting``: what is wrong, then facts, of one variant."""
    said = []
    for kind in ("fault", "fact"):
        own = found.filter(pl.col("kind") == kind)
        for (name,), rows in own.group_by("finding", maintain_order=True):
            said.append(say(str(name)) + _in(rows["seed"].to_list(), seeds))
    healthy = "" if len(found.filter(pl.col("kind") == "fault")) else say("no rule speaks of a fault")
    return say("; ").join(filter(None, [healthy, *said]))


def details(found: pl.DataFrame, seeds: Sequence[int]) -> list[Part]:
    """A group a finding: the evidence of each seed, the rule, its source and false alarms, the next study."""
    parts: list[Part] = []
    for (name,), rows in found.group_by("finding", maintain_order=True):
        first = rows.row(0, named=True)
        of_seeds: list[Words] = [
            (say("seed {seed}: ", seed=row["seed"]) if len(seeds) > 1 else "") + f"{again(row['evidence'])}."
            for row in rows.iter_rows(named=True)
        ]
        inside: list[Part] = [Sentences(of_seeds), Text(about(first))]
        if first["next_study"]:
            inside.append(Folded(say("The study to run next"), [Code(first["next_study"])]))
        parts.append(Group(say(KINDS[first["kind"]], finding=say(str(name))), inside))
    return parts


def about(row: dict[str, object]) -> str:
    """The rule of a finding, where it is from, and how often it errs."""
    source = as_name(str(row["source"]))
    said = say("Rule: {rule} Source: {source}.", rule=again(str(row["rule"])), source=source)
    if row["healthy"]:
        said += say(
            " False alarms: {flagged} of {healthy} healthy runs on {data}, which chose no threshold (at most "
            "{at_most:.1%}, 95% limit).",
            flagged=row["flagged"],
            healthy=row["healthy"],
            data=as_name(str(row["measured_on"])),
            at_most=row["at_most"],
        )
    return said


def _in(seeds: Sequence[int], every: Sequence[int]) -> str:
    if len(seeds) == len(every):
        return "" if len(every) == 1 else say(" in all runs")
    return plural(
        " in {n} of {all} runs (seed {seeds})",
        " in {n} of {all} runs (seeds {seeds})",
        len(seeds),
        all=len(every),
        seeds=say(", ").join(map(str, seeds)),
    )
