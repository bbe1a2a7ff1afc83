"""MedMNIST's npz: three splits, classes or tags, gray or RGB; volumes are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.data import load, open_images
from assay.errors import AssayError
from assay.recipe import Data

SIZES = {"train": 12, "val": 6, "test": 8}


def npz(path: Path, channels: tuple[int, ...] = (), tags: int = 0, **more: Any) -> Path:
    rng, arrays = np.random.default_rng(0), {}
    for part, n in SIZES.items():
        arrays[f"{part}_images"] = rng.integers(0, 256, (n, 28, 28, *channels)).astype(np.uint8)
        labels = (np.arange(n)[:, None] >> np.arange(tags) & 1) if tags else (np.arange(n) % 2)[:, None]
        arrays[f"{part}_labels"] = labels.astype(np.uint8)
    np.savez(path, **(arrays | more))
    return path


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("source", ["pathmnist", "pathmnist.npz"])
def test_its_own_splits_and_pixels(tmp_path: Path, channels: tuple[int, ...], source: str) -> None:
    arrays = np.load(npz(tmp_path / "pathmnist.npz", channels))
    data = load(Data(source=source), 0, tmp_path)
    assert {split: len(rows) for split, rows in data.indices.items()} == {"train": 12, "validation": 6, "test": 8}
    theirs = arrays["val_images"]
    theirs = theirs.transpose(0, 3, 1, 2) if channels else theirs[:, None]
    np.testing.assert_array_equal(data.images.pixels[data.indices["validation"]], theirs)
    assert data.images.labels[data.indices["test"]].tolist() == [0, 1] * 4
    assert data.images.classes == ["0", "1"]


def test_names_of_classes_that_are_given_are_used(tmp_path: Path) -> None:
    npz(tmp_path / "x.npz", class_names=np.array(["normal", "pneumonia"]))
    assert open_images(Data(source="x"), tmp_path).classes == ["normal", "pneumonia"]


def test_several_numbers_are_tags(tmp_path: Path) -> None:
    npz(tmp_path / "chestmnist.npz", tags=3)
    images = open_images(Data(source="chestmnist"), tmp_path)
    assert images.targets.kind == "tags"
    assert images.targets.line(5) == "101"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"train_images": np.zeros((12, 28, 28, 28), np.uint8)}, "12×28×28×28, volumes of three dimensions"),
        ({"train_images": np.zeros((12, 28, 28), np.float32)}, "float32 of 12×28×28, expected uint8"),
        (
            {"train_labels": np.zeros((11, 1), np.uint8)},
            "train_labels holds uint8 of 11×1, expected",
        ),
        ({"train_labels": np.full((12, 2), 1, np.uint8)}, "its splits have 1 and 2 labels a picture"),
        ({"class_names": np.array(["one"])}, "names 1 classes and has labels of 2"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    npz(tmp_path / "x.npz", **more)
    with pytest.raises(AssayError, match=message):
        open_images(Data(source="x.npz"), tmp_path)


def test_another_npz_and_a_cut_one_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    with pytest.raises(AssayError, match=r"has no array 'train_images', as MedMNIST's files have; it holds a"):
        open_images(Data(source="x.npz"), tmp_path)
    whole = npz(tmp_path / "y.npz").read_bytes()
    (tmp_path / "y.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AssayError, match=r"y\.npz is not a whole npz file"):
        open_images(Data(source="y.npz"), tmp_path)
