"""A few pictures in the files of several sets, as torchvision expects them; the sums it checks are those of these."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

STL10_NAMES = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def checked(*paths: Path) -> list[list[str]]:
    """[name, MD5] of each, as torchvision lists them."""
    return [[path.name, hashlib.md5(path.read_bytes()).hexdigest()] for path in paths]


def jpeg(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 24, 3), shade, np.uint8)).save(path)


def stl10(root: Path, patch: pytest.MonkeyPatch) -> None:
    """Binary files: pixels by columns, labels from 1."""
    from torchvision.datasets import STL10

    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    for split, n in (("train", 20), ("test", 10)):
        pixels(n, 3, 96, 96).tofile(folder / f"{split}_X.bin")
        (np.arange(n) % 10 + 1).astype(np.uint8).tofile(folder / f"{split}_y.bin")
    (folder / "class_names.txt").write_text("\n".join(STL10_NAMES))
    for split in ("train", "test"):
        patch.setattr(STL10, f"{split}_list", checked(folder / f"{split}_X.bin", folder / f"{split}_y.bin"))


def cifar100(root: Path, patch: pytest.MonkeyPatch) -> None:
    """Pickles of pixels by channels."""
    from torchvision.datasets import CIFAR100

    folder = root / "cifar-100-python"
    folder.mkdir(parents=True)
    for split, n in (("train", 200), ("test", 100)):
        part = {"data": pixels(n, 3072), "fine_labels": [k % 100 for k in range(n)]}
        (folder / split).write_bytes(pickle.dumps(part))
        patch.setattr(CIFAR100, f"{split}_list", checked(folder / split))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": [f"class {k}" for k in range(100)]}))
    (_, md5) = checked(folder / "meta")[0]
    patch.setattr(CIFAR100, "meta", {"filename": "meta", "key": "fine_label_names", "md5": md5})


def svhn(root: Path, patch: pytest.MonkeyPatch) -> None:
    """MATLAB's files, the digit 0 as 10."""
    from torchvision.datasets import SVHN

    root.mkdir(parents=True, exist_ok=True)
    sums = {}
    for split, n in (("train", 20), ("test", 10)):
        path = root / f"{split}_32x32.mat"
        scipy.io.savemat(path, {"X": pixels(32, 32, 3, n), "y": (np.arange(n) % 10 + 1)[:, None].astype(np.uint8)})
        sums[split] = ["", *checked(path)[0]]
    patch.setattr(SVHN, "split_list", sums)


def flowers102(root: Path, patch: pytest.MonkeyPatch) -> None:
    """JPEG files numbered from 1, labels and splits in MATLAB's."""
    from torchvision.datasets import Flowers102

    folder = root / "flowers-102"
    for number in range(1, 409):
        jpeg(folder / "jpg" / f"image_{number:05d}.jpg", number % 256)
    scipy.io.savemat(folder / "imagelabels.mat", {"labels": (np.arange(408) % 102 + 1)[None]})
    ids = {"trnid": np.arange(1, 205), "valid": np.arange(205, 307), "tstid": np.arange(307, 409)}
    scipy.io.savemat(folder / "setid.mat", ids)
    patch.setattr(Flowers102, "_check_integrity", lambda self: True)


def oxford_pets(root: Path) -> None:
    """Lists of names with labels from 1, JPEG files, and trimaps of 1, 2 and 3."""
    folder = root / "oxford-iiit-pet"
    (folder / "annotations" / "trimaps").mkdir(parents=True)
    for split, n in (("trainval", 12), ("test", 6)):
        names = [(f"Abyssinian_{split}{k}", 1, 1) for k in range(n // 2)]
        names += [(f"great_pyrenees_{split}{k}", 2, 2) for k in range(n // 2)]
        lines = [f"{name} {label} {kind} 1" for name, label, kind in names]
        (folder / "annotations" / f"{split}.txt").write_text("\n".join(lines) + "\n")
        for name, label, _ in names:
            jpeg(folder / "images" / f"{name}.jpg", 100 * label)
            trimap = np.full((20, 24), 2, np.uint8)
            trimap[4:12, 4:12], trimap[4, 4:12] = 1, 3
            Image.fromarray(trimap).save(folder / "annotations" / "trimaps" / f"{name}.png")


def dtd(root: Path) -> None:
    """Folders of classes, and a list of paths for each split."""
    folder = root / "dtd" / "dtd"
    (folder / "labels").mkdir(parents=True)
    for split in ("train", "val", "test"):
        names = [f"{kind}/{kind}_{split}{k}.jpg" for kind in ("banded", "woven") for k in range(3)]
        (folder / "labels" / f"{split}1.txt").write_text("\n".join(names) + "\n")
        for name in names:
            jpeg(folder / "images" / name, 80)


def eurosat(root: Path) -> None:
    """Folders of classes."""
    for kind in ("Forest", "River"):
        for k in range(10):
            jpeg(root / "eurosat" / "2750" / kind / f"{kind}_{k}.jpg", 10 * k)
