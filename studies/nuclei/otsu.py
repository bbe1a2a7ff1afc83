"""What Otsu's threshold finds of the nuclei that finished runs were tested on.

    python studies/nuclei/otsu.py data/nuclei.zip RUN… > otsu.csv

The threshold splits each picture's gray values where the variance between the two sides is largest; the side with fewer
pixels is called nucleus, since some pictures are dark on bright. A row a run and metric: threshold, network, difference
and its 95 % interval by 2,000 resamples of the test pictures.
"""

import csv
import io
import sys
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import polars as pl
from PIL import Image

Counts = np.ndarray
"""Of each picture a confusion matrix: background, nucleus; rows true, columns said."""


def main() -> None:
    """The table of the runs that stand on the command line behind the zip."""
    if len(sys.argv) < 3:
        sys.exit(
            "otsu.py: expected the zip and a run at least, as in: python studies/nuclei/otsu.py data/nuclei.zip RUN"
        )
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["run", "metric", "otsu", "network", "difference", "low", "high"])
    with zipfile.ZipFile(sys.argv[1]) as archive:
        for run in sys.argv[2:]:
            for row in rows(Path(run), archive):
                table.writerow([run, *row])


def rows(run: Path, archive: zipfile.ZipFile) -> list[tuple[str | float, ...]]:
    """Metric, threshold, network, difference and its interval."""
    tested = pl.read_parquet(run / "predictions.parquet").filter(pl.col("split") == "test")
    network = np.array(tested["confusion"].to_list()).reshape(-1, 2, 2)
    otsu = np.stack([thresholded(archive, PurePosixPath(name).stem) for name in tested["name"]])
    n = len(network)
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), 2000)
    weights = np.concatenate([np.ones((1, n)), drawn])
    found: list[tuple[str | float, ...]] = []
    for metric, score in METRICS.items():
        without, with_it = score(otsu, weights), score(network, weights)
        low, high = np.quantile((with_it - without)[1:], [0.025, 0.975])
        found.append(
            (metric, *(round(float(x), 4) for x in (without[0], with_it[0], (with_it - without)[0], low, high)))
        )
    return found


def thresholded(archive: zipfile.ZipFile, stem: str) -> Counts:
    """The matrix of one picture."""
    gray, truth = (
        np.asarray(Image.open(io.BytesIO(archive.read(name))).convert(mode))
        for name, mode in ((f"images/{stem}.jpg", "L"), (f"masks/{stem}.png", "P"))
    )
    bright = gray > threshold(gray)
    said = bright if bright.mean() <= 0.5 else ~bright
    return np.bincount(2 * truth.ravel().astype(int) + said.ravel(), minlength=4).reshape(2, 2)


def threshold(gray: np.ndarray) -> int:
    """The last value of the darker side (Otsu 1979)."""
    counts = np.bincount(gray.ravel(), minlength=256).astype(float)
    below, mass = counts.cumsum(), (counts * np.arange(256)).cumsum()
    above = below[-1] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    return int(np.nanargmax(between)) if np.isfinite(between).any() else 255


def ious(matrices: Counts) -> np.ndarray:
    """IoU of background and nucleus, of each matrix; nan where a class is nowhere."""
    hits = np.diagonal(matrices, axis1=-2, axis2=-1).astype(float)
    with np.errstate(invalid="ignore"):
        return hits / (matrices.sum(-1) + matrices.sum(-2) - hits)


def of_set(matrices: Counts, weights: np.ndarray) -> np.ndarray:
    """The IoUs of all pixels together, for each row of picture weights."""
    return ious(np.einsum("bn,nij->bij", weights, matrices))


METRICS = {
    "miou": lambda matrices, weights: of_set(matrices, weights).mean(-1),
    "iou_nucleus": lambda matrices, weights: of_set(matrices, weights)[:, 1],
    "miou_per_image": lambda matrices, weights: weights @ np.nanmean(ious(matrices), axis=1) / weights.sum(1),
}


if __name__ == "__main__":
    main()
