"""Random changes of training images: each image draws its own, and what is true of it moves with it.

All steps that move pixels are one matrix an image and one resampling, whatever stands between them in the recipe; then
the steps that paint come in the recipe's order. Images are in 0…1, before normalisation; what moves in from outside the
picture is black (zero), and gray where the picture has boxes (``boxes.AROUND``).
"""

from dataclasses import dataclass
from functools import reduce
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor

from assay.data import affine, colour, rand_augment
from assay.data.affine import Bytes, Images, Matrices, Uniform
from assay.data.boxes import AROUND, BoxBatch
from assay.data.geometry import Size
from assay.data.moving import moved
from assay.data.targets import Target
from assay.errors import AssayError
from assay.recipe import Augmentation

MOVES: dict[str, tuple[int, affine.Move]] = {
    "horizontal_flip": (1, affine.horizontal_flip),
    "vertical_flip": (1, affine.vertical_flip),
    "rotation": (1, affine.rotation),
    "translation": (2, affine.translation),
    "zoom": (1, affine.zoom),
    "crop": (2, affine.crop),
    "random_resized_crop": (4, affine.random_resized_crop),
    "rand_augment": (rand_augment.NUMBERS, rand_augment.moves),
}
"""Name → (random numbers an image, what moves it)."""
WHOLE_PIXELS = {"horizontal_flip", "vertical_flip", "crop"}
PAINTS: dict[str, tuple[int, colour.Paint]] = {
    "brightness": (1, colour.brightness),
    "contrast": (1, colour.contrast),
    "saturation": (1, colour.saturation),
    "hue": (1, colour.hue),
    "color_jitter": (4, colour.color_jitter),
    "erase": (5, colour.erase),
    "rand_augment": (rand_augment.NUMBERS, rand_augment.paints),
}
"""Name → (random numbers an image, what paints it). A step that moves too has the same numbers for both."""


@dataclass(frozen=True)
class Moved:
    """A move before all others, to images of another size."""

    matrix: Matrices
    size: Size


@dataclass(frozen=True)
class Augmenter:
    """The augmentations of a recipe, as a function of the random numbers that each image has drawn."""

    steps: tuple[Augmentation, ...]

    @property
    def numbers(self) -> list[int]:
        """Random numbers that an image draws for each step."""
        return [(MOVES | PAINTS)[step.name][0] for step in self.steps]

    def draw(self, images: int, generator: torch.Generator) -> Uniform:
        """The random numbers of so many images, a row each."""
        return torch.rand(images, sum(self.numbers), generator=generator)

    def __call__(
        self, images: Images | Bytes, target: Target, drawn: Uniform, first: Moved | None = None
    ) -> tuple[Float[Tensor, "batch channels h w"], Target]:
        """The images changed, in 0…1, and what is true of them moved, ``first`` as it says."""
        before = images.shape[2], images.shape[3]
        size = first.size if first else before
        matrix = self.matrix(drawn, size, first)
        if matrix is not None:
            whole = not first and all(step.name in WHOLE_PIXELS for step in self.steps if step.name in MOVES)
            around = AROUND / 255 if isinstance(target, BoxBatch) else 0.0
            images = affine.resampled(images, matrix, "nearest" if whole else "bilinear", size, around)
            target = moved(target, matrix, before, size)
        images = affine.unit(images)
        for step, u in self._with_own(drawn):
            if step.name in PAINTS:
                images = PAINTS[step.name][1](step.amount, u, images)
        return images, target

    def matrix(self, drawn: Uniform, size: Size, first: Moved | None = None) -> Matrices | None:
        """What moves images that end with that size, ``first`` before all; None where nothing does."""
        moves = [] if first is None else [first.matrix]
        moves += [MOVES[step.name][1](step.amount, u, size) for step, u in self._with_own(drawn) if step.name in MOVES]
        return reduce(affine.composed, moves) if moves else None

    def _with_own(self, drawn: Uniform) -> list[tuple[Augmentation, Tensor]]:
        """Each step with the random numbers that are its own."""
        starts = accumulate(self.numbers, initial=0)
        return [
            (step, drawn[:, start : start + numbers])
            for step, start, numbers in zip(self.steps, starts, self.numbers, strict=False)
        ]


def augmenter(augment: tuple[Augmentation, ...], always: bool = False) -> Augmenter | None:
    """The augmentations that change single images, as one function; None where there are none, but for ``always``.

    Raises:
        AssayError: ``crop`` by a part of a pixel.
    """
    for step in augment:
        if step.name == "crop" and step.amount != int(step.amount):
            raise AssayError(f"data.augment crop: {step.amount:g} is not a whole number of pixels")
    steps = tuple(step for step in augment if step.amount and step.name in MOVES | PAINTS)
    return Augmenter(steps) if steps or always else None
