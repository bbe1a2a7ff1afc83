"""The named sources, and how a name becomes a source; imports nothing heavy until a source is opened."""

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from assay.data.sources.known import DRAWN, ELSEWHERE, UNSTATED, Known
from assay.data.sources.torchvision_sets import SETS
from assay.errors import AssayError, unknown

if TYPE_CHECKING:
    from assay.data.images import Source
    from assay.recipe.data import Data, Ignore, Layout, Truth

DIGITS = "UCI 1998, doi:10.24432/C50P49"
SOURCES: dict[str, Known] = {
    "digits": Known(
        "assay.data.sources.digits:digits",
        "1,797 handwritten digits, 8×8 gray, 10 classes, part of scikit-learn",
        "CC BY 4.0",
        DIGITS,
    ),
    "shapes": Known(
        "assay.data.sources.shapes:shapes",
        "2,400 drawn pictures, 32×32 RGB, each with any of disc, square, triangle, cross and ring; made when asked for",
        DRAWN,
    ),
    "discs": Known(
        "assay.data.sources.discs:discs",
        "2,000 drawn pictures, 32×32 gray, with two numbers: the count and the mean diameter of their discs",
        DRAWN,
    ),
    "scenes": Known(
        "assay.data.sources.scenes:scenes",
        "300 + 100 drawn pictures, 64×64 RGB, with a mask each: discs, squares, triangles; made when asked for",
        DRAWN,
    ),
    "scattered-digits": Known(
        "assay.data.sources.scattered:scattered_digits",
        "400 + 100 drawn pictures, 96×96 gray, with boxes: digits of any size, scattered; made when asked for",
        f"{DRAWN}; the digits CC BY 4.0",
        DIGITS,
    ),
    "fashion-mnist": Known(
        "assay.data.sources.idx:fashion_mnist",
        "60,000 + 10,000 pictures of clothing, 28×28 gray, 10 classes; from the data root, else downloaded",
        "MIT",
        "Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747",
    ),
    "cifar10": Known(
        "assay.data.sources.cifar:cifar10",
        "50,000 + 10,000 pictures of things and animals, 32×32 RGB, 10 classes; from the data root, else downloaded",
        UNSTATED,
        "Krizhevsky 2009",
    ),
    **{name: named.known for name, named in SETS.items()},
}
"""Name → what is known of it. Any other name is the path of a folder, zip, npz, or a source in columns."""

ANY_PATH = (
    "<folder or zip>",
    "class/…, or train/class/… and test/class/…, images/… with masks/…, Pascal VOC, COCO, YOLO, or any with a table; "
    "a path or name under the data root",
)
OF_ITS_OWN = "its own"
FORMS: dict[str, Known] = {
    ANY_PATH[0]: Known("", ANY_PATH[1], OF_ITS_OWN),
    "hf:<folder or name>": Known(
        "", "Hugging Face's datasets: a folder by save_to_disk, or what lies in its cache", "on its card, where stated"
    ),
    "parquet:<folder>, <file>.parquet": Known(
        "", "pictures as bytes in a column, as Hugging Face writes them, with columns that tell of them", OF_ITS_OWN
    ),
    "webdataset:<folder>, <file>.tar": Known(
        "", "tar files of samples, as train-{000..005}.tar: .jpg or .png beside .cls, .txt or .json", OF_ITS_OWN
    ),
    "<file>.npz": Known(
        "",
        "a file of MedMNIST: pictures of 28 to 224 pixels with classes or tags, in three splits",
        "CC BY 4.0; DermaMNIST CC BY-NC 4.0",
        "Yang et al. 2023, doi:10.1038/s41597-022-01721-8",
    ),
}
"""The rows that a listing of sources ends with: what has no name of its own."""


_LEFT_OUT = (".zip", ".npz")
"""Endings that a study may leave out."""


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
    if name in SOURCES and not _is_own(name, root):
        if layout is not None:
            raise AssayError(f"data.layout goes with a folder or zip of pictures, and {name!r} is a named source")
        if ignore is not None:
            raise AssayError(f"data.ignore goes with a folder or zip of masks, and {name!r} is a named source")
        module, opener = SOURCES[name].opener.split(":")
        own = (name,) if name in SETS else ()
        source: Source = getattr(import_module(module), opener)(root, *own)
        return source
    path = _path(name, root)
    if path.suffix.lower() == ".npz" and path.is_file():
        return _arrays(path, layout, ignore)
    from assay.data.sources.folder import folder_source, zip_source

    return (folder_source if path.is_dir() else zip_source)(path, layout, ignore, truth)


def _is_own(name: str, root: Path) -> bool:
    """Whether a folder or zip is called like a set of torchvision's, and that set is not here."""
    return name in SETS and SETS[name].place(root, name) is None and _find_path(name, root) is not None


def _arrays(path: Path, layout: "Layout | None", ignore: "Ignore | None") -> "Source":
    from assay.data.sources.medmnist import medmnist_source

    if layout is not None or ignore is not None:
        key = "ignore" if layout is None else "layout"
        raise AssayError(f"data.{key} goes with a folder or zip of pictures, and {path.name} is an npz")
    return medmnist_source(path)


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
        for path in (folder / given, *(folder / f"{given}{ending}" for ending in _LEFT_OUT)):
            with suppress(OSError, ValueError):  # a name too long or no text, a folder that may not be read
                if path.exists():
                    return path
    return None


def _not_found(name: str, root: Path) -> AssayError:
    looked = f"looked in {str(root)!r}" + ("" if root.is_dir() else " (no such folder)") + " and the working directory"
    there = [path for path in root.iterdir() if path.suffix in _LEFT_OUT or path.is_dir()] if root.is_dir() else []
    here = [path.stem if path.suffix in _LEFT_OUT else path.name for path in there if not path.name.startswith(".")]
    error = unknown("data source", name, {*SOURCES, *here})
    return AssayError(f"{error} ({looked}; {ELSEWHERE})")
