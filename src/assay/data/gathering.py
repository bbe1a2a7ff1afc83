"""Pixels and what is true of them, as bytes, from the memory map to the device, several batches at a time."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from assay.data.geometry import Size
from assay.data.images import ImageSet
from assay.data.mapped import as_tensor
from assay.data.staging import ahead
from assay.data.targets import Target
from assay.system.machine import free_memory

RESIDENT_SHARE = 0.4
"""Of an accelerator's free memory: images that take no more of it lie there for the whole run."""
LAG = 2
"""Blocks that a card may not have read yet when the next one is asked for."""
Block = tuple[Tensor, Any]
"""Pixels uint8 (b, c, h, w), and their ``Target``."""


@runtime_checkable
class View(Protocol):
    """What is seen of the images of an order, where that is not each as it is."""

    @property
    def size(self) -> Size:
        """Height and width of what is seen."""
        ...

    def seen(self, canvases: UInt8[Tensor, "n c H W"], places: slice, out: Tensor | None = None) -> Block:
        """Of some places of the order, where ``canvases`` are, and on the processor what is true of it."""
        ...


@dataclass(frozen=True, eq=False)
class Gathering:
    """The images of a source on every device that asked for them."""

    images: ImageSet

    def blocks(
        self, order: Int64[Tensor, " n"], sizes: Sequence[int], device: torch.device, view: View | None
    ) -> Iterator[Block]:
        """The images of ``order`` in blocks of so many, as they are or as the ``view`` has them, on the device."""
        pixels = self._on(device)
        if pixels.device != device and device.type == "cuda":
            yield from until_read(ahead(self._staged(order, sizes, device, view)), device)
            return
        for places in _places(sizes):
            x, y = self._seen(pixels, order[places], places, view)
            yield x.to(device), sent(y, device)

    def _staged(
        self, order: Int64[Tensor, " n"], sizes: Sequence[int], device: torch.device, view: View | None
    ) -> Iterator[Block]:
        """The same through pinned memory, on a stream of their own; each is there when it is given out."""
        if device not in self._streams:
            self._streams[device] = torch.cuda.Stream(device)
        stream = self._streams[device]
        channels, *canvas = self.images.pixels.shape[1:]
        shape = channels, *(canvas if view is None else view.size)
        for places in _places(sizes):
            pinned = torch.empty(places.stop - places.start, *shape, dtype=torch.uint8, pin_memory=True)
            _, target = self._seen(self._mapped, order[places], places, view, pinned)
            with torch.cuda.stream(stream):
                x, y = pinned.to(device, non_blocking=True), sent(target, device)
                stream.synchronize()
            yield x, y

    def _seen(
        self,
        pixels: UInt8[Tensor, "n c h w"],
        here: Int64[Tensor, " b"],
        places: slice,
        view: View | None,
        out: Tensor | None = None,
    ) -> Block:
        if view is not None:
            return view.seen(pixels, places, out)
        return torch.index_select(pixels, 0, here.to(pixels.device), out=out), self.images.targets.take(here)

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

    @cached_property
    def _streams(self) -> dict[torch.device, torch.cuda.Stream]:
        return {}


def until_read(blocks: Iterator[Block], device: torch.device) -> Iterator[Block]:
    """The same blocks, each kept until the card has done what was asked of it while the block was in use.

    A block's memory belongs to the stream that copied it there, which would copy another one into it as soon as nobody
    here holds it, whether or not the card has read it. So Python is at most ``LAG`` blocks ahead of the card.
    """
    used: deque[tuple[Block, torch.cuda.Event]] = deque()
    try:
        for block in blocks:
            yield block
            used.append((block, torch.cuda.current_stream(device).record_event()))
            if len(used) > LAG:
                used[0][1].synchronize()
                used.popleft()
    finally:
        torch.cuda.current_stream(device).synchronize()


def sent(part: Target, device: torch.device) -> Any:
    """What is on the processor, on the device."""
    if device.type == "cpu":
        return part
    return (part.pin_memory() if device.type == "cuda" else part).to(device, non_blocking=device.type == "cuda")


def _places(sizes: Sequence[int]) -> Iterator[slice]:
    """Which places of the order each block has."""
    return (slice(end - size, end) for size, end in zip(sizes, accumulate(sizes), strict=True))
