"""What a 1×1 convolution saves, counted and measured: three pairs of layers, processor seconds of one thread.

Each pair runs in turns on the same maps, one image at a time, as multiply-accumulates are counted, ``--passes`` times;
the least of each is compared, which other work on the machine disturbs least, and the median, which it delays too.

Target: of the first pair, 9.7 times fewer multiply-accumulates take at least 5 times less time.
"""

import argparse
import statistics
import time
from functools import partial

import torch
from benchmark import verdict, weather
from torch import nn

from assay.models.inception import Inception
from assay.models.layer_table import summary


def convolution(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


PAIRS: dict[str, tuple[tuple[int, int, int], nn.Module, nn.Module]] = {
    "28×28×192, 5×5 to 32: direct / behind 1×1 to 16": (
        (192, 28, 28),
        convolution(192, 32, 5),
        nn.Sequential(convolution(192, 16, 1), convolution(16, 32, 5)),
    ),
    "32×32×128 to 32 and 1: 3×3 to 32 twice / 1×1 to 32 and 1×1 to 1": (
        (128, 32, 32),
        nn.Sequential(convolution(128, 32, 3), convolution(32, 32, 3)),
        nn.Sequential(convolution(128, 32, 1), convolution(32, 1, 1)),
    ),
    "Inception 3a of GoogLeNet on 28×28×192: without reductions / with": (
        (192, 28, 28),
        Inception(192, (64, 128, 32, "none")),
        Inception(192, (64, (96, 128), (16, 32), 32)),
    ),
}
"""What it is → the image, the direct way, the way by 1×1."""


def seconds(network: nn.Module, image: torch.Tensor) -> float:
    began = time.process_time()
    network(image)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", type=int, default=200)
    passes = parser.parse_args().passes
    torch.set_num_threads(1)
    print(weather())
    saved = []
    with torch.no_grad():
        for name, (shape, *networks) in PAIRS.items():
            image = torch.randn(1, *shape)
            counts = [summary(network, shape) for network in networks]
            ways = [partial(seconds, network, image) for network in networks]
            times = list(zip(*([way() for way in ways] for _ in range(passes)), strict=True))
            print(name)
            print(f"  parameters {counts[0].parameters:,} / {counts[1].parameters:,}")
            macs = [count.macs for count in counts]
            print(f"  multiply-accumulates {macs[0]:,} / {macs[1]:,}: {macs[0] / macs[1]:.1f}×")
            for word, of in (("least", min), ("median", statistics.median)):
                direct, reduced = map(of, times)
                print(f"  CPU ms, {word} {1e3 * direct:.2f} / {1e3 * reduced:.2f}: {direct / reduced:.1f}×")
            saved.append(min(times[0]) / min(times[1]))
    verdict("5×5 direct / behind 1×1, CPU time", saved[0], 5, "×", at_least=True)


if __name__ == "__main__":
    main()
