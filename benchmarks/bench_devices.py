"""What a second device brings to one training: the same batches on one process, and shared by two, a thread each.

A convolutional network on a part of Fashion-MNIST, where nearly all of an epoch is convolutions. Compared are the
seconds of learning in the epochs after the first, which sets libraries up; and told is how far apart the two end.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
from benchmark import fashion_mnist, verdict, weather
from safetensors.torch import load_file

from assay.recipe.study import Study, load_study
from assay.recipe.yaml_files import dump_yaml
from assay.runs.engine import run

RECIPE: dict[str, Any] = {
    "data": {"source": "fashion-mnist", "train": 3000, "validation": 200, "test": 200},
    "model": {"name": "cnn", "channels": [32, 64]},
    "train": {"batch_size": 256, "keep": "last", "device": "cpu", "optimizer": {"name": "sgd", "lr": 0.05}},
}


def study_of(folder: Path, epochs: int) -> Study:
    """One run on one device, one on two."""
    path = folder / "devices.yaml"
    tree = {"title": "One device or two", "base": RECIPE, "vary": {"train.devices": [1, 2]}, "seeds": 1}
    path.write_text(dump_yaml(tree), encoding="utf-8")
    return load_study(path, [f"train.epochs={epochs}"])


def main() -> None:
    """Run both, one after the other."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--epochs", type=int, default=4)
    asked, root = options.parse_args(), fashion_mnist()
    with tempfile.TemporaryDirectory() as out:
        study = study_of(Path(out), asked.epochs)
        folder = Path(out) / study.name
        folder.mkdir()
        (folder / "machine.json").write_text('{"threads": 1}')
        run(study, out, data=root, quiet=True)
        runs = [folder / f"devices={count}" / "seed-0" for count in (1, 2)]
        seconds = [statistics.median(pl.read_parquet(each / "history.parquet")["seconds"][1:]) for each in runs]
        one, two = (load_file(each / "model.safetensors") for each in runs)
        apart = max((one[name] - two[name]).abs().max().item() for name in one)
    print(f"{seconds[0]:.2f} s an epoch on one device, {seconds[1]:.2f} s on two; weights {apart:.1g} apart")
    print(weather())
    verdict("one device's seconds, of two devices'", seconds[0] / seconds[1], 1.5, " ×", at_least=True)


if __name__ == "__main__":
    main()
