"""A small world in which every name of the documents stands for something: data sets, pictures, finished runs."""

import gzip
import io
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

import assay
from assay.tools.export.exporting import export
from documented import ROOT
from drawn_boxes import voc
from packed_pictures import dataset, parquet, quietly, shard
from torchvision_files import oxford_pets

THINGS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
RNG = np.random.default_rng(0)


def build(folder: Path) -> None:
    """The studies, ``data/`` with small data sets under the names of the real ones, and pictures."""
    shutil.copytree(ROOT / "studies", folder / "studies")
    shutil.copy(folder / "studies" / "digits.yaml", folder / "activation.yaml")
    data = folder / "data"
    (data / "fashion-mnist").mkdir(parents=True)
    clothes(data / "fashion-mnist")
    with zipfile.ZipFile(data / "cifar10.zip", "w") as archive:
        for split, n in (("train", 120), ("test", 5)):
            for place, thing in enumerate(THINGS):
                for number in range(n):
                    archive.writestr(f"{split}/{thing}/{number:04d}.jpg", picture(32, 25 * place))
    for name, content in brain_scans():
        file = folder / "Brain-Tumor-Detection" / "augmented data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    pack = ["studies/brain-mri/pack.py", "Brain-Tumor-Detection", "data/brain-mri.zip"]
    subprocess.run([sys.executable, *pack], cwd=folder, check=True)
    blood_cells(data)
    own_pictures(data)
    from_elsewhere(data)
    (folder / "pictures").mkdir()
    for number in range(3):
        (folder / "pictures" / f"{number}.png").write_bytes(picture(28, 60 * number, "PNG"))
    (folder / "picture.png").write_bytes(picture(28, 99, "PNG"))
    shutil.copytree(folder / "pictures", folder / "scans")
    shutil.copy(data / "faces.zip", folder / "more.zip")


def run(folder: Path) -> None:
    """The finished runs that the documents ask something of, in ``runs``, of an epoch on few pictures."""
    quick = ["train.epochs=1"]
    drawn = [*quick, "data.train=60", "data.test=40", "evaluate=[regression, cost]", "data.validation=40"]
    cells = [*quick, "data.size=64", "train.schedule.warmup=0"]
    scenes = [*quick, "data.train=60", "data.test=40"]
    heads = {"with dropout": {"model.head": ["batch_norm", {"dropout": 0.5}]}}
    for file, changes, few in (
        ("fashion-mnist/activation.yaml", quick, {"vary": {"model.activation": ["relu", "tanh"]}, "seeds": 2}),
        ("fashion-mnist/pooling.yaml", quick, {"variants": {"neither": {}}, "seeds": 1}),
        ("regression/discs.yaml", drawn, {"vary": {"train.loss": ["huber"]}, "seeds": 1}),
        ("segmentation/loss.yaml", scenes, {"vary": {"train.loss": ["dice"]}, "seeds": 1}),
        ("bccd/anchors.yaml", cells, {"vary": {"model.head": ["anchors"]}, "seeds": 1}),
        ("brain-mri/scans.yaml", [*quick, "evaluate=[classification]"], {"variants": heads, "seeds": 1}),
    ):
        study = assay.load_study(folder / "studies" / file, changes)
        few_runs = assay.Study.model_validate(study.model_dump() | few)
        assay.run(few_runs, folder / "runs", data=folder / "data", quiet=True)
    if find_spec("onnxscript"):
        tanh = folder / "runs" / "activation" / "activation=tanh" / "seed-0"
        export(tanh, "onnx", folder / "exported", root=folder / "data")


def picture(side: int, shade: int, format: str = "JPEG", color: bool = True) -> bytes:
    """Noise around a shade."""
    shape = (side, side, 3) if color else (side, side)
    pixels = np.clip(shade + RNG.normal(0, 30, shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


def clothes(folder: Path) -> None:
    """Fashion-MNIST's four files with few pictures."""
    for split, n in (("train", 300), ("t10k", 100)):
        labels = np.arange(n, dtype=np.uint8) % 10
        images = np.clip(20 * labels[:, None, None] + RNG.normal(0, 60, (n, 28, 28)), 0, 255).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (folder / f"{split}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes(), 1))


def brain_scans() -> Iterator[tuple[str, bytes]]:
    """Name, file: copies of a few originals, called as those of the real set are."""
    for original in range(10):
        for shade, name in ((160, f"yes/aug_Y{original + 100}"), (80, f"no/aug_{original + 20} no")):
            pixels = np.clip(shade + RNG.normal(0, 40, (48, 48)), 0, 255)
            for copy in range(4):
                file = io.BytesIO()
                Image.fromarray(np.clip(pixels + copy, 0, 255).astype(np.uint8)).save(file, "JPEG")
                number = 1228 if "Y" in name else 1670
                yield f"{name}_{copy}_{number}.jpg", file.getvalue()


def blood_cells(data: Path) -> None:
    """BCCD's layout of Pascal VOC with few pictures."""
    cells = [("RBC", 2, 2, 14, 14), ("WBC", 16, 4, 34, 30), ("Platelets", 40, 20, 46, 28)]
    names = [f"BloodImage_{number:05d}.jpg" for number in range(24)]
    splits = {"train": names[:12], "val": names[12:18], "test": names[18:]}
    folder = voc(data / "cells", {split: dict.fromkeys(those, cells) for split, those in splits.items()})
    shutil.make_archive(str(data / "bccd"), "zip", folder)
    shutil.rmtree(folder)


def own_pictures(data: Path) -> None:
    """What a reader's own pictures and tables are called, without classes."""
    names = [f"{number}.png" for number in range(40)]
    files = {name: picture(32, 6 * place, "PNG") for place, name in enumerate(names)}
    for zipped in ("faces.zip", "pictures.zip"):
        with zipfile.ZipFile(data / zipped, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    for folds, source in (("fold_0", "fold_1", "fold_2"), "photos"), (("indoor_train", "outdoor_test"), "shots"):
        for fold in folds:
            for place, kind in enumerate(("cat", "dog")):
                (data / source / fold / kind).mkdir(parents=True)
                for number in range(8):
                    content = picture(32, 90 * place + 40, "PNG")
                    (data / source / fold / kind / f"{number}.png").write_bytes(content)
    for folder in ("flowers", "views"):
        (data / folder).mkdir()
        for name, content in files.items():
            (data / folder / name).write_bytes(content)
    numbers = pl.DataFrame({"image": names, "age": range(40), "weight": [place / 3 for place in range(40)]})
    numbers.write_csv(data / "ages.csv")
    numbers.write_csv(data / "people.tsv", separator="\t")
    species = pl.DataFrame({"image": names, "species": ["rose", "tulip"] * 20})
    species.write_csv(data / "flowers" / "labels.csv")
    tags = {tag: [place >> bit & 1 for place in range(40)] for bit, tag in enumerate(("sea", "sky", "person"))}
    pl.DataFrame({"image": names, **tags}).write_parquet(data / "views.parquet")
    listed = ["|".join(tag for tag, there in tags.items() if there[place]) for place in range(40)]
    parts = ["train"] * 20 + ["test"] * 20
    pl.DataFrame({"image": names, "tags": listed, "part": parts}).write_csv(data / "views" / "views.csv")


def hugging_face(data: Path, shades: list[tuple[int, str, bytes]]) -> None:
    """A set with classes in two parts, and one with boxes."""
    import datasets

    leaves = datasets.DatasetDict({"train": dataset(shades), "validation": dataset(shades[:10])})
    one = {"bbox": datasets.List(datasets.Value("float32")), "category": datasets.ClassLabel(names=["red", "white"])}
    objects = [[{"bbox": [4, 4, 12, 10], "category": k % 2}] for k in range(40)]
    cells = dataset(shades, {"objects": datasets.List(one)}, objects=objects)
    quietly(lambda: leaves.save_to_disk(str(data / "leaves")))
    quietly(lambda: cells.save_to_disk(str(data / "cells")))


def from_elsewhere(data: Path) -> None:
    """Small sets in the other forms of data."""
    shades = [(k % 2, f"{k}.png", picture(32, 60 + 90 * (k % 2), "PNG")) for k in range(40)]
    if find_spec("datasets"):
        hugging_face(data, shades)
    folds = ["train"] * 28 + ["test"] * 12
    parquet(data / "meals.parquet", shades, weight=[k / 3 for k in range(40)], fold=folds)
    for number in range(3):
        birds = [{"png": content, "cls": b"owl" if label else b"wren"} for label, _, content in shades]
        shard(data / f"birds-{number:03d}.tar", birds)
    for kind in ("Forest", "River"):
        for k in range(20):
            path = data / "eurosat" / "2750" / kind / f"{kind}_{k}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(64, 10 * k))
    oxford_pets(data)
    parts = ("train", "val", "test")
    tags = {f"{part}_labels": RNG.integers(0, 2, (30, 3)).astype(np.uint8) for part in parts}
    images = {f"{part}_images": RNG.integers(0, 256, (30, 28, 28)).astype(np.uint8) for part in parts}
    np.savez(data / "chestmnist.npz", **images, **tags)
