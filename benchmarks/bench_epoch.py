"""One training epoch of assay against (1) the usual notebook loop and (2) a bare loop over pre-loaded tensors.

Fashion-MNIST, the MLP and optimizer of studies/fashion-mnist/activation.yaml, batches of 256, images per second. The
three take turns in one process; medians of the rounds. (1) is torchvision's dataset, ToTensor and Normalize, a
DataLoader without workers and ``.item()`` in every step; (2) is ``randperm`` and indexing on normalised float tensors
in memory, with the optimizer that assay builds. assay's side is its own loop as a run calls it: from the memory map of
bytes, in deterministic mode, timed by itself (validation and checkpoint are not part of any side).

Targets: at least 10 × (1), at least 0.8 × (2)."""

import gzip
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from benchmark import fashion_mnist, in_turn, verdict, weather
from torch import Tensor, nn
from torch.nn import functional
from torchvision import transforms
from torchvision.datasets import FashionMNIST

from assay import load_study, seeds
from assay.data import ImageData, load
from assay.models import build
from assay.recipe import Recipe
from assay.system.machine import reproducible
from assay.train.checkpoint import State
from assay.train.loop import fit
from assay.train.optimizers import build_optimizer

ROUNDS = 3
STUDY = Path(__file__).parents[1] / "studies" / "fashion-mnist" / "activation.yaml"
CPU = torch.device("cpu")


def network(recipe: Recipe) -> nn.Module:
    with seeds.scoped(recipe.seed, "initialisation"):
        return build(recipe.model, (1, 28, 28), 10)


def assay_epoch(recipe: Recipe, data: ImageData) -> float:
    with reproducible(torch.get_num_threads()):
        state = fit(network(recipe), data, recipe, CPU, State(), lambda state: None)
    return len(data.indices["train"]) / state.history[0]["seconds"]


def notebook_epoch(recipe: Recipe, dataset: FashionMNIST) -> float:
    loader = torch.utils.data.DataLoader(dataset, batch_size=recipe.train.batch_size, shuffle=True)
    model = network(recipe)
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.train.optimizer.lr, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    began = time.perf_counter()
    model.train()
    running_loss, correct = 0.0, 0
    for images, labels in loader:
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item() * len(labels)
        correct += (outputs.argmax(1) == labels).sum().item()
    return len(dataset) / (time.perf_counter() - began)


def bare_epoch(recipe: Recipe, images: Tensor, labels: Tensor) -> float:
    model = network(recipe)
    optimizer = build_optimizer(recipe.train.optimizer, model)
    began = time.perf_counter()
    model.train()
    for indices in torch.randperm(len(images)).split(recipe.train.batch_size):
        loss = functional.cross_entropy(model(images[indices]), labels[indices])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return len(images) / (time.perf_counter() - began)


def torchvision_dataset(source: Path, place: Path) -> FashionMNIST:
    """torchvision's own class over the files of ``source``, unpacked below ``place``."""
    folder = place / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for path in source.rglob("*-ubyte*"):
        content = path.read_bytes()
        (folder / path.name.removesuffix(".gz")).write_bytes(
            gzip.decompress(content) if path.suffix == ".gz" else content
        )
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.286,), (0.353,))])
    return FashionMNIST(str(place), train=True, download=False, transform=transform)


def concatenated(batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    images, labels = zip(*batches, strict=True)
    return torch.cat(images), torch.cat(labels)


def main() -> None:
    root = fashion_mnist()
    study = load_study(STUDY, ["train.epochs=1", "train.batch_size=256"])
    recipe = study.plan[study.base_variant].recipe
    data = load(recipe.data, recipe.seed, root)
    images, labels = concatenated(data.batches("train", 8192, CPU))
    with tempfile.TemporaryDirectory() as place:
        dataset = torchvision_dataset(root, Path(place))
        assay_epoch(recipe, data)  # the first epoch of a process also loads code
        rates = in_turn(
            ROUNDS,
            assay=lambda: assay_epoch(recipe, data),
            notebook=lambda: notebook_epoch(recipe, dataset),
            bare=lambda: bare_epoch(recipe, images, labels),
        )
    print("  ".join(f"{name} {rate:,.0f} images/s" for name, rate in rates.items()) + f"  ({weather()})")
    verdict("assay / notebook loop", rates["assay"] / rates["notebook"], 10, " ×", at_least=True)
    verdict("assay / bare loop", rates["assay"] / rates["bare"], 0.8, " ×", at_least=True)


if __name__ == "__main__":
    main()
