"""What a second device brings to one training: the same batches on one process, and shared by two, a thread each.

A convolutional network on a part of Fashion-MNIST, where nearly all of an epoch is convolutions. Compared are the
seconds of learning in the epochs after the first, which sets libraries up, also with one device's two threads; and told
is how far apart they end.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmark import fashion_mnist, verdict, weather
from safetensors.torch import load_file

from assay.recipe.study import load_study
from assay.recipe.yaml_files import dump_yaml
from assay.results.folders import read_table
from assay.runs.engine import run

RECIPE: dict[str, Any] = {
    "data": {"source": "fashion-mnist", "train": 3000, "validation": 200, "test": 200},
    "model": {"name": "cnn", "channels": [32, 64]},
    "train": {"batch_size": 256, "keep": "last", "device": "cpu", "optimizer": {"name": "sgd", "lr": 0.05}},
}


def ran(place: Path, devices: int, threads: int, epochs: int, root: Path) -> Path:
    """The folder of a run on so many devices with so many threads each."""
    path = place / f"devices-{devices}-{threads}.yaml"
    path.write_text(dump_yaml({"title": "One device or two", "base": RECIPE, "seeds": 1}), encoding="utf-8")
    study = load_study(path, [f"train.epochs={epochs}", f"train.devices={devices}"])
    folder = place / study.name
    folder.mkdir()
    (folder / "machine.json").write_text(json.dumps({"threads": threads}))
    run(study, place, data=root, quiet=True)
    return next(folder.glob("*/seed-0"))


def main() -> None:
    """Run all, one after the other."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--epochs", type=int, default=4)
    asked, root = options.parse_args(), fashion_mnist()
    with tempfile.TemporaryDirectory() as out:
        runs = [ran(Path(out), devices, threads, asked.epochs, root) for devices, threads in ((1, 1), (2, 1), (1, 2))]
        one, two, threaded = (statistics.median(read_table(each / "history.parquet")["seconds"][1:]) for each in runs)
        weights = [load_file(each / "model.safetensors") for each in runs]
        apart = [max((weights[0][n] - other[n]).abs().max().item() for n in weights[0]) for other in weights[1:]]
    print(f"{one:.2f} s an epoch on one device, {two:.2f} s on two, {threaded:.2f} s on one with two threads")
    print(f"weights {apart[0]:.1g} and {apart[1]:.1g} apart from the first's; {weather()}")
    verdict("one device's seconds, of two devices'", one / two, 1.5, " ×", at_least=True)


if __name__ == "__main__":
    main()
