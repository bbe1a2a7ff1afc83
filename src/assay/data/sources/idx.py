"""The idx format (http://yann.lecun.com/exdb/mnist), and Fashion-MNIST (arXiv:1708.07747), which comes in it."""

import gzip
import io
import math
import os
import secrets
import shutil
import socket
import struct
import zlib
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from assay.data.images import Contents, Source
from assay.data.sources.known import ELSEWHERE
from assay.data.targets import Labels
from assay.errors import AssayError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_CLOTHES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip


def read_idx(path: Path) -> Shaped[np.ndarray, "..."]:
    """The array in an idx file, gzipped or not, of any of the format's six types, in native byte order.

    Raises:
        AssayError: the file is not idx, or holds less or more than its header promises.
    """
    try:
        with open(path, "rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            return _parse(gzip.GzipFile(fileobj=file) if zipped else file, path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise AssayError(f"{path} is a truncated or damaged gzip file ({error})") from error
    except OSError as error:
        raise AssayError(f"{path} cannot be read ({error.strerror or error})") from error


def _parse(file: io.BufferedIOBase, path: Path) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not magic[3]:
        raise AssayError(f"{path} is not an idx file: it begins with {magic.hex(' ') or 'nothing'}")
    lengths = file.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        raise AssayError(f"{path} is truncated: its header ends early")
    shape = struct.unpack(f">{magic[3]}I", lengths)
    kind = np.dtype(_TYPES[magic[2]])
    promised = math.prod(shape) * kind.itemsize
    body = file.read(promised + 1)
    if len(body) != promised:
        found = f"{len(body):,}" if len(body) < promised else f"more than {promised:,}"
        size = "×".join(map(str, shape))
        raise AssayError(f"{path} is truncated or damaged: {size} values need {promised:,} bytes, it holds {found}")
    return np.frombuffer(body, kind).reshape(shape).astype(kind.newbyteorder("="))


def fashion_mnist(root: Path) -> Source:
    """Fashion-MNIST from the data root, in its own folder or torchvision's; downloaded where it is absent.

    Raises:
        AssayError: it is incomplete, or absent and cannot be downloaded.
    """
    files = _find(root) or _download(root)
    stamps = [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in files.values()]
    return Source(where="fashion-mnist", identity=["idx", stamps], contents=lambda: _contents(files))


def _places(root: Path) -> list[Path]:
    return [root / "fashion-mnist", root / "FashionMNIST" / "raw", root]


def _find(root: Path) -> dict[str, Path] | None:
    names = [name for pair in _FILES.values() for name in pair]
    for folder in _places(root):
        there = {name: p for name in names for p in (folder / name, folder / f"{name}.gz") if p.is_file()}
        missing = [name for name in names if name not in there]
        if not missing:
            return {name: there[name] for name in names}
        if there:
            raise AssayError(f"fashion-mnist in {str(folder)!r} is incomplete: {', '.join(missing)} is missing")
    return None


def _download(root: Path) -> dict[str, Path]:
    """Fetch into a folder of this process, then rename: another process never sees half a file."""
    from torchvision.datasets import FashionMNIST

    temporary = root / f".FashionMNIST.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    timeout = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(20)
        with redirect_stdout(io.StringIO()):
            FashionMNIST(str(temporary), download=True)
        try:
            (temporary / "FashionMNIST").rename(root / "FashionMNIST")
        except OSError:
            if not _find(root):
                raise
    except (OSError, RuntimeError) as error:
        looked = ", ".join(repr(str(place)) for place in _places(root))
        reason = " ".join(str(error).split())
        raise AssayError(
            f"fashion-mnist is in none of {looked}, and the download failed ({reason}); {ELSEWHERE}"
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)
        shutil.rmtree(temporary, ignore_errors=True)
    files = _find(root)
    assert files
    return files


def _contents(files: dict[str, Path]) -> Contents:
    pixels, labels, names = [], [], []
    for split, (images, targets) in _FILES.items():
        x, y = read_idx(files[images]), read_idx(files[targets])
        _check(x, y, files[images], files[targets])
        pixels.append(x)
        labels.append(y)
        names += [f"{split}/{i:05d}" for i in range(len(x))]
    every = np.concatenate(pixels)
    return Contents(
        classes=list(_CLOTHES),
        names=names,
        targets=Labels(np.concatenate(labels).astype(np.int64)),
        is_test=np.arange(len(every)) >= len(pixels[0]),
        image=lambda i: Image.fromarray(every[i]),
    )


def _check(x: np.ndarray, y: np.ndarray, images: Path, labels: Path) -> None:
    if x.ndim != 3 or x.dtype != np.uint8 or x.shape[1:] != (28, 28):
        raise AssayError(f"{images} holds {x.dtype} of shape {x.shape}, expected uint8 images of 28×28")
    if y.ndim != 1 or y.dtype != np.uint8 or (len(y) and y.max() >= len(_CLOTHES)):
        raise AssayError(f"{labels} holds {y.dtype} of shape {y.shape}, expected a list of uint8 labels 0 to 9")
    if len(x) != len(y):
        raise AssayError(f"{images} holds {len(x):,} images and {labels.name} {len(y):,} labels")
    if not len(x):
        raise AssayError(f"{images} holds no image")
