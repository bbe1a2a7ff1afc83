"""The named sources, and how a name becomes a source; imports nothing heavy until a source is opened."""

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError, unknown

if TYPE_CHECKING:
    from assay.data.images import Source
    from assay.recipe.data import Data, Ignore, Layout, Truth

SOURCES: dict[str, tuple[str, str]] = {
    "digits": (
        "assay.data.sources.digits:digits",
        "1,797 handwritten digits, 8×8 gray, 10 classes, part of scikit-learn",
    ),
    "shapes": (
        "assay.data.sources.shapes:shapes",
        "2,400 drawn pictures, 32×32 RGB, each with any of disc, square, triangle, cross and ring; made when asked for",
    ),
    "discs": (
        "assay.data.sources.discs:discs",
        "2,000 drawn pictures, 32×32 gray, with two numbers: the count and the mean diameter of their discs",
    ),
    "scenes": (
        "assay.data.sources.scenes:scenes",
        "300 + 100 drawn pictures, 64×64 RGB, with a mask each: discs, squares, triangles; made when asked for",
    ),
    "scattered-digits": (
        "assay.data.sources.scattered:scattered_digits",
        "400 + 100 drawn pictures, 96×96 gray, with boxes: digits of any size, scattered; made when asked for",
    ),
    "fashion-mnist": (
        "assay.data.sources.idx:fashion_mnist",
        "60,000 + 10,000 pictures of clothing, 28×28 gray, 10 classes; from the data root, else downloaded",
    ),
    "cifar10": (
        "assay.data.sources.cifar:cifar10",
        "50,000 + 10,000 pictures of things and animals, 32×32 RGB, 10 classes; from the data root, else downloaded",
    ),
}
"""Name → (import path of its opener, description). Any other name is the path of a folder or zip."""

ANY_PATH = (
    "<folder or zip>",
    "class/…, or train/class/… and test/class/…, images/… with masks/…, Pascal VOC, COCO, YOLO, or any with a table; "
    "a path or name under the data root",
)
"""The row that a listing of sources ends with."""
ELSEWHERE = "--data FOLDER or $ASSAY_DATA says where data lie"
"""What helps where they are not found."""


def find(
    name: str,
    root: Path,
    layout: "Layout | None" = None,
    ignore: "Ignore | None" = None,
    truth: "Truth | None" = None,
) -> "Source":
    """The source that ``data.source`` names: a named set, or a folder or zip, read as ``data.layout`` and
    ``data.truth`` say; of masks, the classes of ``ignore`` are void.

    A path may be absolute, under the data root or under the working directory; ``.zip`` may be left out.

    Raises:
        AssayError: there is no such source.
    """
    if name in SOURCES:
        if layout is not None:
            raise AssayError(f"data.layout goes with a folder or zip of pictures, and {name!r} is a named source")
        if ignore is not None:
            raise AssayError(f"data.ignore goes with a folder or zip of masks, and {name!r} is a named source")
        module, opener = SOURCES[name][0].split(":")
        source: Source = getattr(import_module(module), opener)(root)
        return source
    from assay.data.sources.folder import folder_source, zip_source

    path = _path(name, root)
    return (folder_source if path.is_dir() else zip_source)(path, layout, ignore, truth)


def find_with_table(data: "Data", root: Path) -> "Source":
    """The folder or zip that ``data.source`` names, with ``data.table``.

    Raises:
        AssayError: there is no such folder, zip or table.
    """
    if data.source in SOURCES:
        raise AssayError(f"data.table goes with a folder or zip of pictures, and {data.source!r} is a named source")
    from assay.data.sources.table import table_source

    return table_source(_path(data.source, root), data, root)


def _path(name: str, root: Path) -> Path:
    path = _find_path(name, root)
    if path is None:
        raise _not_found(name, root)
    if not path.is_dir() and not path.is_file():
        raise AssayError(f"data source {name!r} is neither a folder nor a regular file; expected one of them")
    if path.suffix.lower() in (".yaml", ".yml"):
        raise AssayError(f"data source {name!r} is a study or a recipe; expected a folder or zip of pictures")
    return path


def _find_path(name: str, root: Path) -> Path | None:
    if not name.strip() or "\0" in name:
        return None
    given = Path(name).expanduser()
    for folder in (root, Path()):
        for path in (folder / given, folder / f"{given}.zip"):
            with suppress(OSError, ValueError):  # a name too long or no text, a folder that may not be read
                if path.exists():
                    return path
    return None


def _not_found(name: str, root: Path) -> AssayError:
    looked = f"looked in {str(root)!r}" + ("" if root.is_dir() else " (no such folder)") + " and the working directory"
    there = [path for path in root.iterdir() if path.suffix == ".zip" or path.is_dir()] if root.is_dir() else []
    here = [path.stem if path.suffix == ".zip" else path.name for path in there if not path.name.startswith(".")]
    error = unknown("data source", name, {*SOURCES, *here})
    return AssayError(f"{error} ({looked}; {ELSEWHERE})")
