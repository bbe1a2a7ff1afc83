"""CIFAR-10 (Krizhevsky 2009): the official binary files, or class folders of pictures under the same name.

The official "python version" is pickled, which can run code when it is read; assay reads the binary version, which
holds the same bytes: per image one label and 3 × 32 × 32 values.
"""

import os
import secrets
import shutil
import tarfile
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from assay.data.images import Contents, Source
from assay.data.sources.known import ELSEWHERE
from assay.data.targets import Labels
from assay.errors import AssayError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FILES = [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]
FOLDER, ARCHIVE, PICKLED = "cifar-10-batches-bin", "cifar-10-binary.tar.gz", "cifar-10-batches-py"
RECORD = 1 + 3 * 32 * 32


def cifar10(root: Path) -> Source:
    """CIFAR-10 from the data root: the official folder or archive of binary files, or a folder or zip ``cifar10``.

    Downloaded where it is absent. Raises AssayError where it is incomplete, or absent and cannot be downloaded.
    """
    from assay.data.sources.folder import folder_source, zip_source

    if (root / FOLDER).is_dir() or (root / ARCHIVE).is_file():
        return _official(root)
    if (root / "cifar10").is_dir():
        return folder_source(root / "cifar10")
    if (root / "cifar10.zip").is_file():
        return zip_source(root / "cifar10.zip")
    _download(root)
    return _official(root)


def _official(root: Path) -> Source:
    folder, archive = root / FOLDER, root / ARCHIVE
    paths = [folder / name for name in FILES] if folder.is_dir() else [archive]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise AssayError(f"cifar10 in {str(folder)!r} is incomplete: {', '.join(missing)} is missing")
    stamps = [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]

    def contents() -> Contents:
        parts = _from_folder(folder) if folder.is_dir() else _from_archive(archive)
        return _contents(parts)

    return Source("cifar10", ["cifar10", stamps], contents)


def _from_folder(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def _from_archive(path: Path) -> dict[str, bytes]:
    """The files that are wanted, read from where they lie: nothing is unpacked."""
    parts = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                if name in FILES and (file := archive.extractfile(member)):
                    parts[name] = file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise AssayError(f"{path} is truncated or damaged ({error})") from error
    if missing := [name for name in FILES if name not in parts]:
        raise AssayError(f"{path} is incomplete: {', '.join(missing)} is missing")
    return parts


def _contents(parts: dict[str, bytes]) -> Contents:
    records = [_records(name, parts[name]) for name in FILES]
    every, names = np.concatenate(records), []
    for name, part in zip(FILES, records, strict=True):
        names += [f"{name.removesuffix('.bin')}/{n:05d}" for n in range(len(part))]
    return Contents(
        classes=list(CLASSES),
        names=names,
        targets=Labels(every[:, 0].astype(np.int64)),
        is_test=np.arange(len(every)) >= len(every) - len(records[-1]),
        image=lambda i: Image.fromarray(every[i, 1:].reshape(3, 32, 32).transpose(1, 2, 0)),
    )


def _records(name: str, data: bytes) -> UInt8[np.ndarray, "n 3073"]:
    if not data or len(data) % RECORD:
        raise AssayError(f"cifar10: {name} is truncated: {len(data):,} bytes are no multiple of {RECORD:,}")
    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    if records[:, 0].max() >= len(CLASSES):
        raise AssayError(f"cifar10: {name} is damaged: it holds the label {records[:, 0].max()}, expected 0 to 9")
    return records


def _download(root: Path) -> None:
    """Fetch into a folder of this process, then rename: another process never sees half a file."""
    from torchvision.datasets.utils import download_url

    temporary = root / f".{ARCHIVE}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    try:
        download_url(URL, str(temporary), ARCHIVE, MD5)
        (temporary / ARCHIVE).replace(root / ARCHIVE)
    except (OSError, RuntimeError) as error:
        pickled = f" ({PICKLED} is there, but pickled files are not read)" if (root / PICKLED).is_dir() else ""
        places = ", ".join(repr(str(root / name)) for name in (FOLDER, ARCHIVE, "cifar10", "cifar10.zip"))
        reason = " ".join(str(error).split())
        failed = f"and the download failed ({reason}); {ELSEWHERE}"
        raise AssayError(f"cifar10 is none of {places}{pickled}, {failed}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
