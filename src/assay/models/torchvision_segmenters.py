"""Networks of torchvision that give logits for every pixel, without their auxiliary classifiers."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torchvision import models

from assay.models.segmenter import Images, Logits, Segmenter

SEGMENTERS = models.list_models(module=models.segmentation)
"""Their names."""


def segmenter(architecture: str, outputs: int) -> nn.Module:
    """The network of that name, with random weights."""
    network = models.get_model(architecture, weights=None, weights_backbone=None, num_classes=outputs)
    return TorchvisionSegmenter(network)


class TorchvisionSegmenter(Segmenter):
    """The backbone and the classifier of a network of torchvision, under its names; sizes are left as they are."""

    encoder_name = "backbone"
    multiple = 1

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.backbone, self.classifier = network.backbone, network.classifier
        self._maps = tuple(self.backbone.return_layers.values())
        last = ("low_classifier", "high_classifier") if self._maps != ("out",) else (str(len(self.classifier) - 1),)
        self.output_names = tuple(f"classifier.{name}" for name in last)

    def encode(self, images: Images) -> list[Tensor]:
        """The maps that the classifier reads: the last, or one of 1/8 and the last."""
        maps = self.backbone(images)
        return [maps[name] for name in self._maps]

    def decode(self, maps: Sequence[Tensor]) -> Logits:
        """Logits at the size of the largest map."""
        logits: Tensor = self.classifier(maps[0] if len(maps) == 1 else dict(zip(self._maps, maps, strict=True)))
        return logits
