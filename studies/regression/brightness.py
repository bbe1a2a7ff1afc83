"""Writes ``brightness.csv``, which studies/regression/brightness.yaml reads: what share of each brain scan is bright.

    python studies/regression/brightness.py $ASSAY_DATA/brain-mri.zip

A scan's brightness is its 99th percentile. The head is what is above a tenth of it, and bright what is above 60 %;
``bright`` is the bright part of the head in percent.
"""

import csv
import sys
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from PIL import Image

HEAD, BRIGHT = 0.1, 0.6


def bright_share(scan: np.ndarray) -> float:
    """Of gray levels (h, w), in percent."""
    brightness = np.percentile(scan, 99)
    return 100 * (scan > BRIGHT * brightness).sum() / (scan > HEAD * brightness).sum()


def main(pictures: Path, table: Path = Path("brightness.csv")) -> None:
    """A row a picture: its name in the zip, and the share."""
    with ZipFile(pictures) as archive, table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "bright"])
        for name in sorted(archive.namelist()):
            if name.endswith(".jpg"):
                with archive.open(name) as picture:
                    scan = np.asarray(Image.open(picture).convert("L"), dtype=np.float64)
                rows.writerow([name, f"{bright_share(scan):.4f}"])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
