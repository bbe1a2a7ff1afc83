"""The maps of an encoder as one row of numbers an image, so that the rest of the network can learn on kept ones."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.models.modes import evaluating
from assay.models.segmenter import Images, Logits, Segmenter

Rows = Float[Tensor, "batch numbers"]


class Decoding(nn.Module):
    """All of a network but its encoder, the same modules under the same names: logits of rows of packed maps.

    Maps that no logit depends on are not in the rows; in their place stand zeros.
    """

    def __init__(self, network: Segmenter, shape: tuple[int, int, int]) -> None:
        super().__init__()
        for name, child in network.named_children():
            if name != network.encoder_name:
                self.add_module(name, child)
        self._network = (network,)  # in a tuple, or it were a child
        self._size = shape[1:]
        self.layout = layout(network, shape)

    def pack(self, images: Images) -> Rows:
        """What the encoder gives of images, a row each."""
        network = self._network[0]
        maps = network.encode(network.padded(images))
        used = (part for part, (_, is_used) in zip(maps, self.layout, strict=True) if is_used)
        return torch.cat([part.flatten(1) for part in used], dim=1)

    def unpack(self, rows: Rows) -> list[Tensor]:
        """The inverse."""
        parts = iter(rows.split([math.prod(shape) for shape, is_used in self.layout if is_used], dim=1))
        return [
            next(parts).unflatten(1, shape) if is_used else rows.new_zeros(()).expand(len(rows), *shape)
            for shape, is_used in self.layout
        ]

    def forward(self, rows: Rows) -> Logits:
        """Logits at the size of the images."""
        network = self._network[0]
        return network.sized(network.decode(self.unpack(rows)), self._size)


def layout(network: Segmenter, shape: tuple[int, int, int]) -> list[tuple[Sequence[int], bool]]:
    """For each map of an image of ``shape`` its own shape, and whether a logit depends on it."""
    image = torch.zeros(1, *shape, device=next(network.parameters()).device)
    with evaluating(network), torch.enable_grad():
        maps = [part.detach().requires_grad_() for part in network.encode(network.padded(image))]
        found = torch.autograd.grad(network.decode(maps).sum(), maps, allow_unused=True)
    return [(part.shape[1:], gradient is not None) for part, gradient in zip(maps, found, strict=True)]
