"""The plain CIFAR-10 residual network, on its own: the activations that the neighbour benchmarks search in."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from assay import recipe
from assay.data import ImageData, load
from assay.seeds import scoped


class Block(nn.Module):
    """conv-ELU-conv, plus the input, ELU."""

    def __init__(self, channels: int) -> None:
        """Two 3×3 convolutions that keep the number of channels."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return nn.functional.elu(self.conv2(nn.functional.elu(self.conv1(x))) + x)


def network() -> nn.Sequential:
    """32×32×3 → 10, 1,710,794 parameters."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ELU(), nn.Conv2d(32, 64, 3, padding=1), nn.ELU(), nn.MaxPool2d(2), Block(64),
        nn.Conv2d(64, 128, 3, padding=1), nn.ELU(), nn.MaxPool2d(2),
        nn.Conv2d(128, 256, 3, padding=1), nn.ELU(), nn.MaxPool2d(2), Block(256),
        nn.AvgPool2d(3, 2), nn.Flatten(), nn.Linear(256, 256), nn.Linear(256, 10),
    )  # fmt: skip


def images(root: Path) -> ImageData:
    """CIFAR-10 from ``cifar10.zip``, scaled to ±1."""
    return load(recipe.Data(source="cifar10.zip", normalize="symmetric", validation=0.1), 0, root)


def train(model: nn.Module, data: ImageData, steps: int, batch_size: int = 64) -> float:
    """So many steps of SGD; the mean loss of the last 20."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    losses: list[float] = []
    for _, (x, y) in zip(range(steps), data.train_batches(batch_size, 0, 0, torch.device("cpu")), strict=False):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses[-20:]))


def trained(data: ImageData, steps: int) -> nn.Sequential:
    """The network after ``steps`` steps."""
    with scoped(0, "benchmark"):
        model = network()
    print(f"trained for {steps} steps of 64 images: loss {train(model, data, steps):.3f}", flush=True)
    return model.eval()


def activations(model: nn.Sequential, pixels: Tensor, layer: int, path: Path) -> np.memmap:
    """What ``layer`` gives for every image, as a memory-mapped float32 (n, width) file."""
    part, out = model[: layer + 1], None
    with torch.no_grad():
        for start in range(0, len(pixels), 250):
            values = part(pixels[start : start + 250]).flatten(1).numpy()
            if out is None:
                out = np.memmap(path, np.float32, "w+", shape=(len(pixels), values.shape[1]))
            out[start : start + 250] = values
    assert out is not None
    out.flush()
    return out
