"""The augmentations: what each does to known pictures, per image, within 0…1."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from assay.data.augment import augmenter
from assay.errors import AssayError
from assay.recipe import AUGMENTATIONS, MIXES, Augmentation

SINGLE = [name for name in AUGMENTATIONS if name not in MIXES]
"""The augmentations of one image at a time."""


def augmented(images: Tensor, *augment: tuple[str, float], seed: int = 0) -> Tensor:
    change = augmenter(tuple(Augmentation(name=name, amount=amount) for name, amount in augment))
    if change is None:
        return images
    drawn = change.draw(len(images), torch.Generator().manual_seed(seed))
    changed, _ = change(images.clone(), torch.zeros(len(images), dtype=torch.int64), drawn)
    return changed


def noise(n: int = 64, channels: int = 3, height: int = 12, width: int = 10) -> Tensor:
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(3))


def same(n: int = 64) -> Tensor:
    return noise(1).expand(n, -1, -1, -1).clone()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", SINGLE)
def test_shape_type_and_range_are_kept(name: str, channels: int) -> None:
    images = noise(channels=channels)
    found = augmented(images, (name, AUGMENTATIONS[name][0]))
    assert found.shape == images.shape
    assert found.dtype == torch.float32
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("name", SINGLE)
def test_each_image_draws_its_own(name: str) -> None:
    found = augmented(same(), (name, AUGMENTATIONS[name][0]))
    assert len({image.numpy().tobytes() for image in found}) >= 2
    if "flip" not in name:
        assert len({image.numpy().tobytes() for image in found}) > 20


@pytest.mark.parametrize("name", SINGLE)
def test_the_seed_decides(name: str) -> None:
    amount = AUGMENTATIONS[name][0]
    assert torch.equal(augmented(noise(), (name, amount)), augmented(noise(), (name, amount)))
    assert not torch.equal(augmented(noise(), (name, amount)), augmented(noise(), (name, amount), seed=1))


@pytest.mark.parametrize("name", SINGLE)
def test_amount_0_changes_nothing(name: str) -> None:
    assert torch.equal(augmented(noise(), (name, 0.0)), noise())


@pytest.mark.parametrize(("name", "side"), [("horizontal_flip", 3), ("vertical_flip", 2)])
def test_flips(name: str, side: int) -> None:
    images = noise()
    assert torch.equal(augmented(images, (name, 1.0)), images.flip(side))
    flipped = [torch.equal(a, b.flip(side - 1)) for a, b in zip(augmented(images, (name, 0.25)), images, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(augmented(images, (name, 0.25)), images, strict=True)]
    assert all(a != b for a, b in zip(flipped, kept, strict=True))
    assert 5 <= sum(flipped) <= 30


def angles(found: Tensor) -> Tensor:
    """Degrees by which a single dot, first due right of the centre, has gone round."""
    _, _, h, w = found.shape
    y, x = torch.meshgrid(torch.arange(h) - (h - 1) / 2, torch.arange(w) - (w - 1) / 2, indexing="ij")
    mass = found.sum((1, 2, 3))
    return torch.rad2deg(torch.atan2((found[:, 0] * y).sum((1, 2)) / mass, (found[:, 0] * x).sum((1, 2)) / mass))


def test_rotation_turns_about_the_centre_both_ways_within_its_bound() -> None:
    images = torch.zeros(200, 1, 41, 41)
    images[:, :, 19:22, 33:36] = 1
    found = angles(augmented(images, ("rotation", 30.0)))
    assert found.abs().max() <= 31
    assert found.min() < -20
    assert found.max() > 20


def centres(found: Tensor) -> tuple[Tensor, Tensor]:
    y = (found.sum((1, 3)) * torch.arange(found.shape[2])).sum(1) / found.sum((1, 2, 3))
    x = (found.sum((1, 2)) * torch.arange(found.shape[3])).sum(1) / found.sum((1, 2, 3))
    return y, x


def test_translation_is_a_share_of_each_side() -> None:
    images = torch.zeros(300, 1, 20, 40)
    images[:, :, 9:12, 19:22] = 1
    y, x = centres(augmented(images, ("translation", 0.2)))
    assert 3.5 < (y - 10).abs().max() <= 4.01
    assert 7.0 < (x - 20).abs().max() <= 8.01


def test_zoom_changes_the_scale_about_the_centre() -> None:
    images = torch.zeros(300, 1, 41, 41)
    images[:, :, 10:31, 10:31] = 1
    found = augmented(images, ("zoom", 0.2))
    sides = found.sum((1, 2, 3)).sqrt()
    assert 0.78 < sides.min() / 21 < 0.85
    assert 1.15 < sides.max() / 21 < 1.22
    y, x = centres(found)
    np.testing.assert_allclose(torch.cat([y, x]), 20, atol=0.05)


def test_crop_shifts_by_whole_pixels_and_fills_with_black() -> None:
    images = same(200) + 0.01
    padded = torch.nn.functional.pad(images[0], (2, 2, 2, 2))
    windows = {(i, j): padded[:, i : i + 12, j : j + 10] for i in range(5) for j in range(5)}
    seen = set()
    for image in augmented(images, ("crop", 2.0)):
        place = [at for at, window in windows.items() if torch.equal(window, image)]
        assert len(place) == 1
        seen.add(place[0])
    assert len(seen) == 25


@pytest.mark.parametrize("order", [("horizontal_flip", "crop"), ("crop", "horizontal_flip")])
def test_flip_and_crop_together_give_every_window_of_both_sides_to_the_bit(order: tuple[str, str]) -> None:
    image = noise(1, height=32, width=32)[0] + 0.01
    padded = torch.nn.functional.pad(image, (4, 4, 4, 4))
    windows = {
        side[:, i : i + 32, j : j + 32].numpy().tobytes()
        for side in (padded, padded.flip(2))
        for i in range(9)
        for j in range(9)
    }
    amounts = {"horizontal_flip": 0.5, "crop": 4.0}
    found = augmented(image.expand(2000, -1, -1, -1), *((name, amounts[name]) for name in order))
    assert {each.numpy().tobytes() for each in found} == windows
    assert len(windows) == 2 * 9 * 9


def test_crop_by_a_part_of_a_pixel_is_refused() -> None:
    with pytest.raises(AssayError, match="whole number"):
        augmented(noise(), ("crop", 1.5))


def test_brightness_multiplies_as_torchvision_does() -> None:
    images = noise() * 0.5
    factors = (augmented(images, ("brightness", 0.2)) / images).flatten(1)
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors), rtol=1e-4, atol=1e-4)
    assert 0.8 <= factors.min() < 0.85
    assert 1.15 < factors.max() <= 1.2001


@pytest.mark.parametrize("channels", [1, 3])
def test_contrast_moves_away_from_the_mean_as_torchvision_does(channels: int) -> None:
    from torchvision.transforms.functional import adjust_contrast

    images = noise(channels=channels) * 0.4 + 0.3
    for image, found in zip(images, augmented(images, ("contrast", 0.2)), strict=True):
        factor = float(found.std() / image.std())
        assert 0.79 < factor < 1.21
        torch.testing.assert_close(found, adjust_contrast(image, factor), atol=2e-3, rtol=0)


def test_erase_blackens_one_rectangle() -> None:
    images = torch.ones(200, 3, 20, 20)
    found = augmented(images, ("erase", 0.5))
    erased = 0
    for image in found:
        holes = (image == 0).all(0)
        assert torch.equal(holes, (image != 1).any(0))
        if holes.any():
            erased += 1
            rows, columns = holes.any(1).sum(), holes.any(0).sum()
            assert holes.sum() == rows * columns
            assert holes.float().mean() <= 0.4
    assert 70 <= erased <= 130


def test_several_are_applied_in_the_recipes_order() -> None:
    images = torch.zeros(1, 1, 9, 9)
    images[0, 0, 1, 2] = 1
    for names in (("horizontal_flip", "vertical_flip"), ("vertical_flip", "horizontal_flip")):
        found = augmented(images, *((name, 1.0) for name in names))
        assert found[0, 0].nonzero().tolist() == [[7, 6]]
    first_black = augmented(torch.ones(50, 1, 8, 8), ("erase", 1.0), ("contrast", 1.0))
    last_black = augmented(torch.ones(50, 1, 8, 8), ("contrast", 1.0), ("erase", 1.0))
    assert not torch.equal(first_black, last_black)
    assert math.isclose(float((last_black == 0).float().sum((1, 2, 3)).clamp(max=1).mean()), 1.0)
