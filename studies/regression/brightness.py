"""The share of each brain scan's area that is bright, as a table.

    python studies/regression/brightness.py data/brain-mri.zip > brightness.csv

Bright is a pixel above half of the scan's own 99th percentile, so that the exposure of a scan does not count.
"""

import csv
import io
import sys
import zipfile

import numpy as np
from PIL import Image


def main() -> None:
    """A row for each picture of the zip that is named first on the command line."""
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["image", "bright"])
    with zipfile.ZipFile(sys.argv[1]) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".jpg"):
                pixels = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("L"), dtype=np.float64)
                table.writerow([name, f"{(pixels > np.quantile(pixels, 0.99) / 2).mean():.6f}"])


if __name__ == "__main__":
    main()
