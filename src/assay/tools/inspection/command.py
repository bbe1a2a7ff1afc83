"""``assay check``: from the words on the command line to the page."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay.data import data_root
from assay.errors import AssayError, unknown
from assay.language.speech import SOURCE, language_called
from assay.recipe import Data
from assay.recipe.tasks import TASKS
from assay.recipe.validation import validate
from assay.recipe.yaml_files import read_yaml
from assay.runs.display import Display
from assay.tools.inspection.inspecting import Inspection, inspect
from assay.tools.inspection.page import write_inspection
from assay.tools.inspection.suspects import suspects
from assay.tools.terminal import folder_of, parse_layout, parse_size


def check(
    source: str,
    size: str | None = None,
    color: str | None = None,
    group: str | None = None,
    task: str | None = None,
    layout: str | None = None,
    near: float | None = None,
    out: Path | None = None,
    root: Path | None = None,
    quiet: bool = False,
    command: str = "",
    run: Path | None = None,
    language: str | None = None,
) -> tuple[Inspection, Path]:
    """Inspect a source, or the one of a study or recipe file with its table, and write its page.

    The options go before what the file says; ``task`` says what is read where masks lie beside boxes; a finished
    ``run`` of detection says which labelled boxes it speaks against. The page is in ``language``,
    else English. Returns (what was found; the path of the page).

    Raises:
        AssayError: an option makes no sense, or the source cannot be opened.
    """
    spoken = language_called(language or SOURCE)
    options = {"size": parse_size(size), "color": color, "group": group, "layout": parse_layout(layout)}
    stated = {key: value for key, value in options.items() if value is not None}
    is_file = source.lower().endswith((".yaml", ".yml"))
    values = data_of(Path(source)) if is_file else {"source": source}
    values |= _read_for(task)
    data = validate(Data, values | stated | {"on_bad_image": "skip"}, source if is_file else "assay check")
    with Display(quiet) as display:
        with display.decoding(data.source) as decoding, display.counting("looking for copies", "rows") as searching:
            try:
                found = inspect(data, data_root(root), near=near, decoding=decoding, searching=searching)
            except AssayError as error:
                if is_file:
                    raise
                raise AssayError(re.sub(r"\bdata\.(size|color|group|layout)\b", r"--\1", str(error))) from error
        if run is not None:
            found = replace(found, suspects=suspects(run, found.data, root))
        page = write_inspection(found, out or Path("checks") / folder_of(source), command, spoken)
    return found, page


def data_of(path: Path) -> dict[str, Any]:
    """The data of a study's base, or of a recipe, read as its task needs them."""
    values = read_yaml(path)
    base = values.get("base", values)
    data = base.get("data") if isinstance(base, dict) else None
    if not isinstance(data, dict):
        raise AssayError(f"{path} says nothing of data: expected a study with base.data, or a recipe")
    return data | _read_for(base.get("task"))


def _read_for(task: Any) -> dict[str, str | None]:
    """What ``data.truth`` is for a task; nothing for None."""
    if task is None:
        return {}
    if str(task) not in TASKS:
        raise unknown("task", task, TASKS)
    return {"truth": "boxes" if TASKS[task].target == "boxes" else None}
