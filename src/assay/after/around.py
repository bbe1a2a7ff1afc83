"""What a recipe asks for around a trained network, composed."""

from collections.abc import Iterable
from copy import copy
from dataclasses import replace

from torch import nn

from assay.after.crf import Sharpened
from assay.after.flips import Flipped
from assay.after.tiles import Tiled
from assay.data.batches import ImageData
from assay.data.geometry import Size
from assay.models.detector import Detector
from assay.recipe import Predict
from assay.recipe.crf import Crf


def around(network: nn.Module, predict: Predict, mean: Iterable[float], std: Iterable[float]) -> nn.Module:
    """What answers for ``network``: the network itself, within what ``predict`` asks for, innermost first.

    It holds the network, no copy, and has no weights of its own. Mean and deviation, one a channel, are those by which
    its pictures are normalised. A ``crf`` that is not chosen yet stands for none.
    """
    if isinstance(network, Detector):
        return selecting(network, predict)
    if predict.flip:
        network = Flipped(network)
    if isinstance(predict.crf, Crf):
        network = Sharpened(network, predict.crf, mean, std)
    if predict.tile is not None:
        network = Tiled(network, _sides(predict.tile), predict.overlap)
    return network


def selecting(network: Detector, predict: Predict) -> Detector:
    """The same network, its weights shared, with what ``predict`` says of the boxes that stay."""
    stated = {key: getattr(predict, key) for key in ("score", "nms", "most") if getattr(predict, key) is not None}
    if stated.get("nms") == "none":
        stated["nms"] = None
    found = copy(network)
    found.selecting = replace(network.selecting, **stated)
    return found


def idle(predict: Predict, canvas: Size) -> list[str]:
    """What changes nothing, in sentences: a tile that holds the whole of every image, a field without weights."""
    found = []
    if predict.tile is not None and all(a >= b for a, b in zip(_sides(predict.tile), canvas, strict=True)):
        tile, images = ("×".join(map(str, size)) for size in (_sides(predict.tile), canvas))
        found.append(
            f"predict.tile: {tile} is no smaller than the images, {images} (height×width), and changes nothing"
        )
    if isinstance(predict.crf, Crf) and not (predict.crf.bilateral or predict.crf.spatial):
        found.append("predict.crf: both of its weights are 0, and it changes nothing")
    return found


def _sides(tile: int | Size) -> Size:
    return (tile, tile) if isinstance(tile, int) else tile


def answering(
    predict: Predict, network: nn.Module, data: ImageData, part: nn.Module, seen: ImageData
) -> tuple[nn.Module, ImageData]:
    """What answers for ``network``, on what: where nothing is asked but which boxes stay, ``part`` on ``seen``, which
    give its outputs for ``data``; else all of it on the images, since features were kept of the images as they are
    alone."""
    if not predict.asks:
        return part, seen
    if isinstance(part, Detector):
        return selecting(part, predict), seen
    return around(network, predict, data.mean.tolist(), data.std.tolist()), data
