"""The named sources, the idx format, and how a name becomes a source."""

import gzip
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from assay.data import data_root, open_images
from assay.data.sources.catalogue import SOURCES, find
from assay.data.sources.idx import read_idx
from assay.data.sources.torchvision_sets import SETS
from assay.data.targets import Labels
from assay.errors import AssayError
from assay.recipe import Data
from test_data_cifar import official


def idx_bytes(array: np.ndarray, kind: int = 0x08) -> bytes:
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_fashion(folder: Path, zipped: bool = False, train: int = 40, test: int = 20) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, n in (("train", train), ("t10k", test)):
        images = (np.arange(n * 28 * 28) % 251).astype(np.uint8).reshape(n, 28, 28)
        labels = (np.arange(n) % 10).astype(np.uint8)
        for name, array in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
            content = idx_bytes(array)
            path = folder / (name + ".gz" if zipped else name)
            path.write_bytes(gzip.compress(content) if zipped else content)
    return folder


def test_digits_are_scikit_learns_scaled_to_bytes(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    images = open_images(Data(source="digits"), tmp_path)
    assert images.pixels.shape == (1797, 1, 8, 8)
    assert images.pixels.dtype == np.uint8
    np.testing.assert_allclose(images.pixels[:, 0] * (16 / 255), load_digits().images, atol=0.5 * 16 / 255 + 1e-9)
    np.testing.assert_array_equal(images.labels, load_digits().target)
    assert images.pixels.min() == 0
    assert images.pixels.max() == 255
    assert not images.is_test.any()
    assert images.classes == [str(k) for k in range(10)]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("place", ["fashion-mnist", "FashionMNIST/raw", "."])
def test_fashion_mnist_is_found_in_every_layout(tmp_path: Path, place: str, zipped: bool) -> None:
    write_fashion(tmp_path / place, zipped)
    images = open_images(Data(source="fashion-mnist"), tmp_path)
    assert images.pixels.shape == (60, 1, 28, 28)
    assert images.is_test.tolist() == [False] * 40 + [True] * 20
    assert images.names[39:41] == ["train/00039", "test/00000"]
    assert images.classes[0] == "T-shirt/top"
    assert images.classes[9] == "Ankle boot"
    np.testing.assert_array_equal(images.pixels[1, 0].ravel(), (784 + np.arange(784)) % 251)


def test_fashion_mnist_in_full(data_root: Path) -> None:
    contents = find("fashion-mnist", data_root).contents()
    assert isinstance(contents.targets, Labels)
    labels = contents.targets.values
    assert {contents.image(i).size for i in (0, 60_000, 69_999)} == {(28, 28)}
    assert np.bincount(labels[~contents.is_test]).tolist() == [6000] * 10
    assert np.bincount(labels[contents.is_test]).tolist() == [1000] * 10


def test_fashion_mnist_agrees_with_torchvision(tmp_path: Path) -> None:
    from torchvision.datasets import FashionMNIST

    write_fashion(tmp_path / "FashionMNIST" / "raw")
    theirs = FashionMNIST(str(tmp_path), train=False)
    ours = open_images(Data(source="fashion-mnist"), tmp_path)
    np.testing.assert_array_equal(ours.pixels[ours.is_test, 0], theirs.data.numpy())
    np.testing.assert_array_equal(ours.labels[ours.is_test], theirs.targets.numpy())
    assert ours.classes == theirs.classes


def test_an_incomplete_fashion_mnist_is_named(tmp_path: Path) -> None:
    write_fashion(tmp_path / "fashion-mnist")
    (tmp_path / "fashion-mnist" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(AssayError, match=r"incomplete: t10k-labels-idx1-ubyte is missing"):
        open_images(Data(source="fashion-mnist"), tmp_path)


def test_images_and_labels_that_differ_in_number_are_named(tmp_path: Path) -> None:
    folder = write_fashion(tmp_path / "fashion-mnist")
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(39, np.uint8)))
    with pytest.raises(
        AssayError, match=r"train-images-idx3-ubyte holds 40 images and train-labels-idx1-ubyte 39 labels"
    ):
        open_images(Data(source="fashion-mnist"), tmp_path)


def test_a_label_beyond_the_classes_is_refused(tmp_path: Path) -> None:
    folder = write_fashion(tmp_path / "fashion-mnist")
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.full(40, 10, np.uint8)))
    with pytest.raises(AssayError, match="labels 0 to 9"):
        open_images(Data(source="fashion-mnist"), tmp_path)


def test_without_files_and_network_the_places_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets

    def no_network(root: str, download: bool) -> None:
        Path(root, "FashionMNIST", "raw").mkdir(parents=True)
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", no_network)
    with pytest.raises(
        AssayError, match=r"is in none of .*fashion-mnist'.*raw'.*the download failed.*--data FOLDER or \$ASSAY_DATA"
    ):
        open_images(Data(source="fashion-mnist"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_downloaded_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets

    monkeypatch.setattr(
        torchvision.datasets, "FashionMNIST", lambda root, download: write_fashion(Path(root, "FashionMNIST", "raw"))
    )
    assert len(open_images(Data(source="fashion-mnist"), tmp_path)) == 60
    assert (tmp_path / "FashionMNIST" / "raw").is_dir()


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(0x08, "u1"), (0x09, "i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")],
)
def test_idx_of_every_type(tmp_path: Path, kind: int, dtype: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    (tmp_path / "x.idx").write_bytes(idx_bytes(array, kind))
    found = read_idx(tmp_path / "x.idx")
    np.testing.assert_array_equal(found, array)
    assert found.dtype.isnative


GOOD = idx_bytes(np.arange(12, dtype=np.uint8).reshape(3, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an idx file: it begins with nothing"),
        (b"\x89PNG", "not an idx file: it begins with 89 50 4e 47"),
        (b"\0\0\x07\x01" + GOOD[4:], "not an idx file"),
        (b"\0\0\x08\x00", "not an idx file"),
        (GOOD[:9], "its header ends early"),
        (GOOD[:-1], "3×4 values need 12 bytes, it holds 11"),
        (GOOD + b"!", "3×4 values need 12 bytes, it holds more than 12"),
        (gzip.compress(GOOD, mtime=0)[:-4], "truncated or damaged gzip"),
        (gzip.compress(GOOD, mtime=0)[:12], "truncated or damaged gzip"),
        (gzip.compress(GOOD, mtime=0)[:10] + b"\xff" * 20, "truncated or damaged gzip"),
    ],
)
def test_damaged_idx_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(AssayError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_an_absent_idx_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=r"absent\.idx cannot be read \(No such file"):
        read_idx(tmp_path / "absent.idx")


def test_a_named_source_has_no_folders_to_be_read(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=r"data\.layout goes with a folder or zip of pictures, and 'digits'"):
        open_images(Data(source="digits", layout="classes"), tmp_path)


def test_an_unknown_source_names_the_nearest_of_the_named_and_of_the_root(tmp_path: Path) -> None:
    (tmp_path / "blood-cells.zip").touch()
    with pytest.raises(AssayError, match=r"did you mean 'digits'"):
        find("digit", tmp_path)
    with pytest.raises(AssayError, match=r"did you mean 'blood-cells'"):
        find("blood-cell", tmp_path)
    with pytest.raises(AssayError, match=r"no such folder"):
        find("anything", tmp_path / "missing")


@pytest.mark.parametrize("name", ["", " ", "a\0b", "x" * 5000])
def test_impossible_names_are_unknown_sources(tmp_path: Path, name: str) -> None:
    with pytest.raises(AssayError, match="unknown data source"):
        find(name, tmp_path)


def test_every_named_source_can_be_opened_by_its_import_string(tmp_path: Path) -> None:
    write_fashion(tmp_path)
    official(tmp_path)
    for name, known in SOURCES.items():
        assert len(known.text) > 20
        if name not in SETS:
            assert find(name, tmp_path).where == name


def test_the_data_root_is_argument_then_environment_then_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    assert data_root() == Path("data")
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    assert data_root() == tmp_path
    (tmp_path / "here").mkdir()
    assert data_root(tmp_path / "here") == tmp_path / "here"
    with pytest.raises(AssayError, match=r"data root .*gone' \(from --data\) is not a folder"):
        data_root(tmp_path / "gone")
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path / "gone"))
    with pytest.raises(AssayError, match="ASSAY_DATA"):
        data_root()


def test_listing_the_sources_imports_nothing_heavy() -> None:
    code = (
        "import sys, assay.data.sources.catalogue as c; c.SOURCES; "
        "print([m for m in ('torch','numpy','sklearn','PIL') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
