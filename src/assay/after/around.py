"""What a recipe asks for around a trained network, composed."""

from collections.abc import Iterable

from torch import nn

from assay.after.crf import Sharpened
from assay.after.flips import Flipped
from assay.after.tiles import Tiled
from assay.data.batches import ImageData
from assay.recipe import Predict
from assay.recipe.crf import Crf


def around(network: nn.Module, predict: Predict, mean: Iterable[float], std: Iterable[float]) -> nn.Module:
    """What answers for ``network``: the network itself, within what ``predict`` asks for, innermost first.

    It holds the network, no copy, and has no weights of its own. Mean and deviation, one a channel, are those by which
    its pictures are normalised. A ``crf`` that is not chosen yet stands for none.
    """
    if predict.flip:
        network = Flipped(network)
    if isinstance(predict.crf, Crf):
        network = Sharpened(network, predict.crf, mean, std)
    if predict.tile is not None:
        tile = (predict.tile, predict.tile) if isinstance(predict.tile, int) else predict.tile
        network = Tiled(network, tile, predict.overlap)
    return network


def answering(
    predict: Predict, network: nn.Module, data: ImageData, part: nn.Module, seen: ImageData
) -> tuple[nn.Module, ImageData]:
    """What answers for ``network``, on what: where nothing is asked, ``part`` on ``seen``, which give its outputs for
    ``data``; else all of it on the images, since features were kept of the images as they are alone."""
    return (around(network, predict, data.mean.tolist(), data.std.tolist()), data) if predict.asks else (part, seen)
