"""All layers of a network on all images: the time of each layer and the memory of the whole.

The plain elu_resnet on the 50,000 training images of CIFAR-10, every leaf, SI and CSI, in one call of
``assay.separation.layers``, as ``assay probe`` makes it. ``--run`` takes the network of a finished run (of
studies/cifar10/layers.yaml, say); without it the weights are random. ``--images`` takes fewer.

Target: at most 4 GiB resident. Resident is what the process holds, pages of mapped files included.
"""

import argparse
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from benchmark import verdict, weather


class Peak:
    """The largest resident memory of this process since it was last asked, sampled every 20 ms."""

    def __init__(self) -> None:
        import psutil

        self.process, self.bytes = psutil.Process(), 0
        threading.Thread(target=self.sample, daemon=True).start()

    def sample(self) -> None:
        """Look, for ever."""
        while True:
            self.bytes = max(self.bytes, self.process.memory_info().rss)
            time.sleep(0.02)

    def take(self) -> float:
        """GiB; the next peak begins."""
        taken, self.bytes = self.bytes, 0
        return taken / 2**30


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--run", type=Path)
    arguments.add_argument("--images", type=int, default=50_000)
    given = arguments.parse_args()
    root = Path(os.environ.get("ASSAY_DATA") or "data")
    if not any(root.glob("cifar*10*")):
        print(f"skipped: no CIFAR-10 in {str(root)!r} (set ASSAY_DATA to the folder that holds it)")
        sys.exit(0)

    import torch

    from assay.data import load
    from assay.data.batches import Split
    from assay.models import build
    from assay.recipe import Data, Model
    from assay.separation import layers
    from assay.tools.predict import load_run

    if given.run:
        network = load_run(given.run)[2]
    else:
        torch.manual_seed(0)
        network = build(Model(name="elu_resnet"), (3, 32, 32), 10)
    data = load(Data(source="cifar10", validation=0, normalize="symmetric"), 0, root)
    train = data.indices["train"]
    chosen = np.sort(np.random.default_rng(0).choice(train, min(given.images, len(train)), replace=False))
    batches = Split(replace(data, indices={"train": chosen}), "train", torch.device("cpu"))

    peak, began, since = Peak(), time.perf_counter(), [time.perf_counter()]
    largest: list[float] = []

    def done(number: int, total: int) -> None:
        now = time.perf_counter()
        largest.append(peak.take())
        print(f"layer {number:2d} of {total}: {now - since[0]:8.1f} s, {largest[-1]:.2f} GiB resident", flush=True)
        since[0] = now

    found = layers(network, {"train": batches}, choose_layers="leaves", progress=done)
    with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        print(found.table.pivot("index", index=["layer", "width"], values="value"))
    print(f"{time.perf_counter() - began:.0f} s together, {len(chosen):,} images ({weather()})")
    verdict("peak resident memory", max(largest), 4, " GiB")


if __name__ == "__main__":
    main()
