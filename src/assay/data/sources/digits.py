"""The handwritten digits that scikit-learn ships (UCI "Optical Recognition of Handwritten Digits"), 8×8."""

from pathlib import Path

import numpy as np
from PIL import Image

from assay.data.images import Contents, Source
from assay.data.targets import Labels


def digits(root: Path) -> Source:
    """1,797 images without a test split of their own; the original's 0…16 becomes 0…255."""
    return Source(where="digits", identity=["digits", 1], contents=_contents)


def _contents() -> Contents:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    return Contents(
        classes=[str(name) for name in bunch.target_names],
        names=[f"{i:05d}" for i in range(len(pixels))],
        targets=Labels(bunch.target.astype(np.int64)),
        is_test=np.zeros(len(pixels), dtype=bool),
        image=lambda i: Image.fromarray(pixels[i]),
    )
