"""What a task is: a module with ten functions. No base class, no registration.

A task of ``recipe/tasks.py`` lies in ``tasks/<its name>/task.py``, and mypy holds each module against ``Task``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from assay.data.batches import ImageData
from assay.recipe import Loss, Measure, Recipe
from assay.tasks.chance import Chance
from assay.tasks.metric import Metric
from assay.tasks.scores import Score

Images = Float[Tensor, "batch ..."]
"""Of a batch: (batch, channels, height, width), or kept features in their place."""
Target = Any
"""What is true of a batch: what ``Targets.take`` of its data gives."""
Answers = Any
"""What a network says of a batch, on the processor, in a form of the task's own."""
Sums = dict[str, Tensor]
"""Numbers added up over an epoch on the device: no synchronisation inside the loop."""
Step = Callable[[nn.Module, Images, Target], tuple[Float[Tensor, ""], Sums]]
"""(network, images, target) → what is minimised, and sums over the batch. The network is called here: it may own its
loss. Of a batch that several devices share, the mean of theirs over images is that of the whole."""
Total = Callable[[Tensor], Tensor]
"""The sum over all devices of what each has."""
Value = int | float | list[int] | list[float] | list[float | None] | list[list[int]] | pl.DataFrame
"""A number, one for each class (None: it has none), a table of counts; or a table with columns, which becomes a file of
its own."""


@runtime_checkable
class Predictions(Protocol):
    """What a network says of the images of one split, in their order, and what is true of them."""

    @property
    def indices(self) -> Int64[np.ndarray, " n"]:
        """Of the images in their source."""
        ...

    @property
    def is_finite(self) -> bool:
        """Whether all that the network says is."""
        ...

    def table(self, split: str, names: Sequence[str]) -> pl.DataFrame:
        """A row an image: split, image, name (of ``names``, those of all images of the source), loss, and more."""
        ...

    def evidence(self, metric: str) -> Score | None:
        """The metric as a function of image weights; None where it is not a property of answers (seconds, bytes)."""
        ...

    def gallery(self, data: ImageData, seed: int) -> pl.DataFrame:
        """The pictures of a report, up to 25 of each kind: kind, name, png, and what is said of them."""
        ...


@runtime_checkable
class Told(Protocol):
    """What a finished run says of one picture."""

    @property
    def picture(self) -> Path:
        """Its file."""
        ...

    @property
    def cells(self) -> dict[str, str]:
        """Heading → text, a row on the terminal."""
        ...

    @property
    def record(self) -> dict[str, Any]:
        """The same for a file: texts, numbers, lists of texts, and mappings of these."""
        ...


@runtime_checkable
class Task(Protocol):
    """The functions of a task's module."""

    @property
    def METRICS(self) -> Sequence[Metric]:
        """What is known of the metrics of its answers."""
        ...

    @property
    def TRUTH(self) -> Sequence[str]:
        """The columns of the predictions' table that say what is true of an image."""
        ...

    def outputs(self, loss: Loss, classes: Sequence[str]) -> int:
        """The width of the network's head. AssayError where the loss does not fit the classes."""
        ...

    def learning(self, loss: Loss, data: ImageData, device: torch.device, total: Total | None = None) -> Step:
        """How a batch is learned; ``total``: by one of several devices that share it."""
        ...

    def epoch(self, sums: Sums, images: int) -> dict[str, float]:
        """The training values of an epoch of so many images, from the sums of its batches: the loss first."""
        ...

    def said(self, network: nn.Module, images: Images) -> Answers:
        """What the network says of a batch."""
        ...

    def gathered(
        self, answers: Iterable[Answers], data: ImageData, split: str, loss: Loss, measures: Sequence[Measure] = ()
    ) -> Predictions:
        """The answers to the batches of ``split``, in the order of its indices: with all that the ``measures`` and the
        run's files need; without any, perhaps no more than the evidence of the loss and of the task's metric."""
        ...

    def settled(self, predictions: dict[str, Any]) -> dict[str, Any]:
        """What is said of the splits, by their names, with what its validation images decide of all of it."""
        ...

    def read(self, table: pl.DataFrame) -> Predictions:
        """The inverse of the predictions' ``table``."""
        ...

    def chance(self, table: pl.DataFrame, metric: str, loss: Loss) -> Chance | None:
        """What ignoring the images reaches in ``metric``, where ``table`` is that of test predictions, of networks
        trained with ``loss``: the best of answers that are the same for every image. None where nobody can say."""
        ...

    def told(self, answers: Answers, pictures: Sequence[Path], about: Mapping[str, Any]) -> Sequence[Told]:
        """The same in words for pictures without truth; ``about`` is the run's data.json, and under
        ``measured`` its metrics.json."""
        ...

    def together(self, said: Sequence[Any]) -> Told:
        """What several networks say of one picture, each its ``Told``, as one answer: means."""
        ...


@dataclass(frozen=True)
class Trained:
    """What a measure may read. It changes nothing of it."""

    model: nn.Module
    data: ImageData
    recipe: Recipe
    device: torch.device
    predictions: dict[str, Any]
    """By split: "train", "test", and "validation" where there are such images; the task's own ``Predictions``."""
    history: pl.DataFrame
    """A row an epoch: epoch, lr, train_loss and more, validation_loss and the watched metric, seconds."""
    part: nn.Module
    """What answers for ``model``, given ``seen``: itself; its head for kept features where its backbone is frozen; or
    what the recipe's ``predict`` puts around it."""
    seen: ImageData
    """``data``, or kept features in the place of its images."""
