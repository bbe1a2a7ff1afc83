"""Images that lie on the card against the same images staged from the processor's memory, images per second.

timm's resnet50 in bfloat16 with channels last, batches of 128, on 20,000 random pictures of 224 × 224: the second of
two epochs, once with all pixels (3 GB) on the card, once with none of them there, as where they do not fit. Target:
staged at least 0.95 of resident."""

import numpy as np
from bench_card import assay_rate
from benchmark import card, verdict

from assay.data import ImageData, ImageSet, gathering
from assay.data.targets import Labels
from assay.recipe import Recipe

IMAGES, SIDE = 20_000, 224
RECIPE = {
    "data": {"source": "digits"},
    "model": {"name": "timm/resnet50"},
    "train": {"epochs": 2, "batch_size": 128, "keep": "last", "precision": "bfloat16", "channels_last": True},
}


def pictures() -> ImageData:
    rng, none = np.random.default_rng(0), np.zeros(0, np.int64)
    pixels = rng.integers(0, 256, (IMAGES, 3, SIDE, SIDE), dtype=np.uint8)
    labels, names = Labels(rng.integers(0, 10, IMAGES)), [str(i) for i in range(IMAGES)]
    images = ImageSet(pixels, labels, names, np.zeros(IMAGES, bool), [str(c) for c in range(10)], [])
    half = np.full(3, 0.5, np.float32)
    return ImageData(images, {"train": np.arange(IMAGES), "validation": none, "test": none}, half, half)


def main() -> None:
    device = card()
    recipe, data = Recipe.model_validate(RECIPE), pictures()
    resident = assay_rate(recipe, data, device)
    gathering.RESIDENT_SHARE = 0.0
    staged = assay_rate(recipe, pictures(), device)
    print(f"resident {resident:,.0f}, staged {staged:,.0f} images/s")
    verdict("staged / resident", staged / resident, 0.95, " ×", at_least=True)


if __name__ == "__main__":
    main()
