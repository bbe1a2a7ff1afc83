"""The plain CIFAR-10 residual network, on its own: the activations that the neighbour benchmarks search in."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from assay import recipe
from assay.data import ImageData, load
from assay.seeds import numpy_generator, scoped

CPU = torch.device("cpu")


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
    parts: list[tuple[str, nn.Module]] = []
    for number, (before, after) in enumerate([(3, 32), (32, 64), (64, 128), (128, 256)], start=1):
        parts += [(f"conv{number}", nn.Conv2d(before, after, 3, padding=1)), (f"elu{number}", nn.ELU())]
        if number > 1:
            parts.append((f"pool{number - 1}", nn.MaxPool2d(2)))
        if number in (2, 4):
            parts.append((f"block{number // 2}", Block(after)))
    parts += [("pool4", nn.AvgPool2d(3, 2)), ("flat", nn.Flatten())]
    parts += [("dense1", nn.Linear(256, 256)), ("dense2", nn.Linear(256, 10))]
    return nn.Sequential(OrderedDict(parts))


def layers() -> list[tuple[str, int]]:
    """Every layer's name and the numbers it gives for an image."""
    found, x = [], torch.zeros(1, 3, 32, 32)
    for name, part in network().named_children():
        x = part(x)
        if name != "flat":
            found.append((name, x.numel()))
    return found


def images(root: Path) -> ImageData:
    """CIFAR-10 from ``cifar10.zip``, scaled to ±1."""
    return load(recipe.Data(source="cifar10.zip", normalize="symmetric", validation=0.1), 0, root)


def trained(data: ImageData, steps: int, weights: Path | None = None) -> nn.Sequential:
    """The network after so many steps of SGD with 64 images each, or with the weights kept from last time."""
    with scoped(0, "benchmark"):
        model = network()
    if weights is not None and weights.is_file():
        model.load_state_dict(load_file(weights))
        return model.eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    losses: list[float] = []
    for _, (x, y) in zip(range(steps), data.train_batches(64, 0, 0, CPU), strict=False):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"trained for {steps} steps of 64 images: loss {np.mean(losses[-20:]):.3f}", flush=True)
    if weights is not None:
        save_file(model.state_dict(), weights)
    return model.eval()


def activations(model: nn.Sequential, data: ImageData, count: int, layer: str, path: Path) -> np.memmap:
    """What ``layer`` gives for ``count`` training images drawn at random, as a memory-mapped float32 file."""
    names = [name for name, _ in model.named_children()]
    part = model[: names.index(layer) + 1]
    chosen = numpy_generator(0, "benchmark images").permutation(len(data.indices["train"]))[:count]
    pixels = data.images.pixels[np.sort(data.indices["train"][chosen])]
    out: np.memmap | None = None
    with torch.no_grad():
        for start in range(0, count, 250):
            values = part(torch.from_numpy(pixels[start : start + 250]) / 127.5 - 1).flatten(1).numpy()
            if out is None:
                out = np.memmap(path, np.float32, "w+", shape=(count, values.shape[1]))
            out[start : start + 250] = values
    assert out is not None
    out.flush()
    return out
