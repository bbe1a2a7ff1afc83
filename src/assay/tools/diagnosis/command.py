"""``assay diagnose``: what was asked, found and told."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.errors import AssayError
from assay.recipe import Recipe, overrides
from assay.recipe.folder_names import folder_name
from assay.recipe.validation import validate
from assay.recipe.yaml_files import read_yaml
from assay.report.sections.diagnosis import about, line
from assay.runs.display import Display
from assay.system.process import own_command
from assay.tools.diagnosis.reading import Diagnosed, diagnosed, recipe_of_ended
from assay.tools.documents import plain
from assay.tools.terminal import folder_of, print_json


def show_diagnosis(folder: Path, trying: bool = False, root: Path | None = None, as_json: bool = False) -> None:
    """Print what the course of a run says, or a line a variant of a study; ``trying``, what other rates do to the run.

    AssayError as ``diagnosed``, and where there is nothing to try.
    """
    found = diagnosed(folder)
    tried = tried_of(folder, root) if trying else None
    if as_json:
        rows = [row | {"numbers": json.loads(row["numbers"])} for row in found.findings.to_dicts()]
        document = {"folder": str(found.folder), "runs": found.seeds, "findings": plain(rows), "notes": found.notes}
        return print_json(document | ({"tried": plain(tried) | {"verdict": tried.verdict}} if tried else {}))
    print(*(of_study(found) if found.seeds else of_run(found)), *found.notes, sep="\n")
    if tried:
        from assay.tools.diagnosis.trying import lines

        print("", *lines(tried), sep="\n")


def tried_of(folder: Path, root: Path | None) -> Any:
    """The run's recipe at other rates. AssayError for a study, of which a run must be named."""
    from assay.tools.diagnosis.trying import try_rates_of

    if not (folder / "status.json").is_file():
        inside = sorted(path.parent for path in folder.glob("**/status.json"))
        single = inside[0] if inside else folder / "VARIANT" / "seed-0"
        raise AssayError(f"{folder} is no single run; --try takes the folder of one, such as {single}")
    recipe = recipe_of_ended(folder)
    with (
        Display() as display,
        display.counting("trying", "rates") as trying,
        display.decoding(recipe.data.source) as decoding,
    ):
        return try_rates_of(folder, recipe, root, decoding, trying)


def show_rates(
    source: str,
    model: str | None,
    changes: Sequence[str],
    out: Path | None,
    root: Path | None,
    as_json: bool,
) -> None:
    """Print the range of learning rates that suits ``model`` on the images of ``source``, and write its page."""
    from assay.tools.diagnosis.rates import find_rates
    from assay.tools.diagnosis.rates_page import write_rates

    recipe = recipe_for(source, model, changes)
    with (
        Display() as display,
        display.counting("training", "rates") as training,
        display.decoding(recipe.data.source) as decoding,
    ):
        found = find_rates(recipe, root=root, decoding=decoding, training=training)
    subject = f"{recipe.model.name} on {folder_of(recipe.data.source)}"
    facts = f"{recipe.train.optimizer.name} · batches of {recipe.train.batch_size} · {found.images:,} training images"
    folder = out or Path("rates") / folder_name(subject)
    page = write_rates(found, subject, facts, folder, own_command())
    if as_json:
        ranges = {"of_seeds": plain(found.of_seeds), "together": plain(found.together)}
        return print_json(plain(found) | ranges | {"verdict": found.verdict, "page": str(page)})
    print(found.verdict, f"\npage: {page}", sep="\n")


def recipe_for(source: str, model: str | None, changes: Sequence[str]) -> Recipe:
    """The base of a study file, with another network where ``model`` is given; else that network on a source.

    AssayError where a network is missing, and for what no recipe has.
    """
    values: dict[str, Any] = {"data": {"source": source}}
    if source.lower().endswith((".yaml", ".yml")):
        read = read_yaml(Path(source))
        values = read.get("base", read)
    if model:
        values = values | {"model": {"name": model}}
    if "model" not in values:
        raise AssayError(f"diagnose --rates {source}: MODEL is missing; it names a network, such as cnn")
    for text in changes:
        values = overrides.put(values, *overrides.parse(text))
    return validate(Recipe, values, source)


def of_study(found: Diagnosed) -> list[str]:
    """A line a variant."""
    return [f"{name}: {line(found.findings.filter(variant=name), seeds)}" for name, seeds in found.seeds.items()]


def of_run(found: Diagnosed) -> list[str]:
    """Each finding with its evidence, rule and false alarms, and the study to run after the first fault."""
    rows = found.findings.to_dicts()
    faults = [row for row in rows if row["kind"] == "fault"]
    lines = [] if faults else ["No rule speaks of a fault.", ""]
    for row in rows:
        kind = "" if row["kind"] == "fault" else f" ({row['kind']})"
        lines += [f"{row['finding']}{kind}: {row['evidence']}.", f"  {about(row)}", ""]
    studies = [row for row in faults if row["next_study"]]
    if studies:
        lines += [f"The study to run next, after '{studies[0]['finding']}':", "", studies[0]["next_study"]]
    return lines
