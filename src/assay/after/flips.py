"""The mean of a network's answers to a picture and to its mirror image."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Flipped(nn.Module):
    """``network``, asked for each picture and for its mirror image (left and right change places), in one pass of twice
    as many images.

    The outputs, such as logits, are averaged, not what follows from them, as in airbench (Jordan 2024,
    arXiv:2404.00498). Rows (b, k) as they are; maps (b, c, h, w) once the mirror image's are mirrored back.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b outputs *map"]:
        """The mean of both."""
        both, many = self.network(torch.cat([images, images.flip(-1)])), images.shape[0]
        straight, mirrored = both[:many], both[many:]
        if mirrored.ndim == 4:
            mirrored = mirrored.flip(-1)
        return (straight + mirrored) / 2  # type: ignore[no-any-return]
