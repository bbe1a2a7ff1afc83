"""What a recipe asks for around a trained network, composed."""

from torch import nn

from assay.after.flips import Flipped
from assay.data.batches import ImageData
from assay.recipe import Predict


def around(network: nn.Module, predict: Predict) -> nn.Module:
    """What answers for ``network``: the network itself, within what ``predict`` asks for, innermost first.

    It holds the network, no copy, and has no weights of its own.
    """
    if predict.flip:
        network = Flipped(network)
    return network


def answering(
    predict: Predict, network: nn.Module, data: ImageData, part: nn.Module, seen: ImageData
) -> tuple[nn.Module, ImageData]:
    """What answers for ``network``, on what: where nothing is asked, ``part`` on ``seen``, which give its outputs for
    ``data``; else all of it on the images, since features were kept of the images as they are alone."""
    return (around(network, predict), data) if predict.asks else (part, seen)
