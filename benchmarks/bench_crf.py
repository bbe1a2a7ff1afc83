"""The dense conditional random field at 480 × 360 with 12 classes, and how near it is to mean field over all pairs.

Pictures are test frames of CamVid, the network's answers are made of their masks: averaged over blocks of pixels, noise
added, brought back by interpolation. Printed are processor seconds of five iterations, the quickest of three turns, and
of crops of 40 × 40 and 160 × 120 pixels the share of labels equal to those of mean field in float64 over all pairs of
pixels, beside the share that it changes.

Targets: at most 3 processor seconds; at least 98 % of the labels equal.

    ASSAY_DATA=… python benchmarks/bench_crf.py
"""

import argparse
import io
import os
import sys
import time
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, one_hot

from assay.after.crf import sharpened
from assay.recipe.crf import Crf

CLASSES = 12
CROPS = ((100, 100, 40, 40), (200, 300, 40, 40), (60, 20, 40, 40), (120, 160, 120, 160))
"""Row, column, height, width."""


def frames(root: Path, count: int) -> list[tuple[Tensor, Tensor]]:
    """Colours (3, h, w) and classes (h, w) of frames spread over the test split."""
    found = []
    with ZipFile(root / "camvid.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.startswith("images/test/"))
        for name in names[:: len(names) // count][:count]:
            mask = name.replace("images/", "masks/").replace(".jpg", ".png")
            picture, truth = (np.array(Image.open(io.BytesIO(archive.read(part)))) for part in (name, mask))
            found.append((torch.tensor(picture).permute(2, 0, 1).float(), torch.tensor(truth).long()))
    return found


def answer(truth: Tensor, draw: torch.Generator) -> Tensor:
    """Logits as of a network that sees blocks of 4 × 4 pixels."""
    shares = avg_pool2d(one_hot(truth.clamp(max=CLASSES - 1), CLASSES).permute(2, 0, 1).float()[None], 4)
    shares = shares + 0.15 * torch.randn(shares.shape, generator=draw)
    return 4 * interpolate(shares, truth.shape, mode="bilinear")[0]


def exact(logits: Tensor, colours: Tensor, crf: Crf) -> Tensor:
    """The labels by mean field over all pairs."""
    height, width = logits.shape[1:]
    place = torch.cartesian_prod(torch.arange(height).double(), torch.arange(width).double())
    both = torch.cat([place / crf.position, colours.flatten(1).T.double() / crf.color], dim=1)
    votes = torch.zeros(len(place), len(place), dtype=torch.float64)
    for weight, features in ((crf.bilateral, both), (crf.spatial, place / crf.sigma)):
        kernel = torch.cdist(features, features).square_().div_(-2).exp_()
        scale = kernel.sum(dim=1).rsqrt()
        votes += kernel.mul_(weight * scale).mul_(scale[:, None])
    unary = logits.flatten(1).T.double().log_softmax(dim=1)
    said = unary.softmax(dim=1)
    for _ in range(crf.iterations):
        said = (unary + votes @ said).softmax(dim=1)
    return said.argmax(dim=1).reshape(height, width)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--frames", type=int, default=3)
    options.add_argument("--threads", type=int, default=1)
    asked = options.parse_args()
    root = Path(os.environ.get("ASSAY_DATA") or "data")
    if not (root / "camvid.zip").is_file():
        print(f"skipped: no camvid.zip in {str(root)!r} (set ASSAY_DATA to the folder that holds it)")
        sys.exit(0)
    torch.set_num_threads(asked.threads)
    crf, draw = Crf(), torch.Generator().manual_seed(0)
    for number, (colours, truth) in enumerate(frames(root, asked.frames)):
        logits = answer(truth, draw)
        turns = []
        for _ in range(3):
            began = time.process_time()
            sharpened(logits, colours, crf)
            turns.append(time.process_time() - began)
        print(f"frame {number}, {truth.shape[1]} × {truth.shape[0]}: {min(turns):.2f} processor seconds")
        for top, left, height, width in CROPS:
            part = np.s_[..., top : top + height, left : left + width]
            right, found = exact(logits[part], colours[part], crf), sharpened(logits[part], colours[part], crf)
            equal, changed = found.argmax(dim=0) == right, right != logits[part].argmax(dim=0)
            print(f"  {width} × {height}: {equal.double().mean():.2%} equal, {changed.double().mean():.2%} changed")


if __name__ == "__main__":
    main()
