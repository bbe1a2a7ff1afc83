"""Recipes that are equal, on one fixed test set, with many seeds: how often the interval of their difference covers 0.

No training: an image is right with the logit difficulty + interaction · (how the recipe sees it) + what the run drew.
The truth is the difference on all images there could be, which is 0. ``compare`` is given the runs' answers through
``image_errors`` as a study's are, and once without them, as if no other image could have been tested.

Target: every cell with interaction covers 0 in 93 to 97 % of studies (of all differences to the best variant together);
with two seeds of two variants, whose interval is the wider of two, in 93 % at least.
"""

import argparse
from collections.abc import Callable, Iterator
from itertools import chain, product

import numpy as np
import polars as pl
from benchmark import verdict
from drawn import study_of

from assay.results.comparing.compare import compare
from assay.results.comparing.comparison import Comparisons
from assay.results.comparing.factors import main_effects
from assay.results.statistics.answers import Answers
from assay.results.statistics.image_errors import image_errors
from assay.tasks.scores import mean_score

DIFFICULTY, EASY, RUN = 2.0, 2.1, 0.04
"""Deviation and mean of the images' logits, 79 % right; deviation of a run's own shift of all of them: at 5,000 images
it and the images' noise are a run's deviation in equal parts."""


def study(generator: np.random.Generator, variants: int, seeds: int, images: int, interaction: float) -> np.ndarray:
    """(variants, seeds, images), which are right."""
    image = generator.normal(EASY, DIFFICULTY, images)
    seen = generator.normal(0, interaction, (variants, 1, images))
    drawn = generator.normal(0, RUN, (variants, seeds, 1)) + generator.logistic(size=(variants, seeds, images))
    return np.asarray(image + seen + drawn > 0)


def answers(right: np.ndarray) -> Callable[[str, int], Answers]:
    names = pl.DataFrame({"image": np.arange(right.shape[2])}).with_columns(name=pl.col("image").cast(pl.String))
    return lambda variant, seed: Answers(names, [], lambda _: mean_score(right[int(variant), seed]))


def compared(right: np.ndarray) -> Iterator[Comparisons]:
    """Against the best: with the test images, and without."""
    values = {str(v): dict(enumerate(of_seeds)) for v, of_seeds in enumerate(right.mean(axis=2).tolist())}
    best = max(values, key=lambda variant: np.mean(list(values[variant].values())))
    errors = image_errors(answers(right), [(variant, seed) for variant in values for seed in values[variant]])
    assert errors is not None
    yield compare(values, "accuracy", best, images=errors.between)
    yield compare(values, "accuracy", best)


def covers(found: Comparisons) -> bool:
    """Whether no interval excludes 0."""
    return all(c.decided == "cannot tell" for c in found)


def effects_told(right: np.ndarray) -> list[bool]:
    """Whether an effect of a factor is told of a grid of 2 × 3 recipes: with the test images, and without."""
    grid = study_of(6, right.shape[1], {"model.activation": ["a0", "a1"], "train.batch_size": [8, 16, 32]})
    place = {variant: str(number) for number, variant in enumerate(grid.plan)}
    values = {v: dict(enumerate(right[int(place[v])].mean(axis=1).tolist())) for v in grid.plan}
    runs = [(variant, seed) for variant in values for seed in values[variant]]
    errors = image_errors(lambda variant, seed: answers(right)(place[variant], seed), runs)
    found = (main_effects(grid, values, "accuracy", errors=each) for each in (errors, None))
    return [any(level.is_decided for effect in effects for level in effect.levels) for effects in found]


def half_width(found: Comparisons) -> float:
    """Mean, in points."""
    widths = [100 * (c.high - c.low) / 2 for c in found if c.low is not None and c.high is not None]
    return float(np.mean(widths)) if widths else np.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000, help="in each cell")
    parser.add_argument("--variants", type=int, nargs="*", default=[2, 5])
    options = parser.parse_args()
    print("variants images interaction seeds  both: covers, half-width   seeds alone: covers, half-width (points)")
    least, most = 100.0, 0.0
    several = product(options.variants, (200, 1000, 5000), (0.5, 1.0), (3, 5, 10))
    two = product((2,), (200, 1000, 5000), (0.5, 1.0), (2,))
    for number, (variants, images, interaction, seeds) in enumerate(chain(several, two)):
        generator = np.random.default_rng(number)
        found = [
            [(covers(one), half_width(one)) for one in compared(study(generator, variants, seeds, images, interaction))]
            for _ in range(options.studies)
        ]
        (both, width), (alone, narrow) = np.nanmean(found, axis=0).tolist()
        print(
            f"{variants:8} {images:6} {interaction:11} {seeds:5} {100 * both:13.1f} {width:11.2f} {100 * alone:20.1f} "
            f"{narrow:11.2f}",
            flush=True,
        )
        least, most = min(least, 100 * both), most if seeds == 2 else max(most, 100 * both)
    for images, seeds in product((200, 1000), (3, 10)):
        generator = np.random.default_rng(images + seeds)
        told = [effects_told(study(generator, 6, seeds, images, 1.0)) for _ in range(options.studies)]
        both, alone = (100 * np.mean(told, axis=0)).tolist()
        print(
            f"2 × 3 grid, {images} images, {seeds} seeds, interaction 1: {both:.1f} tell an effect (alone {alone:.1f})"
        )
    error = 100 * (0.05 * 0.95 / options.studies) ** 0.5
    print(f"standard error of a cell: {error:.1f}")
    verdict("least coverage", least, 93, " %", at_least=True)
    verdict("most coverage", most, 97, " %")


if __name__ == "__main__":
    main()
