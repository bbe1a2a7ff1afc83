"""``assay check``: from the words on the command line to the page."""

import re
from pathlib import Path

from assay.data import data_root
from assay.errors import AssayError
from assay.recipe import Data
from assay.recipe.validation import validate
from assay.runs.display import Display
from assay.tools.inspection.inspecting import inspect
from assay.tools.inspection.page import write_inspection
from assay.tools.inspection.verdict import verdict
from assay.tools.terminal import parse_size


def check(
    source: str,
    size: str | None = None,
    color: str | None = None,
    group: str | None = None,
    near: float | None = None,
    out: Path | None = None,
    root: Path | None = None,
    quiet: bool = False,
    command: str = "",
) -> tuple[str, Path]:
    """Inspect a source and write its page: (the verdict, a sentence a line; the path of the page).

    Raises:
        AssayError: an option makes no sense, or the source cannot be opened.
    """
    values = {"source": source, "size": parse_size(size), "color": color, "group": group, "on_bad_image": "skip"}
    data = validate(Data, values, "assay check")
    with Display(quiet) as display:
        with display.decoding(source) as decoding, display.counting("looking for copies", "rows") as searching:
            try:
                found = inspect(data, data_root(root), near=near, decoding=decoding, searching=searching)
            except AssayError as error:
                raise AssayError(re.sub(r"\bdata\.(size|color|group)\b", r"--\1", str(error))) from error
        page = write_inspection(found, out or Path("checks") / _folder_name(source), command)
    return "\n".join(verdict(found)), page


def _folder_name(source: str) -> str:
    """``brain-mri`` of ``data/brain-mri.zip``."""
    path = Path(source).expanduser()
    return (path.stem if path.suffix.lower() == ".zip" else path.name) or path.resolve().name or "data"
