"""From a finished run to two networks trained on: one on its mistakes, one on as many random training images."""

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Int64
from torch import nn

from assay import seeds
from assay.data.batches import batch_sizes
from assay.data.groups import group_numbers
from assay.errors import AssayError, NothingToDo, unknown
from assay.models.freezing import needs_two
from assay.models.state import packed
from assay.recipe import Recipe
from assay.recipe.tasks import require
from assay.results.statistics.answers import Groups
from assay.runs.data import load_data_of
from assay.system import files
from assay.system.files import read_object
from assay.system.integrity import digest, refuse_changed
from assay.system.machine import device_here, environment, reproducible
from assay.tasks import catalogue
from assay.tools.predict import load_run
from assay.tools.refit import EPOCHS
from assay.tools.refit.change import Change, Standing, change, judged, standing
from assay.tools.refit.continuing import continued, trained_on
from assay.tools.refit.in_words import verdict
from assay.tools.refit.loading import BySplit, Finished, refuse_other_answers
from assay.train.phases import learn_as

Progress = Callable[[int, int], None]

KINDS = ("mistakes",)
"""What a run can be refitted on."""
FOLDER = "refit"
"""Inside the run's folder. It has no status.json, so nobody takes it for a run."""


@dataclass(frozen=True)
class Arm:
    """A network that was trained on, after it."""

    standings: dict[str, Standing]
    """By split: train, validation where there is one, test."""
    changes: dict[str, Change]
    """Against the run's own network, by split."""


@dataclass(frozen=True)
class Refit:
    """What training on the mistakes does, beside as much training on as many random images."""

    run: Path
    classes: tuple[str, ...]
    images: int
    """Trained on: the mistakes, and as many random training images in the other arm."""
    epochs: int
    lr: float
    steps: int
    """Of the optimizer, the same in both arms."""
    before: dict[str, Standing]
    """The run's own network, by split."""
    mistakes: Arm
    random: Arm
    against_random: Change
    """From the network of the random images to that of the mistakes, on the test images."""

    @property
    def folder(self) -> Path:
        """Where the network of the mistakes lies, with refit.json and predictions.parquet."""
        return self.run / FOLDER

    @cached_property
    def verdict(self) -> str:
        """What it gained and cost on the test images, and how sure that is."""
        tested, control = self.mistakes.changes["test"], self.random.changes["test"]
        return verdict(self.images, tested, control, self.against_random)


def refit(
    run: str | Path,
    on: str = "mistakes",
    epochs: int = EPOCHS,
    lr: float | None = None,
    root: str | Path | None = None,
    command: str = "",
    decoding: Progress | None = None,
    fitting: Progress | None = None,
) -> Refit:
    """Train the network of a finished run on, on the training images that it gets wrong, and measure what that does.

    Which images are wrong is asked in evaluation mode, without augmentation. They are then trained on for ``epochs``
    with the run's loss, optimizer (begun anew), batch size, augmentation and frozen parts, at the constant rate ``lr``
    (a tenth of the recipe's, of its last phase), without rebalancing or early stopping; the last weights are kept.
    The control is the same training on as many images drawn from all training images. The run is not changed: the
    network of the mistakes, the predictions of all three networks and the numbers go to its subfolder ``refit``, in
    place of an earlier refit's. The same call on the same machine gives the same bytes.

    ``root`` is the data root; ``decoding`` is called with (images done, images to do), ``fitting`` with (epochs done,
    epochs to do). Raises AssayError for a folder without a finished run, data that are no longer those of the run, and
    numbers that cannot be; NothingToDo where no training image is wrong; RunFailed where a loss is not finite.
    """
    run = Path(run)
    _check(on, epochs, lr)
    recipe, about, model = load_run(run)
    require("labels", recipe.task, "refit", recipe.data.source)
    refuse_changed(run, "environment.json")
    threads = read_object(run / "environment.json", missing={}).get("threads") or torch.get_num_threads()
    device = device_here(recipe.train.device)
    with reproducible(threads):
        data = load_data_of(run, recipe, about, root, decoding)
        finished = Finished(run, recipe, data, model.to(device), device)
        before = finished.predictions(model)
        refuse_other_answers(run, before)
        stage = continued(recipe, data, epochs, lr)
        learn_as(model, stage.model, data.shape, catalogue.task(recipe.task).outputs(stage.train.loss, data.classes))
        mistakes = _mistakes(finished, before)
        drawn = seeds.numpy_generator(recipe.seed, "refit").choice(data.indices["train"], len(mistakes), replace=False)
        networks = []
        for arm, shown in enumerate((mistakes, drawn)):

            def after_epoch(epoch: int, earlier: int = arm * epochs) -> None:
                if fitting:
                    fitting(earlier + epoch, 2 * epochs)

            networks.append(trained_on(model, data, shown, stage, device, after_epoch))
        said = [before, *map(finished.predictions, networks)]
    found = _compared(finished, stage, len(mistakes), *said)
    _write(found, networks[0], _stacked(said, data.images.names), environment(device, threads, command))
    return found


def _mistakes(finished: Finished, before: BySplit) -> Int64[np.ndarray, " n"]:
    """The training images that the run's network gets wrong, if it can be trained on them."""
    train = before["train"]
    wrong: Int64[np.ndarray, " n"] = train.indices[train.predicted != train.labels]
    where, total = f"{finished.folder}: its network is", f"{len(train.labels):,} training images"
    if not len(wrong):
        raise NothingToDo(f"{where} right on all {total}; there are no mistakes to train on")
    if len(wrong) == 1 and needs_two(finished.model):
        raise NothingToDo(f"{where} wrong on 1 of {total}, and its batch norm needs 2 to train on")
    return wrong


def _compared(
    finished: Finished, stage: Recipe, images: int, before: BySplit, after: BySplit, control: BySplit
) -> Refit:
    test = [(before["test"], after["test"]), (before["test"], control["test"]), (control["test"], after["test"])]
    *on_test, against_random = judged(test, _originals(finished, "test"))
    arms = []
    for network, tested in zip((after, control), on_test, strict=True):
        changes = {"train": change(before["train"], network["train"])}
        if "validation" in before:
            own = [(before["validation"], network["validation"])]
            changes["validation"] = judged(own, _originals(finished, "validation"))[0]
        arms.append(Arm({s: standing(p) for s, p in network.items()}, changes | {"test": tested}))
    epochs, size = stage.train.epochs, stage.train.batch_size
    return Refit(
        run=finished.folder,
        classes=tuple(finished.data.classes),
        images=images,
        epochs=epochs,
        lr=stage.train.optimizer.lr,
        steps=epochs * len(batch_sizes(images, size)),
        before={s: standing(p) for s, p in before.items()},
        mistakes=arms[0],
        random=arms[1],
        against_random=against_random,
    )


def _stacked(said: list[BySplit], names: list[str]) -> pl.DataFrame:
    """The predictions of the three networks, with the network's name in front."""
    return pl.concat(
        predictions.table(split, names).select(pl.lit(network).alias("network"), pl.all())
        for network, by_split in zip(("before", "mistakes", "random"), said, strict=True)
        for split, predictions in by_split.items()
    )


def _originals(finished: Finished, split: str) -> Groups | None:
    """A number for each image of a split, the same for all copies of an original; None where there are none."""
    pattern, names = finished.recipe.data.group, finished.data.images.names
    return None if pattern is None else group_numbers(pattern, names)[finished.data.indices[split]]


def _write(found: Refit, network: nn.Module, predictions: pl.DataFrame, made_on: dict[str, object]) -> None:
    """refit.json last: where it is, the other files are there and belong to it."""
    (found.folder / "refit.json").unlink(missing_ok=True)
    buffer = io.BytesIO()
    predictions.write_parquet(buffer)
    files.write(found.folder / "model.safetensors", packed(network))
    files.write(found.folder / "predictions.parquet", buffer.getvalue())
    values = asdict(found) | {"on": KINDS[0], "verdict": found.verdict, "environment": made_on}
    values["files"] = {name: digest(found.folder / name) for name in ("model.safetensors", "predictions.parquet")}
    del values["run"]
    files.write_json(found.folder / "refit.json", values)


def _check(on: str, epochs: int, lr: float | None) -> None:
    if on not in KINDS:
        raise unknown("images to refit on", on, KINDS)
    if epochs < 1:
        raise AssayError(f"refit: epochs: found {epochs}, expected at least 1")
    if lr is not None and not 0 < lr < float("inf"):
        raise AssayError(f"refit: lr: found {lr:g}, expected a finite number above 0")
