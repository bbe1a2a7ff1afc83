"""Dense conditional random field by mean field: every pixel hears every other, the nearer and liker the louder.

Krähenbühl & Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials", NIPS 2011,
arXiv:1210.5644, with Potts compatibility and, as in the authors' code, kernels normalised from both sides,
D^−½ K D^−½, in which a pixel hears itself too.
"""

import math
from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d

from assay.after.grid import Grid, filtered, grid
from assay.recipe.crf import Crf

Values = Float[Tensor, "c h w"]
Kernel = Callable[[Values], Values]
REACH = 4
"""Standard deviations after which the short convolution ends."""


class Sharpened(nn.Module):
    """``network``, whose maps are sharpened by the colours of the pictures, as ``sharpened`` does it.

    Pictures are normalised by ``mean`` and ``std``, one a channel, of pixels in 0…1.
    """

    def __init__(self, network: nn.Module, crf: Crf, mean: Iterable[float], std: Iterable[float]) -> None:
        super().__init__()
        self.network, self.crf = network, crf
        self.mean, self.std = (torch.tensor(list(part)).view(-1, 1, 1) for part in (mean, std))

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes h w"]:
        """Log-probabilities."""
        return self.sharpen(self.network(images), images)

    def sharpen(self, logits: Float[Tensor, "b classes h w"], images: Float[Tensor, "b c h w"]) -> Tensor:
        """The log-probabilities of ``images`` whose ``logits`` are known."""
        colours = 255 * (images.float() * self.std.to(images.device) + self.mean.to(images.device))
        return torch.stack([sharpened(*one, self.crf) for one in zip(logits.float(), colours, strict=True)])


def sharpened(
    logits: Float[Tensor, "classes h w"], colours: Float[Tensor, "channels h w"], crf: Crf
) -> Float[Tensor, "classes h w"]:
    """Log-probabilities after ``crf.iterations`` of mean field.

    ``colours`` are in 0…255; softmax(logits) is what each pixel says alone.
    """
    unary = logits.log_softmax(dim=0)
    ones, votes = torch.ones_like(unary[:1]), []
    if crf.bilateral:
        lattice = grid(_places(colours, crf).flatten(1).T)
        votes.append(_votes(crf.bilateral, lambda said: _by_colour(said, lattice), ones))
    if crf.spatial:
        votes.append(_votes(crf.spatial, lambda said: _by_place(said, crf.sigma), ones))
    found = unary
    for _ in range(crf.iterations):
        said = found.exp()
        found = sum((voted(said) for voted in votes), unary).log_softmax(dim=0)
    return found


def _votes(weight: float, kernel: Kernel, ones: Float[Tensor, "1 h w"]) -> Kernel:
    """The kernel normalised from both sides, times its weight."""
    scale = kernel(ones).rsqrt()
    return lambda said: weight * scale * kernel(scale * said)


def _places(colours: Float[Tensor, "channels h w"], crf: Crf) -> Float[Tensor, "dimensions h w"]:
    """Row, column and colour of each pixel, in standard deviations."""
    rows, columns = (torch.arange(size, device=colours.device, dtype=colours.dtype) for size in colours.shape[1:])
    place = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
    return torch.cat([place / crf.position, colours / crf.color])


def _by_colour(values: Values, lattice: Grid) -> Values:
    """A Gaussian over places and colours."""
    return filtered(values.flatten(1).T.contiguous(), lattice).T.reshape(values.shape)


def _by_place(values: Values, sigma: float) -> Values:
    """A Gaussian along rows and along columns, in which nothing lies outside the picture."""
    reach = math.ceil(REACH * sigma)
    offsets = torch.arange(-reach, reach + 1, device=values.device, dtype=values.dtype)
    kernel = torch.exp(-((offsets / sigma) ** 2) / 2)
    by_row = conv2d(values[:, None], kernel.view(1, 1, -1, 1), padding=(reach, 0))
    return conv2d(by_row, kernel.view(1, 1, 1, -1), padding=(0, reach))[:, 0]
