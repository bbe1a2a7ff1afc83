"""Batches by one indexing operation on the memory map, then cast, augmented and normalised on the device.

Several batches are made at once, as a block: fewer calls, and the same numbers.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from assay.data.augment import Moved, augmenter
from assay.data.boxes import Boxes
from assay.data.crops import Windows, by_class, windows
from assay.data.gathering import Gathering, View
from assay.data.images import ImageSet
from assay.data.imbalance import balanced, epoch_size
from assay.data.mixing import mixed
from assay.data.mosaic import Mosaics, mosaics
from assay.data.moving import moved
from assay.data.own_masks import count
from assay.data.shares import WHOLE, Places, Share
from assay.data.targets import Masks, Tags, Target
from assay.errors import AssayError, amount
from assay.recipe import MIXES, Augmentation, Balance, Crop, Data, Mosaic, Normalization
from assay.seeds import numpy_generator, torch_generator
from assay.system.machine import free_memory, placed

Batch = tuple[Float32[Tensor, "b c h w"], Any]
"""Images, and their ``Target``: of which kind it is, is known to who asked for the data; ``Mixed`` of mixed images."""
Change = Callable[[Tensor, Target, slice], tuple[Tensor, Target]]
"""(bytes, their targets, which places of the epoch's order they have) → both, augmented."""
_MEASURED = 256
"""Images at a time where more is kept of each than its logits."""
_CHUNK_BYTES = 1 << 20
"""Of pixels, in which their sums are taken."""
_PASS_PIXELS = 1 << 22
"""Of the images in one pass without gradients."""
_PASS_SHARE, _PIXEL_BYTES, _PASS_MOST = 0.25, 1024, 4096
"""On a card, of its free memory, for so many bytes a pixel (two layers of 128 maps of its size), and images at most."""
_BLOCK_BYTES, _CARD_BLOCK_BYTES = 2 << 20, 64 << 20
"""Of images as float32: what a processor's cache holds, and enough for the many units of a card."""


@dataclass(frozen=True, eq=False)
class ImageData:
    """Images with their splits and normalisation: everything a run reads."""

    images: ImageSet
    indices: dict[str, Int64[np.ndarray, " _"]]
    mean: Float32[np.ndarray, " c"]
    """Per channel, of pixels in 0…1."""
    std: Float32[np.ndarray, " c"]
    augment: tuple[Augmentation, ...] = ()
    balance: Balance = "none"
    crop: Crop | None = None
    mosaic: Mosaic | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        _, c, h, w = self.images.pixels.shape
        return c, h, w

    @property
    def classes(self) -> list[str]:
        """Names in the order of the labels."""
        return self.images.classes

    @property
    def class_counts(self) -> Int64[np.ndarray, " classes"]:
        """Training images of each class, or with each tag, each counted once, however often an epoch repeats it; of
        masks their pixels of each class, on the canvas.

        Raises:
            AssayError: the images have neither labels, tags nor masks, but for example boxes.
        """
        if isinstance(self.images.targets, Masks):
            return np.asarray(self.pixel_counts.sum(axis=0))
        if isinstance(self.images.targets, Tags):
            return np.asarray(self.images.targets.values[self.indices["train"]].sum(axis=0, dtype=np.int64))
        labels = self.images.labels_for("a count of the classes")
        return np.bincount(labels[self.indices["train"]], minlength=len(self.classes))

    @cached_property
    def pixel_counts(self) -> Int64[np.ndarray, "train classes"]:
        """Pixels of each class in each training image's mask on the canvas, void ones nowhere; of masks only."""
        masks, classes = self.images.targets, len(self.classes)
        assert isinstance(masks, Masks)
        rows = self.indices["train"].tolist()
        return np.array([count(masks.values[i])[:classes] for i in rows], np.int64).reshape(-1, classes)

    @property
    def epoch_size(self) -> int:
        """Images in an epoch of training: all of them, or more or fewer where the classes are balanced."""
        return len(self.indices["train"]) if self.balance == "none" else epoch_size(self.class_counts, self.balance)

    def train_batches(
        self, batch_size: int, seed: int, epoch: int, device: torch.device | str, share: Share = WHOLE
    ) -> Iterator[Batch]:
        """The ``epoch_size`` training images of one epoch, shuffled and augmented; the last batch may be short, or
        longer by one. Of every batch the ``share``.

        Images are float32 (b, c, h, w), normalised; what is true of them is moved as they are. Order and augmentation
        are functions of (seed, epoch) alone, and torch's global generators are left as they were found.
        """
        order, place = self.order(seed, epoch), placed(device)
        mixes = [step for step in self.augment if step.name in MIXES and step.amount]
        own = share.own(batch_sizes(len(order), batch_size), before=bool(mixes))
        view = self._view(order, seed, epoch)
        view = view and view.at(own.places)
        change = self._change(len(order), seed, epoch, place, own.places, view if isinstance(view, Mosaics) else None)
        found = self._batches(order[own.places], own.sizes, place, change, view)
        if not mixes:
            return found
        if isinstance(self.images.targets, Boxes | Masks):
            what = f"the images of {self.images.source} have {self.images.targets.kind}"
            raise AssayError(f"data.augment: {mixes[0].name} mixes what is true of whole images, and {what}")
        rng = numpy_generator(seed, "mix", epoch)
        several = (mixed(mixes, images, target, rng) for images, target in found)
        return several if share.of == 1 else ((images[1:], target.after_first) for images, target in several)

    def order(self, seed: int, epoch: int) -> Int64[Tensor, " n"]:
        """Which images an epoch of training shows, in its order."""
        train = self.indices["train"]
        if self._is_by_class:
            return torch.from_numpy(by_class(train, self.pixel_counts, seed, epoch)[0])
        if self.balance != "none":
            train = balanced(train, self.images.labels_for("data.balance"), self.balance, seed, epoch)
        return torch.from_numpy(train)[torch.randperm(len(train), generator=torch_generator(seed, "order", epoch))]

    def batches(self, split: str, batch_size: int, device: torch.device | str) -> Iterator[Batch]:
        """The images of a split in the order of their indices, not augmented."""
        rows = torch.from_numpy(self.indices[split])
        return self._batches(rows, batch_sizes(len(rows), batch_size), placed(device))

    def augmented(
        self, split: str, batch_size: int, seed: int, view: int, device: torch.device | str
    ) -> Iterator[Batch]:
        """One augmented view of the images of a split, in the order of their indices; a function of (seed, view)."""
        rows, place = torch.from_numpy(self.indices[split]), placed(device)
        change = self._change(len(rows), seed, view, place)
        return self._batches(rows, batch_sizes(len(rows), batch_size), place, change)

    def augmented_targets(self, rows: Int64[np.ndarray, " n"], seed: int, view: int) -> Target:
        """What is true of that view of images, as one batch: boxes are where they were moved to."""
        target, augment, size = (
            self.images.targets.take(torch.from_numpy(rows)),
            augmenter(self.augment),
            self.images.canvas,
        )
        if augment is None:
            return target
        matrix = augment.matrix(augment.draw(len(rows), torch_generator(seed, "augment", view)), size)
        return target if matrix is None else moved(target, matrix, size, size)

    def pass_size(self, device: torch.device) -> int:
        """Images in one forward pass that keeps no gradients."""
        return pass_size(*self.shape[1:], device)

    @property
    def _is_by_class(self) -> bool:
        return self.crop is not None and self.crop.classes == "balanced"

    def _view(self, order: Int64[Tensor, " n"], seed: int, epoch: int) -> Windows | Mosaics | None:
        """What is seen of the images of an epoch; None where each is seen alone and whole."""
        if self.mosaic is not None and epoch <= self.mosaic.epochs:
            return mosaics(self.images, self.mosaic, order.numpy(), self.indices["train"], seed, epoch)
        if self.crop is None:
            return None
        classes = by_class(self.indices["train"], self.pixel_counts, seed, epoch)[1] if self._is_by_class else None
        return windows(self.images, self.crop, order.numpy(), classes, seed, epoch)

    def _change(
        self,
        images: int,
        seed: int,
        epoch: int,
        device: torch.device,
        own: Places = slice(None),
        mosaics: Mosaics | None = None,
    ) -> Change | None:
        """What the augmentations do to the ``own`` of so many images; drawn on the processor, so the same on every
        device."""
        augment = augmenter(self.augment, mosaics is not None)
        if augment is None:
            return None
        drawn = augment.draw(images, torch_generator(seed, "augment", epoch))[own].to(device)
        moves = None if mosaics is None else mosaics.moves.to(device)

        def change(x: Tensor, y: Target, places: slice) -> tuple[Tensor, Target]:
            first = None if moves is None else Moved(moves[places], self.images.canvas)
            return augment(x, y, drawn[places], first)

        return change

    def _batches(
        self,
        order: Int64[Tensor, " n"],
        sizes: Sequence[int],
        device: torch.device,
        change: Change | None = None,
        view: View | None = None,
    ) -> Iterator[Batch]:
        scale, shift = (t.to(device) for t in self._scale_and_shift)
        size = 4 * next(iter(sizes), 1) * self.shape[0] * math.prod(self.shape[1:] if view is None else view.size)
        together = max(1, (_BLOCK_BYTES if device.type == "cpu" else _CARD_BLOCK_BYTES) // size)
        blocks = [sizes[first : first + together] for first in range(0, len(sizes), together)]
        start = 0
        gathered = self._gathering.blocks(order, [*map(sum, blocks)], device, view)
        for block, (x, y) in zip(blocks, gathered, strict=True):
            if change is None:
                x = x.float().mul_(scale).add_(shift)
            else:
                x, y = change(x, y, slice(start, start + len(x)))
                x = x.mul_(scale * 255).add_(shift)
            start += len(x)
            yield from zip(x.split(block), y.split(block), strict=True)

    @cached_property
    def _gathering(self) -> Gathering:
        return Gathering(self.images)

    @cached_property
    def _scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """(x / 255 - mean) / std as one multiplication and one addition on the bytes."""
        mean, std = (torch.from_numpy(a.astype(np.float64)).view(1, -1, 1, 1) for a in (self.mean, self.std))
        return (1 / (255 * std)).float(), (-mean / std).float()


def pass_size(height: int, width: int, device: torch.device | str = "cpu") -> int:
    """Images in one forward pass that keeps no gradients: at most 512, and at most 4 million pixels.

    On a card as many as fit into a part of its free memory, at most 4096; a power of two, so that a little more or less
    free memory changes no last bits.
    """
    place = placed(device)
    if place.type != "cuda":
        return max(1, min(512, _PASS_PIXELS // (height * width)))
    fit = int(_PASS_SHARE * free_memory(place)) // (_PIXEL_BYTES * height * width)
    return 1 << max(0, min(fit, _PASS_MOST).bit_length() - 1)


@dataclass(frozen=True)
class Split:
    """One split in batches, without augmentation, as often as it is asked for."""

    data: ImageData
    name: str
    device: torch.device

    def __iter__(self) -> Iterator[Batch]:
        return self.data.batches(self.name, min(_MEASURED, self.data.pass_size(self.device)), self.device)


def batch_sizes(images: int, batch_size: int) -> list[int]:
    """The sizes of the batches of one pass. A single image left over joins the last batch: batch norm needs two."""
    full, left = divmod(images, batch_size)
    sizes = [batch_size] * full
    if left == 1 and full:
        sizes[-1] += 1
    elif left:
        sizes.append(left)
    return sizes


def normalization(
    data: Data, images: ImageSet, train: Int64[np.ndarray, " n"]
) -> tuple[Float32[np.ndarray, " c"], Float32[np.ndarray, " c"]]:
    """(mean, std) per channel of pixels in 0…1, as ``data.normalize`` asks.

    ``standard`` takes them from the training images, by sums of integers: exact whatever the order. A deviation below
    one gray level is taken as one gray level, so that a constant channel divides by no zero.
    """
    channels = images.pixels.shape[1]
    if isinstance(data.normalize, Normalization):
        for key, values in (("mean", data.normalize.mean), ("std", data.normalize.std)):
            if len(values) != channels:
                raise AssayError(
                    f"data.normalize.{key}: found {amount(len(values), 'number')}, expected one a channel: {channels}"
                )
        return np.array(data.normalize.mean, np.float32), np.array(data.normalize.std, np.float32)
    if data.normalize != "standard":
        mean, std = {"unit": (0.0, 1.0), "symmetric": (0.5, 0.5)}[data.normalize]
        return np.full(channels, mean, np.float32), np.full(channels, std, np.float32)
    total, squares = np.zeros(channels, np.int64), np.zeros(channels, np.int64)
    each = int(np.prod(images.pixels.shape[1:]))
    for part in np.array_split(train, max(1, len(train) * each // _CHUNK_BYTES)):
        values = images.pixels[part].astype(np.uint16)
        total += values.sum(axis=(0, 2, 3), dtype=np.int64)
        squares += (values * values).sum(axis=(0, 2, 3), dtype=np.int64)
    count = len(train) * each // channels
    mean = total / count
    variance = np.maximum(squares / count - mean**2, 0.0)
    return (mean / 255).astype(np.float32), (np.maximum(np.sqrt(variance), 1.0) / 255).astype(np.float32)
