"""Hugging Face's ``datasets``: a folder by ``save_to_disk``, a local folder of data files, or what lies in its cache.

Nothing is downloaded: what is not there yet is fetched by whoever wants it, before a study.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from PIL import Image

from assay.data.sources.packed.features import column_of
from assay.data.sources.packed.rows import Column, Packed, Place, agreed, open_cell
from assay.data.sources.packed.shards import stamps
from assay.errors import AssayError
from assay.system.files import legible

if TYPE_CHECKING:
    from datasets import Dataset

_SAVED = ("dataset_dict.json", "state.json")
EXTRA = "pip install 'assay-studies[hf]'"


def hugging_face(where: str, root: Path) -> Place:
    """The data set ``where``: a folder in the data root or the working directory, else a name on the Hub, with its
    configuration after a colon where it has several.

    Raises:
        AssayError: ``datasets`` is not installed, or the set is not on this machine, or damaged.
    """
    try:
        import datasets  # noqa: F401
    except ImportError as error:
        raise AssayError(f"hf:{where} is read by Hugging Face's datasets: {EXTRA}") from error
    folder = next((path for path in (root / where, Path(where).expanduser()) if where and path.is_dir()), None)
    with _quiet():
        parts = _cached(where) if folder is None else _local(where, folder)
    told = legible(f"hf:{where}")
    files = [Path(each["filename"]) for part in parts.values() for each in part.cache_files]
    prints = [[name, part._fingerprint] for name, part in parts.items()]
    return Place(told, ["hf", prints, stamps(files)], lambda: _packed(told, parts, folder or Path()))


def _local(where: str, folder: Path) -> dict[str, "Dataset"]:
    import datasets

    is_saved = any((folder / name).is_file() for name in _SAVED)
    try:
        found = datasets.load_from_disk(str(folder)) if is_saved else datasets.load_dataset(str(folder))
    except Exception as error:  # whatever a damaged file means to it
        what = "a whole data set of save_to_disk" if is_saved else "a folder that Hugging Face's datasets reads"
        raise AssayError(f"hf:{where}: {str(folder)!r} is not {what} ({_first_line(error)})") from error
    return _parts(found)


def _cached(where: str) -> dict[str, "Dataset"]:
    """What ``load_dataset`` has put into its cache; the Hub is not asked."""
    import datasets
    from datasets.packaged_modules.cache.cache import Cache

    name, _, configuration = where.partition(":")
    try:
        builder = Cache(
            repo_id=name, dataset_name=name.rpartition("/")[2], config_name=configuration or None,
            version="auto", hash="auto",
        )  # fmt: skip
        return _parts(builder.as_dataset())
    except Exception as error:
        if "multiple" in str(error):
            known = str(error).partition(": ")[2].splitlines()[0]
            raise AssayError(f"hf:{name} has the configurations {known}; say which, as hf:{name}:NAME") from error
        which = f"{name!r}, {configuration!r}" if configuration else repr(name)
        raise AssayError(
            f"hf:{where} is neither a folder in the data root or the working directory nor in the cache of Hugging "
            f"Face ({datasets.config.HF_DATASETS_CACHE}), and a study downloads nothing; get it by: python -c "
            f'"import datasets; datasets.load_dataset({which})"'
        ) from error


def _parts(found: Any) -> dict[str, "Dataset"]:
    return dict(found) if isinstance(found, Mapping) else {"all": found}


def _packed(where: str, parts: dict[str, "Dataset"], folder: Path) -> Packed:
    columns = {f"{where}, {name}": _columns(part) for name, part in parts.items()}
    starts: list[tuple[int, Dataset]] = []
    for part in parts.values():
        starts.append(((starts[-1][0] + len(starts[-1][1])) if starts else 0, part))
    undecoded: dict[str, list[tuple[int, Dataset | None]]] = {}

    def picture(column: str, row: int) -> Image.Image:
        if column not in undecoded:
            undecoded[column] = [(start, _undecoded(part, column)) for start, part in starts]
        start, part = next((start, part) for start, part in reversed(undecoded[column]) if row >= start)
        return open_cell(None if part is None else part[row - start][column], folder)

    return Packed(
        where,
        {name: len(part) for name, part in parts.items()},
        agreed(columns),
        lambda column: [cell for part in parts.values() for cell in _cells(part, column)],
        lambda column: [name for part in parts.values() for name in _files(part, column)],
        picture,
    )


def _columns(part: "Dataset") -> dict[str, Column]:
    return {name: column_of(feature) for name, feature in part.features.to_dict().items()}


def _undecoded(part: "Dataset", column: str) -> "Dataset | None":
    """None where the part lacks the column."""
    import datasets

    if column not in part.column_names:
        return None
    alone = part.with_format(None).select_columns([column])
    if isinstance(alone.features[column], datasets.Image):
        return alone.cast_column(column, datasets.Image(decode=False))
    return alone


def _cells(part: "Dataset", column: str) -> list[Any]:
    """None each where the part lacks the column."""
    return _arrow(part, column).to_pylist() if column in part.column_names else [None] * len(part)


def _arrow(part: "Dataset", column: str) -> Any:
    return part.select_columns([column]).with_format("arrow")[:].column(column)


def _files(part: "Dataset", column: str) -> list[str]:
    """What pictures were called; read without their bytes."""
    from pyarrow import compute, types

    if column not in part.column_names:
        return [""] * len(part)
    cells = _arrow(part, column)
    if not types.is_struct(cells.type) or cells.type.get_field_index("path") < 0:
        return [""] * len(cells)
    return [PurePosixPath(name or "").name for name in compute.struct_field(cells, "path").to_pylist()]


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress and no log of ``datasets``."""
    import datasets

    level, shows = datasets.utils.logging.get_verbosity(), datasets.is_progress_bar_enabled()
    datasets.utils.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.utils.logging.set_verbosity(level)
        if shows:
            datasets.enable_progress_bars()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
