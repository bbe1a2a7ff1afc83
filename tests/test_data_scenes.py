"""The drawn scenes: the same everywhere, every pixel's class exact, one class small and rare."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from assay.data import ImageSet, open_images
from assay.data.own_masks import VOID
from assay.data.sources.scenes import CLASSES, scene
from assay.recipe import Data


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("scenes")))
        return open_images(Data(source="scenes"), Path())


def test_they_are_300_to_train_on_and_100_to_test_each_with_its_mask(images: ImageSet) -> None:
    assert (images.pixels.shape, images.is_test.sum()) == ((400, 3, 64, 64), 100)
    assert images.classes == ["background", "disc", "square", "triangle"]
    for i in (0, 299, 300, 399):
        picture, mask = scene(i)
        np.testing.assert_array_equal(images.pixels[i].transpose(1, 2, 0), picture)
        np.testing.assert_array_equal(images.targets.own(i), mask)


def test_they_are_the_same_on_every_machine() -> None:
    masks = b"".join(scene(i)[1].tobytes() for i in range(20))
    assert hashlib.sha256(masks).hexdigest()[:16] == "3e13a2a81d9ae71a"


def test_every_class_is_in_both_splits_and_the_triangle_is_rare(images: ImageSet) -> None:
    counts = images.targets.counts
    assert set(np.flatnonzero(counts.sum(0))) == {0, 1, 2, 3, VOID}
    for split in (images.is_test, ~images.is_test):
        assert (counts[split][:, :4] > 0).sum(0).min() > 15
    share = counts.sum(0) / counts.sum()
    assert 0.001 < share[CLASSES.index("triangle")] < 0.01 < share[CLASSES.index("square")]
    assert 0.005 < share[VOID] < 0.04
    assert set(images.targets.strata()) == {0, 1, 2, 3}


def test_void_pixels_are_the_rims_of_shapes(images: ImageSet) -> None:
    for i in range(40):
        mask = images.targets.own(i)
        shapes = (mask != 0) & (mask != VOID)
        assert not ((mask == VOID) & ~ndimage.binary_dilation(shapes, np.ones((5, 5)))).any()


def test_a_disc_is_all_that_lies_within_its_radius(images: ImageSet) -> None:
    over = []
    for i in np.flatnonzero((images.targets.counts[:, 2:4] == 0).all(axis=1)).tolist():
        mask = images.targets.own(i)
        parts, number = ndimage.label(mask != 0)
        if number == 1:
            y, x = np.indices(mask.shape)
            middle = ndimage.center_of_mass(parts)
            distance = np.hypot(y - middle[0], x - middle[1])
            over.append(distance[mask == 1].max() - distance[mask == 0].min())
    assert len(over) > 40
    assert (np.array(over) < 0.3).mean() > 0.6  # the others are two discs that touch
