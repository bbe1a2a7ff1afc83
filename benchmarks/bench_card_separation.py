"""Separation on a card: exact SI against the bare product of the same rows, and all layers of two networks.

The bare product is X·Xᵀ in float32 (no TF32), in blocks of rows whose results are thrown away; the rows are rectified
noise in which 64 directions carry most, as activations are. Targets on an H100: exact SI at most 1.5 × the product at
10,000 to 40,000 rows of 32,768; every leaf of resnet18 on 1,600 images of 64 pixels in 5 s; SI and CSI of all layers
of the residual network on 50,000 images of 32 pixels in 180 s."""

import time
from collections.abc import Callable

import torch
from benchmark import card, verdict
from torch import nn

from assay.models.elu_resnet import elu_resnet
from assay.separation import layers, separation_index

WIDTH, BLOCK = 32_768, 4096


def seconds(do: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    do()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def rows(n: int, device: torch.device) -> torch.Tensor:
    torch.manual_seed(0)
    mixing = torch.randn(64, WIDTH, device=device)
    found = torch.empty(n, WIDTH, device=device)
    for out in found.split(BLOCK):
        out.copy_(torch.randn(len(out), 64, device=device) @ mixing / 8 + 0.3 * torch.randn_like(out))
    return found.relu_()


def product(x: torch.Tensor) -> None:
    for part in x.split(BLOCK):
        torch.mm(part, x.T)


def exact_and_bare(n: int, device: torch.device) -> tuple[float, float]:
    x, y = rows(n, device), torch.arange(n) % 10
    product(x[:BLOCK])
    bare = min(seconds(lambda: product(x)) for _ in range(2))
    return min(seconds(lambda: separation_index(x, y)) for _ in range(2)), bare


def measured(network: nn.Module, side: int, images: int, device: torch.device, **options: object) -> float:
    labels = torch.arange(images) % 10
    batches = [(torch.randn(len(part), 3, side, side, device=device), part) for part in labels.split(256)]
    network = network.to(device).eval()
    return seconds(lambda: layers(network, batches, device=device, indices=("separation", "center"), **options))


def main() -> None:
    device = card()
    for n in (10_000, 20_000, 40_000):
        exact, bare = exact_and_bare(n, device)
        print(f"{n} rows: exact SI {exact:.2f} s, bare product {bare:.2f} s", flush=True)
        verdict(f"exact SI of {n} rows / bare product", exact / bare, 1.5, " ×")
    from torchvision.models import resnet18

    verdict(
        "all leaves of resnet18, 1,600 images, s",
        measured(resnet18(num_classes=10), 64, 1600, device, choose_layers="leaves"),
        5,
    )
    network = elu_resnet((3, 32, 32), 10)
    verdict(
        "all leaves of elu_resnet, 50,000 images, s", measured(network, 32, 50_000, device, choose_layers="leaves"), 180
    )


if __name__ == "__main__":
    main()
