"""R-CNN on a map that is made once an image against the loop that crops, resizes and runs the backbone for each region.

timm/mobilenetv2_100 (random weights) on a picture of 480×640 pixels with 2,000 regions; one thread; seconds of the
processor, so that other work on the machine does not count. One side crops each region, warps it to 224×224 and runs
the backbone on it alone, as courses teach it; it is timed on 20 regions, and what one takes is multiplied. The other is
assay's: backbone, head and suppression, with the regions that were kept; then with selective search too (fast, all of
the picture). The picture is noise smoothed over several scales, in which the search finds some 900 regions.

Targets: with kept regions at least 50 times faster than the loop, with the search at least 15 times. Beside them: the
first layer on the map against the same layer on what is pooled of it, equal to 1e-5."""

import os
import tempfile
import time
from collections.abc import Callable

import numpy as np
import torch
from benchmark import verdict, weather
from torch.nn import functional
from torchvision.ops import roi_align

from assay import seeds
from assay.data.proposals import proposals
from assay.models.catalogue import build
from assay.models.rcnn_backbone import crops
from assay.recipe import Model, Proposals

HEIGHT, WIDTH, REGIONS, TIMED, REPEATS = 480, 640, 2_000, 20, 3


def picture() -> torch.Tensor:
    """Noise of several scales, uint8 (1, 3, height, width)."""
    draw = torch.Generator().manual_seed(0)
    scales = [torch.rand(1, 3, HEIGHT // s, WIDTH // s, generator=draw) for s in (8, 20, 40, 160)]
    layers = [functional.interpolate(layer, (HEIGHT, WIDTH), mode="bilinear") for layer in scales]
    return (torch.stack(layers).mean(dim=0) * 255).byte()


def regions() -> torch.Tensor:
    """2,000 boxes of 16 pixels to the whole, (1, 2000, 4)."""
    draw = np.random.default_rng(0)
    size = draw.uniform(16, [WIDTH, HEIGHT], (REGIONS, 2))
    first = draw.uniform(0, 1, (REGIONS, 2)) * ([WIDTH, HEIGHT] - size)
    return torch.from_numpy(np.concatenate([first, first + size], axis=1)).float()[None]


def seconds(work: Callable[[], object]) -> float:
    """Of the processor: the least of some repeats after a first one."""
    work()
    taken = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def main() -> None:
    torch.set_num_threads(1)
    pixels, boxes = picture(), regions()
    with seeds.scoped(0, "initialisation"):
        network = build(Model(name="rcnn"), (3, HEIGHT, WIDTH), 3).eval()
    search, model, first = network.encoder.search, network.encoder.model, network.first
    images = (pixels.float() / 255 - search.mean) / search.std
    rows = torch.cat([torch.zeros(REGIONS, 1), boxes[0]], dim=1)

    def loop() -> None:
        for row in rows[:TIMED]:
            model(crops(images, row[None])).mean(dim=(2, 3))

    def once() -> None:
        network.found_of([model(images), boxes], (HEIGHT, WIDTH))

    def searching() -> None:
        with tempfile.TemporaryDirectory() as cache:
            os.environ["ASSAY_CACHE"] = cache
            proposals(pixels, Proposals())

    with torch.no_grad():
        seen = model(images)
        pooled = roi_align(seen, rows, first.bins, 1 / first.stride, sampling_ratio=2, aligned=True).flatten(1)
        weight = first.weight.view(-1, first.bins, first.bins, seen.shape[1]).permute(0, 3, 1, 2).flatten(1)
        difference = float((first(seen, rows) - pooled @ weight.T - first.bias).abs().max())
        one_by_one, on_map, found = seconds(loop) * REGIONS / TIMED, seconds(once), seconds(searching)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ASSAY_CACHE"] = cache
        count = int((proposals(pixels, Proposals(most=5_000)) > 0).any(dim=2).sum())
    print(
        f"loop {one_by_one:.1f} s an image ({TIMED} of {REGIONS:,} regions timed), on the map {on_map:.2f} s, "
        f"selective search {found:.2f} s ({count:,} regions) ({weather()})"
    )
    verdict("R-CNN from kept regions / loop", one_by_one / on_map, 50, " × faster", at_least=True)
    verdict("R-CNN with selective search / loop", one_by_one / (on_map + found), 15, " × faster", at_least=True)
    verdict("first layer on the map / on what is pooled: difference", difference, 1e-5)


if __name__ == "__main__":
    main()
