"""What tasks have in common whose networks give a row of numbers an image, or a pixel: of logits, or of values."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from assay.errors import AssayError, amount
from assay.tasks.contract import Images, Sums


def said(network: nn.Module, images: Images) -> Float[Tensor, "batch outputs ..."]:
    """What the network gives, in float32, on the processor."""
    given: Tensor = network(images)
    return given.float().cpu()


def as_said(predictions: dict[str, Any]) -> dict[str, Any]:
    """What is said of the splits, of a task of which the validation images decide nothing."""
    return predictions


def means(sums: Sums, images: int) -> dict[str, float]:
    """Each of the sums over the images of an epoch, by their number."""
    return {name: total.item() / images for name, total in sums.items()}


def means_of(said: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each key the mean over the mappings, which have the same keys."""
    return {key: fmean(one[key] for one in said) for key in said[0]}


def weights_fit(weights: str | Sequence[float] | None, classes: Sequence[str], noun: str) -> None:
    """Raise AssayError where a loss has not as many ``class_weights`` as there are classes, or labels: ``noun``."""
    if weights is not None and not isinstance(weights, str) and len(weights) != len(classes):
        raise AssayError(
            f"train.loss: class_weights has {amount(len(weights), 'number')}, "
            f"expected {len(classes)}, one for each {noun}: " + ", ".join(classes)
        )
