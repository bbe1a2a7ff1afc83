"""The studies that come with assay, and copies of them in a folder of one's own."""

from dataclasses import dataclass
from pathlib import Path

from assay.errors import AssayError
from assay.system import files

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Copied:
    """What became of each file, by its path below the folder."""

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]
    """Those that were there already with other contents; they are left as they are."""


def shipped() -> Path:
    """The folder of the studies that come with assay: in the package as it is installed, or in its checkout."""
    places = (PACKAGE / "studies", PACKAGE.parents[1] / "studies")
    for place in places:
        if (place / "digits.yaml").is_file():
            return place
    raise AssayError(f"the studies that come with assay are not there: looked in {places[0]} and {places[1]}")


def copy_studies(folder: str | Path) -> Copied:
    """Copy the studies into ``folder``, which is made; nothing there is overwritten.

    Raises AssayError where ``folder`` is a file, or a place in it cannot be written.
    """
    folder, source = Path(folder), shipped()
    if folder.exists() and not folder.is_dir():
        raise AssayError(f"{folder} is a file, expected a folder for the studies")
    written, kept = [], []
    for path in sorted(source.rglob("*")):
        if path.suffix not in (".yaml", ".py"):
            continue
        name, content = path.relative_to(source).as_posix(), path.read_bytes()
        place = folder / name
        if not place.exists():
            files.write(place, content)
            written.append(name)
        elif place.read_bytes() != content:
            kept.append(name)
    return Copied(folder, tuple(written), tuple(kept))
