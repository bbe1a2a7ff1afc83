"""Pixels and what is true of them, as bytes, from the memory map to the device, several batches at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from assay.data.crops import Windows, cut
from assay.data.images import ImageSet
from assay.data.mapped import as_tensor
from assay.data.staging import ahead
from assay.data.targets import Masks, Target
from assay.system.machine import free_memory

RESIDENT_SHARE = 0.4
"""Of an accelerator's free memory: images that take no more of it lie there for the whole run."""
Block = tuple[Tensor, Any]
"""Pixels uint8 (b, c, h, w), and their ``Target``."""


@dataclass(frozen=True, eq=False)
class Gathering:
    """The images of a source on every device that asked for them."""

    images: ImageSet

    def blocks(
        self, order: Int64[Tensor, " n"], sizes: Sequence[int], device: torch.device, windows: Windows | None
    ) -> Iterator[Block]:
        """The images of ``order`` in blocks of so many, whole or the ``windows`` of them, on the device."""
        pixels = self._on(device)
        if pixels.device != device and device.type == "cuda":
            yield from ahead(self._staged(order, sizes, device, windows))
            return
        for here, corners in _parts(order, sizes, windows):
            x = _taken(pixels, here, corners, windows)
            yield x.to(device), sent(self._target(here, corners, windows), device)

    def _staged(
        self, order: Int64[Tensor, " n"], sizes: Sequence[int], device: torch.device, windows: Windows | None
    ) -> Iterator[Block]:
        """The same through pinned memory, on a stream of their own; each is there when it is given out."""
        stream = torch.cuda.Stream(device)
        channels, *canvas = self.images.pixels.shape[1:]
        shape = channels, *(canvas if windows is None else windows.size)
        for here, corners in _parts(order, sizes, windows):
            pinned = torch.empty(len(here), *shape, dtype=torch.uint8, pin_memory=True)
            _taken(self._mapped, here, corners, windows, pinned)
            with torch.cuda.stream(stream):
                x, y = pinned.to(device, non_blocking=True), sent(self._target(here, corners, windows), device)
                stream.synchronize()
            yield x, y

    def _target(self, here: Int64[Tensor, " b"], corners: Any, windows: Windows | None) -> Target:
        if windows is None:
            return self.images.targets.take(here)
        assert isinstance(self.images.targets, Masks)
        return cut(self.images.targets.tensor, here, corners, windows.size)

    def _on(self, device: torch.device) -> UInt8[Tensor, "n c h w"]:
        """Pixels as a tensor; on an accelerator where they fit, else where the memory map is."""
        if device.type == "cpu":
            return self._mapped
        if device not in self._resident:
            fits = self.images.pixels.nbytes <= RESIDENT_SHARE * free_memory(device)
            self._resident[device] = self._mapped.to(device) if fits else self._mapped
        return self._resident[device]

    @cached_property
    def _mapped(self) -> Tensor:
        return as_tensor(self.images.pixels)

    @cached_property
    def _resident(self) -> dict[torch.device, Tensor]:
        return {}


def sent(part: Target, device: torch.device) -> Any:
    """What is on the processor, on the device."""
    if device.type == "cpu":
        return part
    return (part.pin_memory() if device.type == "cuda" else part).to(device, non_blocking=device.type == "cuda")


def _parts(
    order: Int64[Tensor, " n"], sizes: Sequence[int], windows: Windows | None
) -> Iterator[tuple[Int64[Tensor, " b"], Any]]:
    """(images, corners of their windows) of each block."""
    start = 0
    for here in order.split([*sizes]):
        yield here, None if windows is None else windows.corners(slice(start, start + len(here)))
        start += len(here)


def _taken(
    pixels: UInt8[Tensor, "n c h w"],
    here: Int64[Tensor, " b"],
    corners: Any,
    windows: Windows | None,
    out: Tensor | None = None,
) -> Tensor:
    if windows is not None:
        return cut(pixels, here, corners, windows.size, out)
    return torch.index_select(pixels, 0, here.to(pixels.device), out=out)
