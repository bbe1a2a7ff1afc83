"""What R-CNN sees of an image: the last map of a classifier of timm, and the regions of selective search."""

from collections.abc import Sequence
from typing import Any, Literal

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.ops import ps_roi_align

from assay.data.proposals import opencv, proposals
from assay.errors import AssayError
from assay.models import timm_classifiers
from assay.models.rcnn_samples import Regions, Rois, all_of, rois
from assay.models.segmenter import Images
from assay.recipe import Proposals

Maps = Float[Tensor, "batch channels _ _"]
CROP, CONTEXT = 224, 16
"""Pixels of a side, and how many of these at each edge lie around the region (appendix A of the paper)."""
SUITS = "expected a network such as timm/mobilenetv2_100 or timm/tf_efficientnet_lite0"
TOGETHER = 32
"""Crops that go through the backbone at once where all are wanted."""
SAMPLES = 2
"""Places at which a map is read in each part of a region, in x and in y."""


class Search(nn.Module):
    """Selective search of normalised images: they are turned back into the pixels that they were made of."""

    mean: Tensor
    std: Tensor

    def __init__(self, how: Proposals, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        opencv()
        self.how = how
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, images: Images) -> Regions:
        """The regions of every image; zeros where there are fewer."""
        pixels = (images.float() * self.std + self.mean).mul(255).round().clamp(0, 255).byte()
        return proposals(pixels, self.how).to(images.device)

    def extra_repr(self) -> str:
        """All that decides which regions are found."""
        return f"{self.how!r}, {self.mean.tolist()}, {self.std.tolist()}, OpenCV {opencv().__version__}"


class Seen(nn.Module):
    """What is seen of images, and their regions: the map of all of an image, the same for its regions."""

    def __init__(self, search: Search, model: nn.Module) -> None:
        super().__init__()
        self.search, self.model = search, model

    def forward(self, images: Images) -> list[Tensor]:
        """[the map (batch, channels, rows, columns), the regions]."""
        return [self.model(images), self.search(images)]


class SeenCrops(Seen):
    """What is seen of images, and their regions: the mean of the map of each region by itself."""

    def forward(self, images: Images) -> list[Tensor]:
        """[a row of numbers for each region (batch, most, channels), the regions]."""
        regions = self.search(images)
        where = all_of(regions)
        parts = zip(*(each.split(TOGETHER) for each in where), strict=True)
        rows = torch.cat([self.of(images, rois(regions, part)) for part in parts])
        return [rows.new_zeros(*regions.shape[:2], rows.shape[1]).index_put(where, rows), regions]

    def of(self, images: Images, regions: Rois) -> Float[Tensor, "m numbers"]:
        """The same row, of these regions only."""
        seen: Tensor = self.model(crops(images, regions))
        return seen.mean(dim=(2, 3))


class FirstOnMap(nn.Module):
    """The linear layer on regions of a map that are each seen as ``bins`` × ``bins`` means of it (RoIAlign,
    arXiv:1703.06870): W · pool(F) = pool(W · F), so it runs on the map, once for all regions."""

    def __init__(self, channels: int, width: int, bins: int, stride: int) -> None:
        super().__init__()
        self.bins, self.stride = bins, stride
        bound = (channels * bins**2) ** -0.5
        self.weight = nn.Parameter(torch.empty(width * bins**2, channels, 1, 1).uniform_(-bound, bound))
        """Row (k · bins + y) · bins + x is of number k, and of the part in row y and column x."""
        self.bias = nn.Parameter(torch.empty(width).uniform_(-bound, bound))

    def forward(self, maps: Maps, rois: Rois) -> Float[Tensor, "n width"]:
        """``width`` numbers of each region."""
        parts = nn.functional.conv2d(maps, self.weight).float()
        pooled: Tensor = ps_roi_align(parts, rois, self.bins, 1 / self.stride, SAMPLES)
        return pooled.sum(dim=(2, 3)) + self.bias


def crops(images: Images, rois: Rois) -> Float[Tensor, "n channels side side"]:
    """Every region warped to 224 × 224 pixels, 16 at each edge around it; beyond the image the mean colour."""
    middle, size = (rois[:, 1:3] + rois[:, 3:]) / 2, rois[:, 3:] - rois[:, 1:3]
    half = size / 2 * (CROP / (CROP - 2 * CONTEXT))
    around = torch.cat([rois[:, :1], middle - half, middle + half], dim=1)
    # not torchvision.ops.roi_align, which on a card compiles another kernel, for the sake of gradients that nobody asks
    warped: Tensor = torch.ops.torchvision.roi_align(images, around, 1.0, CROP, CROP, 1, True)
    return warped


def trunk(backbone: str, channels: int, stride: Literal[16, 32]) -> tuple[nn.Module, int]:
    """(a classifier of timm without its last layers, how many channels its last map has).

    AssayError for a name that timm has not, or a network whose last map is of another stride, or no map.
    """
    dilated: dict[str, Any] = {"output_stride": 16} if stride == 16 else {}
    try:
        network = timm.create_model(
            timm_classifiers.named(backbone, "backbone"), num_classes=0, global_pool="", in_chans=channels, **dilated
        ).eval()
        with torch.no_grad():
            maps = network(torch.zeros(1, channels, 64, 64))
    except (TypeError, ValueError, AssertionError, RuntimeError, NotImplementedError) as error:
        raise AssayError(f"model.backbone: {backbone} has no map of stride {stride} ({error}); {SUITS}") from None
    if maps.ndim != 4 or tuple(maps.shape[2:]) != (64 // stride, 64 // stride):
        raise AssayError(f"model.backbone: the last map of {backbone} is not of stride {stride}; {SUITS}")
    return network.train(), maps.shape[1]


def normalised(backbone: str, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(mean, deviation) of each channel of the images that a backbone was made for; of gray ones the mean over the
    colours."""
    made_for = timm_classifiers.inputs(timm_classifiers.named(backbone, "backbone"))
    mean, std = (
        values if len(values) == channels else (sum(values) / len(values),) * channels
        for values in (made_for.mean, made_for.std)
    )
    return mean, std
