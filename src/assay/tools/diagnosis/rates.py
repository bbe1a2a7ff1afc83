"""``assay diagnose --rates``: the range of learning rates that suit a network and its images, by short trainings."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl
import torch

from assay.data import ImageData, data_root, load_chosen
from assay.evaluate.separation import subset
from assay.models.catalogue import complete
from assay.recipe import Recipe
from assay.system.machine import device_here, reproducible
from assay.tools.diagnosis.short import loss_after, rounded

Progress = Callable[[int, int], None]
POWERS = [k / 2 for k in range(-12, 3)]
"""Of ten."""
EPOCHS = 3
IMAGES = 2000
"""Training images, at most."""
SEEDS = 3
LOST = 0.2
"""Of what the best rate gains: what a rate of the range may lose."""


@dataclass(frozen=True)
class Range:
    """Learning rates."""

    low: float
    best: float
    high: float


@dataclass(frozen=True)
class Rates:
    """The loss after a short training at each rate, for several seeds."""

    table: pl.DataFrame
    """A row a rate and seed: rate, seed, loss (null where it was not finite)."""
    epochs: int
    steps: int
    """Of the optimizer, in each training."""
    images: int

    @cached_property
    def of_seeds(self) -> dict[int, Range]:
        """Seed → its range; seeds that learned at no rate are left out."""
        seeds = self.table["seed"].unique(maintain_order=True).to_list()
        found = {seed: range_of(*self._losses(pl.col("seed") == seed)) for seed in seeds}
        return {seed: own for seed, own in found.items() if own is not None}

    @cached_property
    def together(self) -> Range | None:
        """The range of the mean loss over the seeds, where it is finite for all; None where none learns."""
        return range_of(*self._losses(pl.lit(True)))

    @property
    def verdict(self) -> str:
        """The range and how far the seeds agree."""
        if self.together is None:
            return "At none of these learning rates is anything learned by all seeds."
        low, best, high = self.together.low, self.together.best, self.together.high
        where = f"Learning rates from {low:g} to {high:g} suit" if low < high else f"Of these rates {low:g} suits"
        ranges = list(self.of_seeds.values())
        return (
            f"{where}: after {self.steps} steps they lose less than {LOST:.0%} of what the best rate, {best:g}, "
            f"gains (means over {len(ranges)} seeds). Single seeds have their best rate at "
            f"{_span([r.best for r in ranges])}; their ranges begin at {_span([r.low for r in ranges])} and end at "
            f"{_span([r.high for r in ranges])}. A longer training may want a lower rate."
        )

    def _losses(self, rows: pl.Expr) -> tuple[list[float], list[float]]:
        """Rates, and the mean loss of the seeds at each; infinite where one of them is."""
        mean = pl.col("loss").fill_null(math.inf).mean()
        found = self.table.filter(rows).group_by("rate").agg(mean).sort("rate")
        return found["rate"].to_list(), found["loss"].to_list()


def find_rates(
    recipe: Recipe,
    seeds: int = SEEDS,
    images: int = IMAGES,
    root: Path | None = None,
    decoding: Progress | None = None,
    training: Progress | None = None,
) -> Rates:
    """Train the recipe for ``EPOCHS`` at the rates 10^k, k from −6 to 1 by halves, with seeds from 0 on.

    On at most so many ``images`` of the training and of the validation split, which each seed cuts as a run would.
    ``training`` is called with (trainings done, trainings to do).
    Raises AssayError where the source is missing or bad, or the network does not fit.
    """
    recipe, rows, device = complete(recipe), [], device_here(recipe.train.device)

    def some(whole: ImageData) -> ImageData:
        strata = whole.images.targets.strata()
        kept = {s: subset(i, strata[i], images, 0) for s, i in whole.indices.items() if s != "test" and len(i)}
        return replace(whole, indices={s: kept.get(s, i[:0]) for s, i in whole.indices.items()})

    with reproducible(torch.get_num_threads()):
        for seed in range(seeds):
            own = recipe.model_copy(update={"seed": seed})
            data = load_chosen(own.data, seed, data_root(root), some, decoding)
            for power in POWERS:
                rate = rounded(10.0**power)
                loss = loss_after(own, data, rate, EPOCHS, device)
                rows.append((rate, seed, loss if math.isfinite(loss) else None))
                if training:
                    training(len(rows), seeds * len(POWERS))
    batch = recipe.train.batch_size * recipe.train.accumulate
    table = pl.DataFrame(rows, schema={"rate": pl.Float64, "seed": pl.Int64, "loss": pl.Float64}, orient="row")
    return Rates(table, EPOCHS, EPOCHS * math.ceil(data.epoch_size / batch), data.epoch_size)


def range_of(rates: Sequence[float], losses: Sequence[float]) -> Range | None:
    """The rates around the best that lose little; None where nothing was learned.

    What there is to gain is measured from the loss at the first, lowest rate, at which the weights hardly move.
    """
    best = losses.index(min(losses))
    gain = losses[0] - losses[best]
    if not math.isfinite(gain) or gain <= 0:
        return None
    low, high, most = best, best, losses[best] + LOST * gain
    while low > 0 and losses[low - 1] <= most:
        low -= 1
    while high + 1 < len(losses) and losses[high + 1] <= most:
        high += 1
    return Range(rates[low], rates[best], rates[high])


def _span(values: Sequence[float]) -> str:
    least, most = min(values), max(values)
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"
