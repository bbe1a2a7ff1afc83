"""What the network costs: parameters, work, memory, time."""

import statistics
import time

import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.after.around import around
from assay.models.detector import Detector
from assay.models.layer_table import summary
from assay.models.modes import evaluating
from assay.recipe import CostMeasure
from assay.tasks.contract import Trained, Value

SECONDS = 1.0
"""What timing inference may take, besides the first pass."""
REPEATS = 30


def measure(trained: Trained, options: CostMeasure) -> dict[str, Value]:
    """Parameters, MACs and activation bytes per image, weight bytes, and wall-clock readings.

    MACs, activation bytes and speed are those of an answer, with all that the recipe's ``predict`` asks for. Readings:
    ``training_seconds`` over all epochs, ``inference_images_per_second`` at the training batch size; of boxes, with all
    that selects them, ``single_images_per_second`` too, an image after the other. Where operations are in no count, the
    table ``uncounted``, a row an operation: operation, layers.
    """
    answering = around(trained.model, trained.recipe.predict, trained.data.mean.tolist(), trained.data.std.tolist())
    table = summary(answering, trained.data.shape)
    images, _ = next(iter(trained.data.batches("test", trained.recipe.train.batch_size, trained.device)))
    found: dict[str, Value] = {
        "parameters": table.parameters,
        "trainable_parameters": table.trainable_parameters,
        "macs": table.macs,
        "weight_bytes": table.weight_bytes,
        "activation_bytes": table.activation_bytes,
        "training_seconds": float(trained.history["seconds"].sum()),
        "inference_images_per_second": inference_speed(answering, images),
    }
    if table.missing:
        found["uncounted"] = pl.DataFrame(list(table.missing.items()), schema=["operation", "layers"], orient="row")
    if isinstance(trained.model, Detector):
        found["single_images_per_second"] = inference_speed(answering, images[:1])
    return found


def inference_speed(model: nn.Module, images: Float[Tensor, "batch channels height width"]) -> float:
    """Images per second: the batch's size over the median wall-clock time of repeated passes after a first one.

    At most 30 passes, or as many as begin within one second.
    """
    times: list[float] = []
    with evaluating(model):
        model(images)
        _wait_for(images.device)
        deadline = time.perf_counter() + SECONDS
        while not times or (len(times) < REPEATS and time.perf_counter() < deadline):
            start = time.perf_counter()
            model(images)
            _wait_for(images.device)
            times.append(time.perf_counter() - start)
    return len(images) / statistics.median(times)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
