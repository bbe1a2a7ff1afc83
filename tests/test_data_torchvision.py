"""The sets that torchvision reads, from small files in the formats that they come in."""

import re
from pathlib import Path

import numpy as np
import pytest

import torchvision_files as files
from assay.data import load, open_images
from assay.data.sources.catalogue import SOURCES, find
from assay.data.sources.torchvision_sets import SETS
from assay.errors import AssayError
from assay.recipe import Data
from documented import ROOT


@pytest.mark.parametrize("folder", ["", "stl10"])
def test_stl10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    files.stl10(tmp_path / folder, monkeypatch)
    images = open_images(Data(source="stl10"), tmp_path)
    np.testing.assert_array_equal(images.pixels[0], files.pixels(20, 3, 96, 96)[0].transpose(0, 2, 1))
    assert images.labels.tolist() == [k % 10 for k in range(30)]
    assert images.is_test.tolist() == [False] * 20 + [True] * 10
    assert images.classes == files.STL10_NAMES


def test_cifar100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.cifar100(tmp_path, monkeypatch)
    images = open_images(Data(source="cifar100"), tmp_path)
    np.testing.assert_array_equal(images.pixels[7].ravel(), files.pixels(200, 3072)[7])
    assert images.labels[:3].tolist() == [0, 1, 2]
    assert images.classes[99] == "class 99"
    assert images.is_test.sum() == 100


def test_svhn_calls_its_tenth_digit_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.svhn(tmp_path, monkeypatch)
    images = open_images(Data(source="svhn"), tmp_path)
    assert images.labels[:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert images.classes == [str(k) for k in range(10)]
    np.testing.assert_array_equal(images.pixels[3], files.pixels(32, 32, 3, 20)[..., 3].transpose(2, 0, 1))


def test_flowers102_has_its_own_validation_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.flowers102(tmp_path, monkeypatch)
    data = load(Data(source="flowers102", size=8), 0, tmp_path)
    assert {split: len(rows) for split, rows in data.indices.items()} == {"train": 204, "validation": 102, "test": 102}
    assert data.images.classes[:2] == ["pink primrose", "hard-leaved pocket orchid"]
    assert data.images.pixels[5].mean() == pytest.approx(6, abs=2)


def test_pets_have_breeds_or_masks(tmp_path: Path) -> None:
    files.oxford_pets(tmp_path)
    breeds = open_images(Data(source="oxford-pets"), tmp_path)
    assert breeds.classes == ["Abyssinian", "Great Pyrenees"]
    assert breeds.labels.tolist() == [0] * 6 + [1] * 6 + [0] * 3 + [1] * 3
    masks = open_images(Data(source="oxford-pets-masks"), tmp_path)
    assert masks.classes == ["background", "pet"]
    assert breeds.notes == masks.notes == []
    own = masks.targets.own(0)
    assert [(own == value).sum() for value in (0, 1, 255)] == [20 * 24 - 64, 56, 8]


def test_dtd_by_its_lists(tmp_path: Path) -> None:
    files.dtd(tmp_path)
    images = open_images(Data(source="dtd"), tmp_path)
    assert images.classes == ["banded", "woven"]
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1] * 3
    assert images.is_validation is not None
    assert images.is_validation.sum() == images.is_test.sum() == 6


def test_eurosat_has_no_split_of_its_own(tmp_path: Path) -> None:
    files.eurosat(tmp_path)
    images = open_images(Data(source="eurosat"), tmp_path)
    assert images.classes == ["Forest", "River"]
    assert not images.is_test.any()


@pytest.mark.parametrize("name", SETS)
def test_what_is_absent_is_named_with_what_gets_it(tmp_path: Path, name: str) -> None:
    import torchvision.datasets

    with pytest.raises(AssayError, match=r"there is no '.*', as torchvision lays it out") as caught:
        find(name, tmp_path)
    named = SETS[name]
    assert f"d.{named.of}({str(tmp_path)!r}" in str(caught.value)
    assert "download=True" in str(caught.value)
    assert hasattr(torchvision.datasets, named.of)


def test_other_files_are_refused_by_torchvisions_own_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.cifar100(tmp_path, monkeypatch)
    (tmp_path / "cifar-100-python" / "train").write_bytes(b"harmful")
    with pytest.raises(AssayError, match=r"cifar100: torchvision cannot read its train split .*not found or corrupted"):
        open_images(Data(source="cifar100"), tmp_path)


def test_pixels_that_changed_are_another_identity(tmp_path: Path) -> None:
    files.eurosat(tmp_path)
    before = open_images(Data(source="eurosat"), tmp_path).identity
    files.jpeg(tmp_path / "eurosat" / "2750" / "Forest" / "Forest_0.jpg", 200)
    assert open_images(Data(source="eurosat"), tmp_path).identity != before


def test_a_folder_of_that_name_is_read_as_before(tmp_path: Path) -> None:
    for kind in ("Forest", "River"):
        for k in range(4):
            files.jpeg(tmp_path / "mnist" / kind / f"{k}.jpg", 50 * k)
    assert open_images(Data(source="mnist"), tmp_path).classes == ["Forest", "River"]


def test_the_documents_tell_the_same_licences() -> None:
    page = (ROOT / "docs" / "data-from-elsewhere.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| (`.*?) \| (.*) \|$", page, re.MULTILINE))
    told = {name: licence for names, licence in table.items() for name in re.findall(r"`([\w-]+)`", names)}
    assert {name: told.get(name) for name in SETS} == {name: named.known.licence for name, named in SETS.items()}


def test_every_source_tells_its_licence() -> None:
    for known in SOURCES.values():
        assert known.licence
        assert f"Licence: {known.licence}." in known.line
