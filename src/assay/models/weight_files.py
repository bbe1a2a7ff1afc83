"""Files of weights that others saved: their tensors, whatever lies around them. No code in them is run."""

import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay.errors import AssayError

EXPECTED = "expected what torch.save(network.state_dict(), PATH) writes, or safetensors"
POINTER = b"version https://git-lfs.github.com"
FAILURES = {
    "TorchScript": "is a program of TorchScript",
    "GLOBAL": "holds objects that only code of their own could make",
}
"""A part of what torch says → what it means."""
AVERAGED = re.compile(r"(^|[._])(ema|swa|averaged?)([._]|$)", re.IGNORECASE)
"""In the names of weights that are a mean over a training."""


class Blank:
    """Stands in for every object of a pickle that is no tensor, text, number or container of them; it does nothing."""

    def __new__(cls, *_: object, **__: object) -> "Blank":
        """A blank, whatever the object is made of."""
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Nothing is kept."""


def read_file(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of one that torch saved, whatever its suffix.

    Those inside of something have names with dots: ``state_dict.module.conv1.weight``. Objects of other kinds, such as
    the arguments and metrics of a training, are passed over without being made. AssayError for a file that is not there
    or holds no named tensors.
    """
    if not path.is_file():
        said = f"{path} is a folder" if path.is_dir() else f"there is no file {path}"
        raise AssayError(f"model.pretrained: {said}; expected true, a file of weights, or run:FOLDER")
    try:
        with path.open("rb") as file:
            begin = file.read(len(POINTER))
        if begin == POINTER:
            raise AssayError(f"model.pretrained: {path} is a pointer of Git LFS; 'git lfs pull' brings the file itself")
        found = _safetensors(path) if begin[8:9] == b"{" else _unpickled(path)
        tensors = dict(_named(found))
    except OSError as error:
        raise AssayError(f"model.pretrained: {path} cannot be read ({error.strerror or error})") from None
    except AssayError:
        raise
    except Exception as error:  # either library raises all kinds, and advises to run the code in the file
        what = next((what for part, what in FAILURES.items() if part in str(error)), "is damaged or no file of weights")
        raise AssayError(f"model.pretrained: {path} {what}; {EXPECTED}") from None
    if not tensors:
        raise AssayError(f"model.pretrained: {path} holds {_what(found)} and no named tensors; {EXPECTED}")
    return tensors


def _safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


def _unpickled(path: Path) -> Any:
    """What torch saved, with a blank of its name in place of every object that torch would not make safely."""
    unsafe: list[str] = []
    with path.open("rb") as file, suppress(Exception):  # loading says what is wrong, and an old format has no list
        unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    blanks = [(type(name, (Blank,), {}), name) for name in unsafe]
    with (
        path.open("rb") as file,  # of a path, torch would go by the suffix
        torch.serialization.safe_globals(blanks),  # type: ignore[arg-type]
        warnings.catch_warnings(action="ignore"),
    ):
        return torch.load(file, map_location="cpu", weights_only=True)


def _named(found: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(found, Tensor) and name:
        yield name, found
    elif isinstance(found, Mapping):
        for key, value in found.items():
            yield from _named(value, f"{name}.{key}" if name else str(key))


def _what(found: Any) -> str:
    if isinstance(found, Mapping):
        return f"the keys {', '.join(map(str, found))}" if found else "no keys"
    return f"a {type(found).__name__}"


def of_network(tensors: Mapping[str, Tensor], names: Collection[str]) -> tuple[str, dict[str, Tensor], list[str]]:
    """What of the ``tensors`` of a file is a network whose tensors are called ``names``.

    Returns what stands before these names there (``state_dict.module.``, mostly nothing), the tensors without it, and
    what lies beside them. It is whatever stands before most of the names; of several, what is called a mean over a
    training (EMA, SWA). Raises AssayError where several networks are there and nothing tells which is meant.
    """
    found: Counter[str] = Counter()
    for name in tensors:
        starts = [0, *(dot.end() for dot in re.finditer(r"\.", name))]
        found.update(name[:start] for start in starts if name[start:] in names)
    most = max(found.values(), default=0)
    best = [before for before, count in found.items() if count == most]
    chosen = [before for before in best if AVERAGED.search(before)] or best
    if len(chosen) > 1 and "" not in chosen and 2 * most > len(names):
        listed = ", ".join(repr(before.rstrip(".")) for before in chosen)
        raise AssayError(f"holds several networks that fit: {listed}; save the one that is meant alone")
    before = chosen[0] if len(chosen) == 1 else ""
    own = {name.removeprefix(before): tensor for name, tensor in tensors.items() if name.startswith(before)}
    beside = dict.fromkeys(_branch(name, before) for name in tensors if not name.startswith(before))
    return before, own, list(beside)


def _branch(name: str, before: str) -> str:
    """The part of ``name`` up to where it leaves the way ``before``."""
    parts, way = name.split("."), before.split(".")
    shared = next((n for n, (part, step) in enumerate(zip(parts, way, strict=False)) if part != step), 0)
    return ".".join(parts[: shared + 1])
