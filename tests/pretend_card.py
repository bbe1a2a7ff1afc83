"""An accelerator without hardware, by torch's own mechanism for backends that are written in Python.

Its tensors say that they lie on ``card:0``, are computed by the processor, and refuse to meet tensors that lie there,
as a card's do; they may refuse float64 too, as Apple's do. What it cannot show: streams, pinned memory, kernels that a
real card lacks or has other bits of.
"""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

NAME = "card"
MADE = """empty.memory_format empty_strided arange arange.start arange.start_step linspace full zeros ones eye eye.m
    rand randn randperm randint randint.low scalar_tensor"""
"""Of aten, what makes a tensor of nothing."""
WAITS = "_local_scalar_dense nonzero masked_select _unique2 unique_dim unique_consecutive is_nonzero equal bincount"
"""Of aten, what no card answers before it has done all that was asked before."""
PLACES = ("device", "pin_memory", "non_blocking", "layout")


@dataclass
class Seen:
    """What the card has done."""

    has_float64: bool = True
    operations: int = 0
    waits: Counter[str] = field(default_factory=Counter)
    """Line of assay → how often a step of training waited there."""
    recorder: "Callable[[Any, Any, Any, Any], None] | None" = None
    """Given every operation, its arguments and what it gave, all of the processor, while a step is captured."""


SEEN = Seen()


class Module:
    """What torch asks of a backend's module."""

    def is_available(self) -> bool:
        return True

    def device_count(self) -> int:
        return 1

    def current_device(self) -> int:
        return 0

    def _is_in_bad_fork(self) -> bool:
        return False

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    def manual_seed_all(self, seed: int) -> None:
        pass


class Card(Tensor):
    """A tensor of the card, with the processor's that computes it."""

    own: Tensor

    @staticmethod
    def __new__(cls, own: Tensor) -> "Card":
        if own.dtype == torch.float64 and not SEEN.has_float64:
            raise TypeError("the card has no float64")
        made: Card = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            own.size(),
            strides=own.stride(),
            storage_offset=own.storage_offset(),
            dtype=own.dtype,
            device=f"{NAME}:0",
        )
        made.own = own
        return made

    def tolist(self) -> Any:
        """Of a subclass torch refuses it."""
        return self.cpu().tolist()

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a tensor of the card is pickled, and could be read on no other machine")

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        SEEN.operations += 1
        return computed(operation, args, dict(kwargs or {}))


def computed(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """What the operation gives, on the card unless it is told otherwise."""
    name = operation.name().removeprefix("aten::").partition(".")[0]
    if name == "copy_":
        return copied(args[1], args[0])
    to = torch.device(kwargs.get("device") or NAME)
    if name == "_to_copy":
        note("a copy to the processor", to.type != NAME)
        found = done(operation, (own(args[0]),), {key: value for key, value in kwargs.items() if key not in PLACES})
        return Card(found) if to.type == NAME else found
    refuse_strangers(name, args, kwargs)
    note(name, name in WAITS.split() or (name.startswith("index") and has_mask(args)))
    if "device" in kwargs:
        kwargs["device"] = torch.device("cpu")
    found = done(operation, tree_map(own, args), tree_map(own, kwargs))
    if to.type != NAME:
        return found
    wrapped = tree_map(lambda part: Card(part) if isinstance(part, Tensor) else part, found)
    return wrapped if name in ("detach", "alias") else return_and_correct_aliasing(operation, args, kwargs, wrapped)


def done(operation: Any, args: Any, kwargs: Any) -> Any:
    found = operation(*args, **kwargs)
    if SEEN.recorder:
        SEEN.recorder(operation, args, kwargs, found)
    return found


def own(value: Any) -> Any:
    return value.own if isinstance(value, Card) else value


def copied(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    """What is copied to the card lies in ordinary memory here, and of that too a card waits for the copy."""
    note("a copy from or to the processor", isinstance(source, Card) != isinstance(target, Card))
    with torch.no_grad():
        done(torch.ops.aten.copy_.default, (own(target), own(source)), {})
    return target


def refuse_strangers(name: str, args: Any, kwargs: Any) -> None:
    """As a card does: of the processor only single numbers, and places to look up."""
    there = [part for part in tree_leaves((args, kwargs)) if isinstance(part, Tensor) and not isinstance(part, Card)]
    if name.startswith("index") and isinstance(args[0], Card) and len(args) == 2:
        return
    if any(part.ndim for part in there):
        raise RuntimeError(f"{name}: expected all tensors on the card, found one on the processor")


def has_mask(args: Any) -> bool:
    places = [part for part in tree_leaves(args[1:2]) if isinstance(part, Tensor)]
    return any(part.dtype in (torch.bool, torch.uint8) for part in places)


def note(what: str, is_wait: bool) -> None:
    """Count a wait of a step of training at the line of assay that it comes from."""
    frame: FrameType | None = sys._getframe() if is_wait else None
    met: list[str] = []
    is_step = False
    while frame:
        file = frame.f_code.co_filename
        if "/assay/" in file:
            met.append(f"{file.rpartition('/assay/')[2]}:{frame.f_lineno}")
            is_step = is_step or frame.f_code.co_qualname == "Steps._step"
        frame = frame.f_back
    if is_step:
        SEEN.waits[f"{what} at {met[0]}"] += 1
    if is_wait and SEEN.recorder:
        raise RuntimeError("operation not permitted when stream is capturing")


def made_here(overload: str) -> Callable[..., Card]:
    packet, _, kind = overload.partition(".")
    operation = getattr(getattr(torch.ops.aten, packet), kind or "default")

    def make(*args: Any, **kwargs: Any) -> Card:
        kept = {key: value for key, value in kwargs.items() if key not in PLACES}
        return Card(done(operation, args, kept | {"device": "cpu"}))

    return make


def register(has_float64: bool) -> torch.library.Library:
    """Tell torch of the card, as long as what is given is kept."""
    backend_registration._setup_privateuseone_for_python_backend(NAME, Module())
    torch.inference_mode = torch.no_grad  # type: ignore[assignment, misc]  # in which torch gives subclasses no versions
    SEEN.has_float64 = has_float64
    library = torch.library.Library("aten", "IMPL")
    for each in MADE.split():
        library.impl(each, made_here(each), "PrivateUse1")
    library.impl("_copy_from", copied, "PrivateUse1")
    return library


def take_over() -> None:
    """``train.device: auto`` is the card, which has a gigabyte."""
    from assay.system import machine

    machine.resolve_device = lambda name, number=0: torch.device(*(("cpu",) if name == "cpu" else (NAME, 0)))
    machine.free_memory = lambda device: 2**30 if device.type == NAME else 0
    machine._WITHOUT_FLOAT64 = () if SEEN.has_float64 else (NAME,)
