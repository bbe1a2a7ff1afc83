"""Maps of large pictures, put together from overlapping tiles."""

from itertools import product

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

SPREAD = 8
"""A tile counts by a Gaussian around its middle, whose standard deviation is this part of its side: near its rim, where
a network lacks what lies beyond, its neighbour's answer stands (Isensee et al. 2021, nnU-Net)."""


class Tiled(nn.Module):
    """``network``, asked for one tile of the pictures after the other; where tiles overlap, the weighted mean of the
    outputs, such as logits.

    ``tile`` is height and width; pictures that are smaller are one tile. Neighbours share at least ``overlap`` of a
    tile, more where the tiles would else not end with the picture.
    """

    def __init__(self, network: nn.Module, tile: tuple[int, int], overlap: float) -> None:
        super().__init__()
        self.network, self.tile, self.overlap = network, tile, overlap

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes h w"]:
        """The maps of whole pictures."""
        size = images.shape[-2:]
        height, width = (min(part, whole) for part, whole in zip(self.tile, size, strict=True))
        if (height, width) == size:
            return self.network(images)  # type: ignore[no-any-return]
        tops, lefts = (starts(whole, part, self.overlap) for whole, part in zip(size, (height, width), strict=True))
        weight = (fall(height)[:, None] * fall(width)).to(images.device)
        total, weights = torch.zeros(1, device=images.device), weight.new_zeros(size)
        for top, left in product(tops, lefts):
            here = (..., slice(top, top + height), slice(left, left + width))
            said = self.network(images[here])
            if total.ndim == 1:
                total = said.new_zeros(*said.shape[:2], *size)
            total[here] += said * weight
            weights[here] += weight
        return total.div_(weights)


def starts(whole: int, part: int, overlap: float) -> list[int]:
    """Where the parts of a side begin: the fewest that overlap so, evenly from its beginning to its end."""
    most = max(1, int(part * (1 - overlap)))
    steps = -(-(whole - part) // most)
    return [round(step * (whole - part) / max(1, steps)) for step in range(steps + 1)]


def fall(side: int) -> Float32[Tensor, " side"]:
    """The weights along one side of a tile."""
    from_middle = torch.arange(side) - (side - 1) / 2
    return torch.exp(-((SPREAD * from_middle / side) ** 2) / 2)
