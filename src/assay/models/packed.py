"""The maps of an encoder as one row of numbers an image, so that the rest of the network can learn on kept ones."""

import math
from collections.abc import Sequence
from copy import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.data.boxes import BoxBatch
from assay.models.detector import Detector, Found
from assay.models.encoded import Encoded
from assay.models.encoded_detector import EncodedDetector, Losses
from assay.models.modes import evaluating
from assay.models.segmenter import Images, Logits, Segmenter

Rows = Float[Tensor, "batch numbers"]
Layout = list[tuple[Sequence[int], bool]]
"""For each map of an image its shape, and whether anything depends on it."""


def packed(maps: Sequence[Tensor], layout: Layout) -> Rows:
    """The maps that something depends on, one after the other."""
    used = (part for part, (_, is_used) in zip(maps, layout, strict=True) if is_used)
    return torch.cat([part.flatten(1) for part in used], dim=1)


def unpacked(rows: Rows, layout: Layout) -> list[Tensor]:
    """The inverse; in the place of maps that are not in the rows stand zeros."""
    parts = iter(rows.split([math.prod(shape) for shape, is_used in layout if is_used], dim=1))
    return [
        next(parts).unflatten(1, shape) if is_used else rows.new_zeros(()).expand(len(rows), *shape)
        for shape, is_used in layout
    ]


class Decoding(nn.Module):
    """All of a network but its encoder, the same modules under the same names: logits of rows of packed maps."""

    def __init__(self, network: Segmenter, shape: tuple[int, int, int]) -> None:
        super().__init__()
        add_rest(self, network)
        self._network = (network,)  # in a tuple, or it were a child
        self._size = shape[1:]
        self.layout = layout(network, shape)

    def pack(self, images: Images) -> Rows:
        """What the encoder gives of images, a row each."""
        network = self._network[0]
        return packed(network.encode(network.padded(images)), self.layout)

    def forward(self, rows: Rows) -> Logits:
        """Logits at the size of the images."""
        network = self._network[0]
        return network.sized(network.decode(unpacked(rows, self.layout)), self._size)


class Finding(Detector):
    """All of a detector but its encoder, the same modules: boxes of rows of packed maps, and its losses on them."""

    def __init__(self, network: EncodedDetector, shape: tuple[int, int, int]) -> None:
        super().__init__()
        add_rest(self, network)
        self._network = (network,)
        self._size = shape[1:]
        self.layout = layout(network, shape)
        self.selecting = network.selecting

    def pack(self, images: Images) -> Rows:
        """What the encoder gives of images, a row each."""
        return packed(self._network[0].encode(images), self.layout)

    def losses(self, rows: Rows, boxes: BoxBatch) -> Losses:
        """See ``Detector``."""
        return self._network[0].losses_of(unpacked(rows, self.layout), boxes, self._size)

    def forward(self, rows: Rows) -> list[Found]:
        """See ``Detector``."""
        network = copy(self._network[0])
        network.selecting = self.selecting
        return network.found_of(unpacked(rows, self.layout), self._size)


def add_rest(part: nn.Module, network: Encoded) -> None:
    """Make all modules beside the encoder of ``network`` children of ``part``; a name has no dots there."""
    for name in network.rest_names:
        part.add_module(name.replace(".", "_"), network.get_submodule(name))


def layout(network: Encoded, shape: tuple[int, int, int]) -> Layout:
    """Of an image of ``shape``: each map's own shape, and whether a logit depends on it; boxes depend on all maps."""
    image = torch.zeros(1, *shape, device=next(network.parameters()).device)
    if isinstance(network, EncodedDetector):
        with evaluating(network):
            return [(part.shape[1:], True) for part in network.encode(image)]
    assert isinstance(network, Segmenter)
    with evaluating(network), torch.enable_grad():
        maps = [part.detach().requires_grad_() for part in network.encode(network.padded(image))]
        found = torch.autograd.grad(network.decode(maps).sum(), maps, allow_unused=True)
    return [(part.shape[1:], gradient is not None) for part, gradient in zip(maps, found, strict=True)]
