"""What a run is made on: the device, its threads, and the record of both."""

import os
import platform
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from assay.errors import AssayError, DeviceWarning, RunFailed, amount, size_text

_SHARED = 0.9
"""Of a card's memory, for several processes: each takes some that torch does not count."""

_LEAST = 2**28
"""Bytes: a card's libraries alone take about as much."""

_WITHOUT_FLOAT64 = ("mps",)
"""Kinds of device."""


def environment(device: torch.device, threads: int, command: str) -> dict[str, Any]:
    """Where and with what the run was made."""
    return {
        "assay": version("assay-studies"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": version("torchvision"),
        "timm": version("timm"),
        "kornia": version("kornia"),
        "platform": platform.platform(),
        "cpu": processor(),
        "cores": os.cpu_count(),
        "device": device_name(device),
        "threads": threads,
        "command": command,
    }


def device_name(device: torch.device) -> str:
    """Of a card what it is called, else ``cpu`` or ``mps:0``."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def resolve_device(name: str, number: int = 0) -> torch.device:
    """``auto`` is CUDA, then MPS, then the processor; worker ``number`` takes the accelerator of its turn.

    Raises AssayError when the named device is not there.
    """
    cuda, mps = has_card(), torch.backends.mps.is_available()
    if name == "auto":
        name = "cuda" if cuda else "mps" if mps else "cpu"
    kind, _, index = name.partition(":")
    if kind == "cuda" and not cuda:
        raise AssayError(f"train.device: {name}: this machine has none for torch ({_refusal()}); expected auto or cpu")
    if kind == "mps" and not mps:
        raise AssayError(f"train.device: {name}: this machine has none; expected auto or cpu")
    if kind == "cuda":
        count = torch.cuda.device_count()
        if index and int(index) >= count:
            raise AssayError(f"train.device: {name}: this machine has {count}, counted from 0")
        return torch.device("cuda", int(index) if index else number % count)
    return placed(name)


def device_here(name: str) -> torch.device:
    """Where a finished run is asked: on the device that it was trained on, or, where this machine lacks that, on what
    ``auto`` takes, which a DeviceWarning says."""
    try:
        return resolve_device(name)
    except AssayError:
        device = resolve_device("auto")
        text = f"train.device: {name}: this machine lacks it, and the run is asked on {device}"
        warnings.warn(DeviceWarning(text), stacklevel=2)
        return device


def has_card() -> bool:
    """Whether torch can use a CUDA card; where it refuses one, a DeviceWarning says why."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = torch.cuda.is_available()
    for each in said:
        warnings.warn(DeviceWarning(f"no CUDA card can be used: {_first_sentence(each.message)}"), stacklevel=2)
    return found


def _refusal() -> str:
    """Why there is no card, in torch's words."""
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return _first_sentence(error)
    return "it is hidden"


def _first_sentence(text: object) -> str:
    return str(text).strip().partition("\n")[0].partition(". ")[0].rstrip(".")


def refuse_full(device: torch.device) -> None:
    """Raise RunFailed where others hold the memory of the card, so that nothing could begin on it."""
    if device.type != "cuda":
        return
    try:
        free = free_memory(device)
    except RuntimeError as error:  # of a full card not even that is told
        raise RunFailed(f"{device} cannot be used: {_first_sentence(error)}") from None
    if free < _LEAST:
        raise RunFailed(f"{device} has {size_text(free)} of free memory, expected {size_text(_LEAST)}; who holds it?")


def cards(names: Iterable[str]) -> int:
    """How many accelerators serve runs whose ``train.device`` have these names; 0 where the processor does."""
    found = set()
    for name in names:
        device = resolve_device(name)
        if device.type == "cuda" and ":" not in name:
            found |= {torch.device("cuda", number) for number in range(torch.cuda.device_count())}
        elif device.type != "cpu":
            found.add(device)
    return len(found)


def placed(device: torch.device | str) -> torch.device:
    """The device with its number, so that one device has one name: ``cuda`` is ``cuda:0`` where that is the current
    one."""
    device = torch.device(device)
    if device.type == "cpu" or device.index is not None:
        return torch.device(device.type) if device.type == "cpu" else device
    return torch.device(device.type, torch.cuda.current_device() if device.type == "cuda" else 0)


def refuse_too_many(name: str, devices: int) -> None:
    """Raise AssayError where one training is to have more cards than the machine has, or an accelerator that knows no
    others; of processes on the processor there may be any number."""
    device = resolve_device(name)
    there = torch.cuda.device_count() if device.type == "cuda" else 1
    if device.type != "cpu" and devices > there:
        kind = "card" if device.type == "cuda" else "accelerator"
        raise AssayError(f"train.devices: {devices}: this machine has {amount(there, kind)}; expected at most {there}")


def share_memory(device: torch.device, workers: int, chosen: bool) -> None:
    """Take no more of a card's memory than falls to each of so many processes, ``workers`` and their devices, who share
    all cards in turn, or this one, where it is the ``chosen`` one of all."""
    if device.type != "cuda":
        return
    sharing = workers if chosen else -(-workers // torch.cuda.device_count())
    torch.cuda.set_per_process_memory_fraction(1.0 if sharing == 1 else _SHARED / sharing, device)


def free_memory(device: torch.device) -> int:
    """Bytes that this process may still take of an accelerator, those included that torch keeps for it; on one that
    does not tell, half of what torch recommends for it."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        kept, taken = torch.cuda.memory_reserved(device), torch.cuda.memory_allocated(device)
        share = torch.cuda.get_per_process_memory_fraction(device)
        return int(min(free + kept - taken, share * total - taken))
    return torch.mps.recommended_max_memory() // 2 if device.type == "mps" else 0


def where_float64_is(numbers: Tensor) -> Tensor:
    """The same where they lie or, of a device without float64 (Apple's), on the processor."""
    return numbers.cpu() if numbers.device.type in _WITHOUT_FLOAT64 else numbers


def in_float64(numbers: Tensor) -> Tensor:
    """The same in float64, where that is."""
    return where_float64_is(numbers).double()


@contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """Fixed threads and deterministic kernels inside the block; as before after it."""
    before = torch.get_num_threads(), torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("warn")  # unlike use_deterministic_algorithms it does not load the compiler
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.set_deterministic_debug_mode(before[1])
        torch.backends.cudnn.benchmark = before[2]
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
