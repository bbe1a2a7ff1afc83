"""CIFAR-10's official binary files, made small, and what is said of damaged ones."""

import io
import tarfile
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from assay.data import load, open_images
from assay.data.sources.cifar import FILES
from assay.errors import AssayError
from assay.recipe import Data

DATA = Data(source="cifar10")


def binary(seed: int, images: int = 20) -> bytes:
    """Records with every label in turn and random pixels."""
    records = np.random.default_rng(seed).integers(0, 256, (images, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(images) % 10
    return records.tobytes()


def official(root: Path) -> dict[str, bytes]:
    parts = {name: binary(n) for n, name in enumerate(FILES)}
    folder = root / "cifar-10-batches-bin"
    folder.mkdir()
    for name, data in parts.items():
        (folder / name).write_bytes(data)
    return parts


def test_the_binary_files_are_read_byte_for_byte(tmp_path: Path) -> None:
    parts = official(tmp_path)
    images = open_images(DATA, tmp_path)
    assert images.pixels.shape == (120, 3, 32, 32)
    assert images.classes[3] == "cat"
    assert images.is_test.sum() == 20
    second = np.frombuffer(parts["data_batch_2.bin"], np.uint8).reshape(-1, 3073)[7]
    assert images.names[27] == "data_batch_2/00007"
    assert images.labels[27] == second[0] == 7
    assert (images.pixels[27].ravel() == second[1:]).all()


def test_the_archive_holds_the_same_as_the_folder(tmp_path: Path) -> None:
    folder, packed = tmp_path / "a", tmp_path / "b"
    folder.mkdir()
    packed.mkdir()
    parts = official(folder)
    with tarfile.open(packed / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name, data in parts.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    assert (open_images(DATA, folder).pixels == open_images(DATA, packed).pixels).all()


def test_a_missing_truncated_or_damaged_file_is_named(tmp_path: Path) -> None:
    official(tmp_path)
    folder = tmp_path / "cifar-10-batches-bin"
    (folder / "data_batch_3.bin").write_bytes(binary(0)[:-1])
    with pytest.raises(AssayError, match=r"data_batch_3.bin is truncated"):
        open_images(DATA, tmp_path)
    (folder / "data_batch_3.bin").write_bytes(b"\x0b" * 3073)
    with pytest.raises(AssayError, match=r"data_batch_3.bin is damaged: it holds the label 11"):
        open_images(DATA, tmp_path)
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(AssayError, match=r"incomplete: data_batch_3.bin is missing"):
        open_images(DATA, tmp_path)


def test_pickled_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("torchvision.datasets.utils.download_url", offline)
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(
        AssayError,
        match=r"pickled files are not read\), and the download failed \(no network\); --data FOLDER or \$ASSAY_DATA",
    ):
        open_images(DATA, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["cifar-10-batches-py"]


def test_class_folders_in_a_zip_are_cifar10_too(data_root: Path, tmp_path: Path) -> None:
    """A hundredth of a zip of all pictures, whose layout is that of the whole."""
    with ZipFile(data_root / "cifar10.zip") as every, ZipFile(tmp_path / "cifar10.zip", "w") as few:
        for name in every.namelist():
            if name.endswith("00.jpg"):
                few.writestr(name, every.read(name))
    data = load(DATA, 0, tmp_path)
    assert data.shape == (3, 32, 32)
    assert data.classes[0] == "airplane"
    assert {split: len(i) for split, i in data.indices.items()} == {"train": 450, "validation": 50, "test": 100}
