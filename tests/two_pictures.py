"""Batches of boxes, and two pictures that a network which learns at all must come to know by heart."""

from typing import Any

import torch
from torch import nn
from torchvision.ops import box_iou

from assay import seeds
from assay.data.boxes import NO_BOX, BoxBatch
from assay.models.freezing import training


def boxes(*of_images: list[tuple[float, ...]]) -> BoxBatch:
    """x1, y1, x2, y2, label of the boxes of each image."""
    most = max(map(len, of_images))
    filled = [[*each, *[(0.0, 0.0, 0.0, 0.0, NO_BOX)] * (most - len(each))] for each in of_images]
    rows = torch.tensor(filled, dtype=torch.float32).reshape(len(of_images), most, 5)
    return BoxBatch(rows[..., :4], rows[..., 4].long())


def learn_two_pictures(network: Any, shape: tuple[int, int, int], steps: int = 40, rate: float = 1e-3) -> None:
    """Train ``network`` on a bright square and a dark one, and assert that it then finds these two, and which is which.

    Each is 48 pixels wide.
    """
    truth = boxes([(16, 24, 64, 72, 0)], [(40, 8, 88, 56, 1)])
    images = torch.zeros(2, *shape)
    images[0, :, 24:72, 16:64], images[1, :, 8:56, 40:88] = 2.0, -2.0
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.3  # or its statistics were still those of the beginning
    training(network)
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], rate)
    with seeds.scoped(0, "noise"):
        for _ in range(steps):
            optimizer.zero_grad()
            sum(network.losses(images, truth).values()).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            found = network(images)
    for each, edges, label in zip(found, truth.edges, truth.labels, strict=True):
        assert each.labels[0] == label
        assert box_iou(each.edges[:1], edges).item() > 0.6
