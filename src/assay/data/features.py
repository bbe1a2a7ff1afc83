"""What a frozen backbone makes of images: computed once, kept like decoded images, and batched in their place."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from assay.data.batches import ImageData, batch_sizes
from assay.data.boxes import BoxBatch, Boxes
from assay.data.mapped import as_tensor
from assay.data.publish import check_space, entry_folder, make, touch
from assay.data.shares import WHOLE, Share
from assay.data.targets import Masks
from assay.errors import AssayError
from assay.system import files

Features = Float32[np.ndarray, "n ..."]
FEATURES, ABOUT = "features.npy", "index.json"


@dataclass(frozen=True, eq=False)
class Kept:
    """The features of some images, as a memory map that all runs and processes share."""

    rows: Int64[np.ndarray, " n"]
    """Which images of the source, ascending."""
    values: Features

    def of(self, images: Int64[Tensor, " b"]) -> Float32[Tensor, "b ..."]:
        """A copy of the features of these images. Raises KeyError for an image whose features are not kept."""
        return self._tensor.index_select(0, self.places(images))

    def places(self, images: Int64[Tensor, " b"]) -> Int64[Tensor, " b"]:
        """Where these images are among ``rows``. Raises KeyError for one that is not."""
        found = np.searchsorted(self.rows, images.numpy())
        if not np.array_equal(self.rows.take(found, mode="clip"), images.numpy()):
            raise KeyError("images whose features are not kept")
        return torch.from_numpy(found)

    @cached_property
    def _tensor(self) -> Tensor:
        return as_tensor(self.values)


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureData(ImageData):
    """The same splits in the same order as the images', with features in their place."""

    plain: dict[str, Kept]
    """Of the images of each split, not augmented."""
    views: tuple[Kept, ...] = ()
    """Of the training images, augmented; epoch e sees view e mod their number."""
    views_seed: int = 0
    """What they were drawn by."""

    def __post_init__(self) -> None:
        """Raise AssayError for views of images whose masks move: where to is not kept."""
        if self.views and isinstance(self.images.targets, Masks):
            kind = self.images.targets.kind
            raise AssayError(f"data.augment_views keeps features, not where the {kind} of {self.images.source} moved")

    def train_batches(
        self, batch_size: int, seed: int, epoch: int, device: torch.device | str, share: Share = WHOLE
    ) -> Iterator[tuple[Tensor, Any]]:
        """Features float32 (b, …) of one epoch and what is true of the images, in the order of their own batches, of
        each the ``share``.

        Boxes lie where they do in the view.
        """
        order = self.order(seed, epoch)
        own = share.own(batch_sizes(len(order), batch_size))
        if not self.views:
            return self._gathered(self.plain["train"], order[own.places], own.sizes, device)
        view = epoch % len(self.views)
        return self._gathered(self.views[view], order[own.places], own.sizes, device, self._boxes(view))

    def batches(self, split: str, batch_size: int, device: torch.device | str) -> Iterator[tuple[Tensor, Any]]:
        """The features of a split in the order of its indices, not augmented."""
        rows = torch.from_numpy(self.indices[split])
        return self._gathered(self.plain[split], rows, batch_sizes(len(rows), batch_size), device)

    def pass_size(self, device: torch.device) -> int:
        """Rows of features in one forward pass that keeps no gradients; where they are maps, as many as of pictures."""
        return super().pass_size(device) if isinstance(self.images.targets, Boxes | Masks) else 512

    @cached_property
    def _moved(self) -> dict[int, Any]:
        return {}

    def _boxes(self, view: int) -> BoxBatch | None:
        """Those of a view, in the order of its rows; None where what is true of the images does not move."""
        if not isinstance(self.images.targets, Boxes):
            return None
        if view not in self._moved:
            self._moved[view] = self.augmented_targets(self.views[view].rows, self.views_seed, view)
        found: BoxBatch = self._moved[view]
        return found

    def _gathered(
        self,
        kept: Kept,
        order: Int64[Tensor, " n"],
        sizes: list[int],
        device: torch.device | str,
        boxes: BoxBatch | None = None,
    ) -> Iterator[tuple[Tensor, Any]]:
        for here in torch.split(order, sizes):
            target = self.images.targets.take(here) if boxes is None else boxes.of(kept.places(here))
            yield kept.of(here).to(device), target.to(device)


def keep(
    identity: dict[str, Any],
    rows: Int64[np.ndarray, " n"],
    batches: Callable[[], Iterable[Tensor]],
    announce: Callable[[str], None],
) -> Kept:
    """The features of ``rows`` from the cache; from ``batches``, in the order of the rows, where they are not there.

    ``identity`` is all that decides their bits; ``announce`` hears whether they were found or made. Raises AssayError
    where the disk has no room for them.
    """
    key = json.dumps([identity, hashlib.sha256(rows.tobytes()).hexdigest()], sort_keys=True)
    folder = entry_folder("features", key)
    values = _read(folder)
    if values is not None:
        announce(f"features of {len(rows):,} images found in the cache, {values[0].size:,} numbers each")
        return Kept(rows, values)
    began = time.perf_counter()
    values = make(folder, lambda place: _fill(place, len(rows), batches(), identity), _read)
    seconds = time.perf_counter() - began
    announce(f"features of {len(rows):,} images computed in {seconds:.1f} s, {values[0].size:,} numbers each")
    return Kept(rows, values)


def _fill(folder: Path, count: int, batches: Iterable[Tensor], identity: dict[str, Any]) -> None:
    done, out = 0, None
    for batch in batches:
        part = batch.float().cpu().numpy()
        if out is None:
            what = f"keeping the features of {count:,} images ({part[0].size:,} numbers each)"
            check_space(folder, what, count * part[0].nbytes)
            out = np.lib.format.open_memmap(folder / FEATURES, "w+", np.float32, (count, *part.shape[1:]))
        out[done : done + len(part)] = part
        done += len(part)
    if out is not None:
        out.flush()
    files.write(folder / ABOUT, json.dumps(identity, indent=1, ensure_ascii=False))


def _read(folder: Path) -> Features | None:
    touch(folder)
    try:
        values: Features = np.load(folder / FEATURES, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return values if (folder / ABOUT).is_file() else None
