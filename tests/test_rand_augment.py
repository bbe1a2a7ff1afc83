"""RandAugment: its operations are torchvision's, drawn for each image, and what is true of it moves along."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode, functional

from assay.data.affine import resampled
from assay.data.augment import augmenter
from assay.data.boxes import BoxBatch
from assay.data.rand_augment import NUMBERS, OPERATIONS, moves, paints
from assay.recipe import Augmentation, Recipe
from assay.recipe.validation import mistakes
from assay.tools.names import names

SIZE = (20, 30)
BILINEAR = InterpolationMode.BILINEAR


def drawn(*operations: tuple[str, int], images: int = 1) -> Tensor:
    """The random numbers of images that all draw these operations, 1 or −1 their way; else none."""
    u = torch.full((images, NUMBERS), 0.5 / len(OPERATIONS))  # identity
    for number, (name, way) in enumerate(operations):
        u[:, 2 * number] = (OPERATIONS.index(name) + 0.5) / len(OPERATIONS)
        u[:, 2 * number + 1] = (1 + way) / 2
    return u


def levels(n: int = 6, channels: int = 3) -> Tensor:
    """Pictures of 8 bits, not of the whole range."""
    return torch.randint(20, 220, (n, channels, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


def affine(images: Tensor, translate: tuple[int, int] = (0, 0), shear: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Shears about the top left corner, by a tangent."""
    degrees = torch.rad2deg(torch.tensor(shear).atan()).tolist()
    return functional.affine(images, 0.0, list(translate), 1.0, degrees, BILINEAR, center=[0, 0])


MOVES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "shear_x": lambda images, way: affine(images, shear=(way * 0.09, 0.0)),
    "shear_y": lambda images, way: affine(images, shear=(0.0, way * 0.09)),
    "translate_x": lambda images, way: affine(images, (way * int(30 * 0.3 * 150 / 331), 0)),
    "translate_y": lambda images, way: affine(images, (0, way * int(20 * 0.3 * 150 / 331))),
    "rotate": lambda images, way: functional.rotate(images, way * 9.0, BILINEAR),
}
"""By torchvision, at a strength of 9, which is 0.3 of the strongest."""
PAINTS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "brightness": lambda images, way: functional.adjust_brightness(images, 1 + way * 0.27),
    "color": lambda images, way: functional.adjust_saturation(images, 1 + way * 0.27),
    "contrast": lambda images, way: functional.adjust_contrast(images, 1 + way * 0.27),
    "sharpness": lambda images, way: functional.adjust_sharpness(images, 1 + way * 0.27),
    "solarize": lambda images, way: functional.solarize(images, 0.7),
    "autocontrast": lambda images, way: functional.autocontrast(images),
}
BY_LEVEL: dict[str, Callable[[Tensor], Tensor]] = {
    "posterize": lambda images: functional.posterize(images, 7),
    "solarize": lambda images: functional.solarize(images, 255 * 0.7),
    "equalize": functional.equalize,
}
"""Those that are of pictures of 8 bits."""


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize("name", MOVES)
def test_a_move_is_torchvisions(name: str, way: int) -> None:
    images = levels() / 255
    found = resampled(images, moves(9.0, drawn((name, way), images=6), SIZE), "bilinear")
    torch.testing.assert_close(found, MOVES[name](images, way), rtol=0, atol=1e-4)
    assert torch.equal(paints(9.0, drawn((name, way), images=6), images), images)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize("name", PAINTS)
def test_a_change_of_light_or_colour_is_torchvisions(name: str, way: int, channels: int) -> None:
    images = levels(channels=channels) / 255
    found = paints(9.0, drawn((name, way), images=6), images)
    torch.testing.assert_close(found, PAINTS[name](images, way), rtol=0, atol=1e-4)
    still = moves(9.0, drawn((name, way), images=6), SIZE)
    assert torch.equal(still, torch.eye(2, 3).expand(6, 2, 3))


@pytest.mark.parametrize("name", BY_LEVEL)
def test_pictures_of_8_bits_are_changed_level_by_level_as_torchvision_does(name: str) -> None:
    images = levels()
    found = paints(9.0, drawn((name, 1), images=6), images / 255)
    assert torch.equal((found * 255).round().to(torch.uint8), BY_LEVEL[name](images))


def test_the_strongest() -> None:
    images = levels() / 255
    assert torch.equal(
        (paints(30.0, drawn(("posterize", 1), images=6), images) * 255).round().to(torch.uint8), levels() & 0xF0
    )
    torch.testing.assert_close(paints(30.0, drawn(("solarize", 1), images=6), images), 1 - images)
    a, b, x = moves(30.0, drawn(("shear_x", 1)), SIZE)[0, 0].tolist()
    assert (a, b, x) == pytest.approx((1, -0.3, -3))


def test_two_operations_follow_one_another() -> None:
    images = levels() / 255
    both = drawn(("brightness", -1), ("solarize", 1), images=6)
    one = PAINTS["solarize"](PAINTS["brightness"](images, -1), 1)
    torch.testing.assert_close(paints(9.0, both, images), one)
    assert not torch.equal(one, PAINTS["brightness"](PAINTS["solarize"](images, 1), -1))
    first, then = (moves(9.0, drawn(each), SIZE)[0] for each in (("shear_x", 1), ("rotate", 1)))
    together = moves(9.0, drawn(("shear_x", 1), ("rotate", 1)), SIZE)[0]
    point = torch.tensor([3.0, -2.0])
    torch.testing.assert_close(
        together[:, :2] @ point + together[:, 2], then[:, :2] @ (first[:, :2] @ point + first[:, 2]) + then[:, 2]
    )


def test_each_image_draws_its_own_and_each_operation_as_often() -> None:
    change = augmenter((Augmentation(name="rand_augment", amount=9.0),))
    assert change is not None
    u = change.draw(14_000, torch.Generator().manual_seed(0))
    assert u.shape == (14_000, 4)
    for column in (0, 2):
        counted = Counter((u[:, column] * 14).long().tolist())
        assert set(counted) == set(range(14))
        assert all(850 < count < 1150 for count in counted.values())
    images = (levels(1) / 255).expand(64, -1, -1, -1)
    found, _ = change(images, torch.zeros(64), u[:64])
    assert len({image.numpy().tobytes() for image in found}) > 40
    one, _ = change(images[:1], torch.zeros(1), u[17:18])  # alone as among others
    torch.testing.assert_close(one[0], found[17])


def test_boxes_and_masks_move_along_and_only_where_pixels_move() -> None:
    change = augmenter((Augmentation(name="rand_augment", amount=30.0),))
    assert change is not None
    mask = torch.zeros(1, *SIZE, dtype=torch.uint8)
    mask[:, 6:12, 10:16] = 1
    boxes = BoxBatch(torch.tensor([[[10.0, 6.0, 16.0, 12.0]]]), torch.zeros(1, 1, dtype=torch.int64))
    u = drawn(("translate_y", -1), ("brightness", 1))
    images, there = change(mask[:, None].float(), boxes, u)
    assert there.edges.tolist() == [[[10.0, 0.0, 16.0, 3.0]]]  # by int(20 · 150/331) = 9, cut off at the edge
    _, moved = change(mask[:, None].float(), mask, u)
    assert moved[0, :3, 10:16].eq(1).all()
    assert images[0, 0, :3, 10:16].eq(1).all()
    _, still = change(mask[:, None].float(), mask, drawn(("equalize", 1), ("color", 1)))
    assert torch.equal(still, mask)


def test_it_is_one_resampling_with_other_moves() -> None:
    change = augmenter(
        (Augmentation(name="horizontal_flip", amount=1.0), Augmentation(name="rand_augment", amount=9.0))
    )
    assert change is not None
    images = levels() / 255
    u = torch.cat([torch.zeros(6, 1), drawn(("translate_x", 1), images=6)], dim=1)
    found, _ = change(images, torch.zeros(6), u)
    torch.testing.assert_close(found, MOVES["translate_x"](images.flip(-1), 1), rtol=0, atol=1e-4)


def test_it_is_known_and_its_strength_has_an_end() -> None:
    base = {"data": {"source": "digits", "augment": ["rand_augment"]}, "model": {"name": "mlp"}}
    assert Recipe.model_validate(base).data.augment == (Augmentation(name="rand_augment", amount=9.0),)
    (line,) = mistakes(Recipe, base | {"data": {"source": "digits", "augment": [{"rand_augment": 31}]}})
    assert "rand_augment takes at most 30" in line
    assert names("augmentations")["rand_augment"].endswith("(9)")


def test_the_stronger_the_further() -> None:
    images = levels() / 255
    for name in ("brightness", "sharpness", "posterize"):
        far = [
            (paints(strength, drawn((name, 1), images=6), images) - images).abs().mean()
            for strength in (5.0, 15.0, 30.0)
        ]
        assert all(one < other for one, other in pairwise(far)), name
