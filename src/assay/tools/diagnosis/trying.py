"""``assay diagnose --try``: whether the learning rate is what is wrong, found out by trying others."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from assay.data import ImageData
from assay.models.catalogue import complete
from assay.recipe import Recipe
from assay.results.folders import read_description
from assay.runs.data import load_data_of
from assay.system.machine import device_here, reproducible
from assay.tools.diagnosis.short import loss_after, rounded

Progress = Callable[[int, int], None]
EPOCHS = 4
POWERS = (-3, -2, -1, 0, 1, 2, 3)
FURTHER = (-7, -6, -5, -4, 4, 5, 6, 7)
"""Tried where none of these learns."""
HARDLY = 1e-9
"""Of the run's own rate: at this the weights hardly move."""
SHARE = 0.2
"""Of what the best rate learns: a rate that learns less is wrong. Healthy rates learned 0.4 of it and more on digits,
rates a thousand times too high or too low less than 0.1."""
LEAST = 0.05
"""Of the loss at the beginning: where the best rate learns less, nothing can be told."""


@dataclass(frozen=True)
class Tried:
    """The recipe of a run, begun anew at other rates."""

    rate: float
    """The run's own."""
    epochs: int
    start: float
    """The loss at the beginning."""
    losses: Mapping[float, float]
    """Rate → the loss after the epochs, infinite where it was not finite; from the lowest rate on."""

    @property
    def best(self) -> float:
        """The rate with the least loss."""
        return min(self.losses, key=lambda rate: self.losses[rate])

    @property
    def learns(self) -> bool:
        """Whether there is a rate at which much is learned."""
        return self.start - self.losses[self.best] > LEAST * self.start

    @property
    def better(self) -> float | None:
        """The best rate, where the run's own learns less than ``SHARE`` of what it does."""
        gain, own = self.start - self.losses[self.best], self.start - self.losses[self.rate]
        return self.best if self.learns and own < SHARE * gain else None

    @property
    def word(self) -> str:
        """``too high`` or ``too low``; empty where the run's own rate learns too."""
        return "" if self.better is None else "too high" if self.better < self.rate else "too low"

    @property
    def verdict(self) -> str:
        """What that says of the rate."""
        own, span = f"{self.rate:g}", f"At no rate from {min(self.losses):g} to {max(self.losses):g}"
        if all(math.isinf(loss) for loss in self.losses.values()):
            return f"{span} does the loss stay finite for {self.time}."
        if not self.learns:
            return f"{span} is much learned in {self.time}."
        if self.best == self.rate:
            return f"Of these rates {own} is the best."
        losses = (
            f"{_said(self.losses[self.best])} after {self.time}, and at {own} one of {_said(self.losses[self.rate])}"
        )
        if self.better is None:
            return f"At {self.best:g} the loss is {losses}: {own} learns too, and is not called wrong."
        return f"The rate of {own} is {self.word}, because the same training at {self.better:g} has a loss of {losses}."

    @property
    def time(self) -> str:
        """``4 epochs``."""
        return f"{self.epochs} epoch{'s' if self.epochs > 1 else ''}"


def try_rates(
    recipe: Recipe, data: ImageData, device: torch.device, epochs: int = EPOCHS, trying: Progress | None = None
) -> Tried:
    """The recipe's first ``epochs`` with its seed, at its rate times 10^k, k from −3 to 3; from −7 to 7 where nothing
    is learned at those.

    ``trying`` is called with (rates done, rates to do).
    """
    own = recipe.stages[0].train.optimizer.lr
    found = Tried(own, epochs, loss_after(recipe, data, HARDLY * own, 1, device), {})
    for powers in (POWERS, FURTHER):
        for power in powers:
            rate = rounded(own * 10.0**power) if power else own
            losses = {**found.losses, rate: loss_after(recipe, data, rate, epochs, device)}
            found = replace(found, losses=dict(sorted(losses.items())))
            if trying:
                trying(len(losses), len(POWERS) if powers is POWERS else len(POWERS) + len(FURTHER))
        if found.learns:
            break
    return found


def try_rates_of(
    run: Path,
    recipe: Recipe,
    root: Path | None = None,
    decoding: Progress | None = None,
    trying: Progress | None = None,
) -> Tried:
    """``try_rates`` of the run in ``run`` on its own images. AssayError where they are gone, or are others now."""
    device = device_here(recipe.train.device)
    with reproducible(torch.get_num_threads()):
        data = load_data_of(run, complete(recipe), read_description(run / "data.json"), root, decoding)
        return try_rates(complete(recipe), data, device, min(EPOCHS, recipe.stages[0].train.epochs), trying)


def lines(tried: Tried) -> list[str]:
    """A line a rate, and the verdict."""
    table = [
        f"  {rate:g}{' (its own)' if rate == tried.rate else ''}: {_said(loss)}" for rate, loss in tried.losses.items()
    ]
    return [f"Loss after {tried.time} at other learning rates:", *table, tried.verdict]


def _said(loss: float) -> str:
    return "not finite" if math.isinf(loss) else f"{loss:.3g}"
