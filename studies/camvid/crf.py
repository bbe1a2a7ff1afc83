"""What a dense conditional random field adds to finished runs of segmentation, without training them again.

    python studies/camvid/crf.py DATA-ROOT RUN… > crf.csv

Its settings are tried on validation pictures, as ``predict: {crf: tune}`` does it, and told on standard error. A row a
run and metric of the test pictures: without, with the likeliest of the settings, be it chosen or not, and the 95 %
interval of the difference by 2,000 resamples of the pictures, as if frames of one film were independent.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import torch

from assay.after.around import around
from assay.data.loading import load
from assay.recipe import CrossEntropy
from assay.recipe.crf import Crf
from assay.runs import crf
from assay.tasks import catalogue
from assay.tasks.predicting import predict
from assay.tools.predict import load_run

METRICS = ("miou", "pixel_accuracy", "class_accuracy", "border_miou", "border_accuracy", "boundary_iou", "loss")
CPU = torch.device("cpu")


def main() -> None:
    """The table of the runs that stand on the command line behind the folder of the data."""
    root, *runs = map(Path, sys.argv[1:])
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["run", "metric", "without", "with", "difference", "low", "high"])
    for run in runs:
        for row in rows(run, root):
            table.writerow([run, *row])
        sys.stdout.flush()


def rows(run: Path, root: Path) -> list[tuple[str | float, ...]]:
    """Metric, without, with, difference and its interval."""
    recipe, _, network = load_run(run)
    data = load(recipe.data, recipe.seed, root)
    tuned = crf.choice(recipe, network, data, CPU)
    print(run, crf.in_words(tuned), tuned["tried"], sep="\n", file=sys.stderr, flush=True)
    likeliest = min((one for one in tuned["tried"] if one["crf"]), key=lambda one: one["loss"])
    sharpening = crf.with_crf(recipe.predict, Crf.model_validate(likeliest["crf"]))
    task, normalisation = catalogue.task(recipe.task), (data.mean.tolist(), data.std.tolist())
    plain, sharp = (
        predict(task, around(network, asked, *normalisation), data, "test", CrossEntropy(), CPU, recipe.evaluate)
        for asked in (recipe.predict, sharpening)
    )
    n = len(plain.indices)
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), 2000).astype(float)
    weights = np.concatenate([np.ones((1, n)), drawn])
    found: list[tuple[str | float, ...]] = []
    for metric in METRICS:
        without, with_it = (said.evidence(metric)(weights) for said in (plain, sharp))
        difference = with_it - without
        low, high = np.quantile(difference[1:], [0.025, 0.975])
        found.append((metric, *(round(float(x), 5) for x in (without[0], with_it[0], difference[0], low, high))))
    return found


if __name__ == "__main__":
    main()
