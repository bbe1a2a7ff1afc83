"""What the commands share: lists of names, the results of a folder, what is printed and how a command ends."""

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from assay.errors import AssayError, DeviceWarning, PictureWarning, nearest

if TYPE_CHECKING:
    from assay.recipe.data import Layout
    from assay.results import Results


def listed(names: str) -> list[str]:
    """The names between commas."""
    return [name.strip() for name in names.split(",") if name.strip()]


def parse_size(text: str | None) -> int | list[int] | None:
    """``96`` or ``96x128``, height first."""
    if text is None:
        return None
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise AssayError(f"--size: found {text!r}, expected a number of pixels, or height and width as in 96x128")
    return int(parts[0]) if len(parts) == 1 else [int(part) for part in parts]


def parse_layout(text: str | None) -> "Layout | None":
    """``classes``, ``splits``, ``masks``, or folders with their splits as in ``fold_0=train,fold_1=test``."""
    from assay.recipe import Data
    from assay.recipe.validation import validate

    if text is None:
        return None
    pairs = [pair.partition("=") for pair in listed(text)]
    stated = {folder.strip(): split.strip() for folder, _, split in pairs} if "=" in text else text.strip()
    return validate(Data, {"source": ".", "layout": stated}, "--layout").layout


def folder_of(source: str) -> str:
    """What to call the folder of what was found in a source: ``brain-mri`` of ``data/brain-mri.zip``."""
    from assay.recipe.folder_names import folder_name
    from assay.recipe.packed import packed

    in_columns = packed(source)
    path = Path(in_columns[1] if in_columns else source).expanduser()
    has_ending = path.suffix.lower() in (".zip", ".npz", ".yaml", ".yml", ".parquet", ".pq", ".tar")
    return folder_name((path.stem if has_ending else path.name) or path.resolve().name or "data")


def say_warnings() -> None:
    """From now on, warnings about pictures and devices are printed as the one sentence they are."""
    usual = warnings.showwarning

    def say(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if issubclass(category, PictureWarning | DeviceWarning):
            print(f"assay: {message}", file=sys.stderr)
        else:
            usual(message, category, *place)

    warnings.showwarning = say  # type: ignore[assignment]


def read_results(folder: Path) -> "Results":
    """The results in a study's folder; AssayError when it holds no study."""
    from assay.results import Results

    if not (folder / "study.yaml").is_file():
        near = {str(path.parent) for place in (folder.parent, Path("runs")) for path in place.glob("*/study.yaml")}
        hint = f"; {nearest(folder, near)}" if near else ""
        raise AssayError(f"{folder} holds no study (a study.yaml is expected there){hint}")
    return Results.read(folder)


def tell_damaged(results: "Results") -> None:
    """Say on standard error which finished runs are left out, since their files have changed."""
    for run in results.damaged:
        print(f"assay: {run.folder} is damaged and left out: {run.reason}", file=sys.stderr)


def tell_not_measured(results: "Results", metric: str | None = None) -> None:
    """Say on standard error that another metric leads than the study's, unless ``metric`` was asked for."""
    for line in [] if metric else results.not_measured:
        print(f"assay: {line}", file=sys.stderr)


def show(table: Any) -> None:
    """Print what rich can print: as wide as the terminal, or into a pipe a line for every line."""
    from rich.console import Console

    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = 10_000
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()).rstrip())


def print_json(found: Any) -> None:
    """Print what a command found as one JSON document, where it was asked for that."""
    from assay.tools.documents import as_json

    print(as_json(found))


def stop(message: str, code: int) -> NoReturn:
    """Say why on standard error, and end."""
    print("\n".join(f"assay: {line}" for line in message.splitlines()), file=sys.stderr)
    raise SystemExit(code)
