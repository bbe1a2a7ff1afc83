"""The section on what somebody else needs to get these numbers."""

import json
import shlex
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import yaml

from assay.errors import AssayError
from assay.language.speech import later, plural, say
from assay.recipe.names import label as level_label
from assay.report.section import Code, Command, Facts, Folded, Name, Pairs, Part, Section, Sheet, Text
from assay.report.subject import Subject
from assay.results.formats import value
from assay.system.files import read_object

AGAIN = "reproduced"
"""The folder of what is trained again."""
WHERE = later(
    "Trains the study anew, where it was trained before; the file has every change and all seeds. Where there is only "
    "this page, save the study file below as study.yaml and run that."
)


def section(subject: Subject) -> Section:
    """The command, the data, the environments, the levels, the study file and a recipe with every default."""
    known = [Pairs(say("Data"), list(_data(subject))), Pairs(say("Environment"), environments(subject))]
    known.append(Pairs(say("Levels"), levels(subject)))
    recipe_of, recipe = written_recipe(subject)
    sheet = Sheet("runs", subject.results.frame)
    warning = say(" In the CSV files, text that a spreadsheet would take for a formula begins with an apostrophe.")
    parts: list[Part] = [
        Command("command", command(subject)),
        Text(say(WHERE)),
        Facts([pairs for pairs in known if pairs.rows]),
        Folded(say("The study file"), [Code(subject.results.study.dump())]),
        Folded((say("The recipe of "), Name(subject.shown[recipe_of]), say(", with every default")), [Code(recipe)]),
        Text((say("Every finished run as a row: "), sheet, warning)),
    ]
    return Section("reproduce", say("Reproduce"), "", parts)


def command(subject: Subject) -> str:
    """What trains the study again, in a shell: the study file as it was run, with the data and threads it was run with.

    The file has every change and the seeds, whichever commands or calls they came from.
    """
    folder, first = subject.results.folder, dict[str, Any]()
    with suppress(AssayError):
        first = read_object(folder / "machine.json")
    words = ["assay", "run", str(folder / "study.yaml"), "--out", AGAIN]
    words += ["--data", str(first["data"])] if first.get("data") else []
    words += ["--jobs", str(first["jobs"])] if first.get("jobs", 1) != 1 else []
    return shlex.join(words)


def environments(subject: Subject) -> list[tuple[str, str]]:
    """Of all that is known of where the runs ran, each different value."""
    values: dict[str, dict[str, None]] = {}
    for run in subject.results.finished:
        for key, found in subject.results.environment(run).items():
            text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
            values.setdefault(key, {})[text] = None
    values["command"] = {words: None for words in values.get("command", {}) if words}
    return [(key, ", ".join(several)) for key, several in values.items() if several]


def levels(subject: Subject) -> list[tuple[str, list[str]]]:
    """Each factor with its levels."""
    plan = subject.plan.values()
    return [
        (key, list(dict.fromkeys(level_label(v.levels[key]) for v in plan))) for key in subject.results.study.factors
    ]


def written_recipe(subject: Subject) -> tuple[str, str]:
    """The base's name and recipe as its first run was trained; of another variant where it has not finished."""
    run = next(iter(subject.runs(subject.base) or subject.results.finished), None)
    written = run.folder / "recipe.yaml" if run else None
    name = run.variant if run else subject.base
    if written is not None and written.exists():
        return name, written.read_text(encoding="utf-8")
    recipe = subject.plan[subject.base].recipe.dump()
    return name, yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)


def _data(subject: Subject) -> Iterator[tuple[str, str]]:
    run = next(iter(subject.results.finished), None)
    if run is None:
        return
    data = subject.results.data(run)
    yield say("source"), subject.plan[run.variant].recipe.data.source
    if "target_mean" in data:
        yield say("targets"), ", ".join(data["classes"])
    elif "classes" in data:
        yield say("classes"), str(len(data["classes"]))
    channels, height, width = data["shape"]
    size = f"{width} × {height}"
    yield say("images"), plural("{size} pixels, {n} channel", "{size} pixels, {n} channels", channels, size=size)
    if views := subject.plan[run.variant].recipe.data.augment_views:
        seen = say("{n} views of each training image, epoch e sees view e mod {n}", n=views)
        yield say("augmentation"), seen
    for split, count in data["counts"].items():
        yield say(split), say("{n} images", n=value(count, "parameters"))
