"""What becomes a graph: the normalisation, the network, and what is around it that a graph can hold."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from assay.after.around import around
from assay.errors import AssayError
from assay.models.detector import Detector, inside
from assay.models.encoded_detector import OneStage
from assay.recipe import Recipe
from assay.tools.answering import Pixels
from assay.tools.export.quiet import quiet

Outputs = tuple[Tensor, ...]
Graph = Callable[[Pixels], Outputs]
"""Pixels → what an exported file gives for them, in the order of its outputs."""


class Whole(nn.Module):
    """Bytes of pictures → what a network answers to them, or the candidates of a detector."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Iterable[float], std: Iterable[float]) -> None:
        super().__init__()
        self.network = network
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(list(values)).view(-1, 1, 1))

    def forward(self, images: UInt8[Tensor, "batch channels height width"]) -> Outputs:
        """The outputs that ``description`` names."""
        shown = (images / 255 - self.mean) / self.std
        if isinstance(self.network, OneStage):
            edges, scores = self.network.candidates(shown)
            return inside(edges, (images.shape[2], images.shape[3])), scores
        return (self.network(shown),)

    def graph(self, pixels: Pixels) -> Outputs:
        """The same of arrays."""
        with torch.inference_mode():
            found: Outputs = self(torch.from_numpy(pixels))
            return found


def whole(model: nn.Module, recipe: Recipe, about: dict[str, Any]) -> Whole:
    """The network of a run as one graph, without the conditional random field.

    Raises AssayError for a detector whose boxes are not made in one pass, and for a field within tiles.
    """
    if isinstance(model, Detector) and not isinstance(model, OneStage):
        raise AssayError(
            f"model '{recipe.model.name}' makes its boxes in steps that depend on what it finds, and no graph holds "
            "these; expected yolo or detector with head: anchor_free, or --to safetensors"
        )
    if recipe.predict.crf and recipe.predict.tile:
        raise AssayError(
            "predict: the field of crf is applied within each tile, and no graph holds that; leave one out"
        )
    plain = recipe.predict.model_copy(update={"crf": None})
    return Whole(around(model, plain, about["mean"], about["std"]), about["mean"], about["std"]).eval()


def traced(network: Whole, shape: Sequence[int]) -> ExportedProgram:
    """The graph for any number of images of ``shape``. AssayError where torch.export cannot follow the network."""
    two = torch.zeros(2, *shape, dtype=torch.uint8)
    try:
        with torch.no_grad(), quiet():
            return torch.export.export(network, (two,), dynamic_shapes={"images": {0: Dim("batch")}})
    except Exception as error:  # whatever a network's own code meets
        reason = str(error).strip().partition("\n")[0]
        raise AssayError(f"torch.export cannot follow the network: {type(error).__name__}: {reason}") from None
