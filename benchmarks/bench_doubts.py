"""How many of 60 planted label errors `assay check --run` lists among its first 100 suspects.

In the training pictures 20 boxes are removed, 20 shifted by half their width, 20 given another class. A network learns
from these labels, and then speaks against them: scattered digits with a yolo n from scratch (about six minutes on one
core), and blood cells with the recipe of studies/bccd/frozen.yaml (about three on two), skipped where there is no
bccd.zip under $ASSAY_DATA. Names of data sets as arguments choose among the two.

An error counts as found where its label is listed, or a box that overlaps by half or more what was there before.

Target: at least 45 of each 60."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
import yaml
from benchmark import verdict, weather
from torchvision.ops import box_iou

from assay.data.boxes import Boxes
from assay.data.images import Contents, data_root
from assay.data.sources.catalogue import find

EACH, FIRST, TARGET = 20, 100, 45
KINDS = ("removed", "shifted", "swapped")
SCRATCH: dict[str, Any] = {
    "task": "detection",
    "data": {"validation": 0, "augment": [{"translation": 0.1}], "mosaic": {"probability": 0.7, "epochs": 48}},
    "model": {"name": "yolo", "size": "n"},
    "train": {
        "epochs": 60,
        "batch_size": 8,
        "keep": "last",
        "optimizer": {"name": "adamw", "lr": 0.002},
        "schedule": "one_cycle",
    },
}
FROZEN = Path(__file__).parents[1] / "studies" / "bccd" / "frozen.yaml"


class Planted(NamedTuple):
    """An error in a label of one picture."""

    kind: str
    image: str
    before: tuple[float, ...]
    """Where the box was, x1, y1, x2, y2."""
    label: tuple[float, ...] | None
    """Where the label is now; None: it was removed."""


def plant(contents: Contents, folder: Path) -> list[Planted]:
    """Write the pictures and their boxes in COCO's format, 60 of those of training pictures wrong."""
    boxes, draw = contents.targets, np.random.default_rng(0)
    assert isinstance(boxes, Boxes)
    image = np.repeat(np.arange(len(boxes)), boxes.counts)
    candidates = draw.permutation(np.flatnonzero(~contents.is_test[image] & (boxes.flags == 0)))
    widths = [contents.image(i).size[0] for i in range(len(boxes))]
    edges, labels = boxes.edges.astype(float), boxes.labels.copy()
    kinds: dict[int, str] = {}
    for row in candidates.tolist():
        kind = KINDS[len(kinds) // EACH]
        half = (edges[row, 2] - edges[row, 0]) / 2
        ways = [way for way in (-half, half) if edges[row, 0] + way >= 0 and edges[row, 2] + way <= widths[image[row]]]
        if kind == "shifted" and not ways:
            continue
        kinds[row] = kind
        if kind == "shifted":
            edges[row, [0, 2]] += draw.choice(ways)
        elif kind == "swapped":
            labels[row] = (labels[row] + draw.integers(1, len(contents.classes))) % len(contents.classes)
        if len(kinds) == EACH * len(KINDS):
            break
    _write(contents, folder, edges, labels, {row for row, kind in kinds.items() if kind == "removed"})
    return [
        Planted(kind, _file(contents, image[row]), tuple(boxes.edges[row].tolist()),
                None if kind == "removed" else tuple(edges[row].tolist()))
        for row, kind in kinds.items()
    ]  # fmt: skip


def _write(contents: Contents, folder: Path, edges: np.ndarray, labels: np.ndarray, removed: set[int]) -> None:
    boxes = contents.targets
    assert isinstance(boxes, Boxes)
    categories = [{"id": number, "name": name} for number, name in enumerate(contents.classes)]
    files: dict[str, dict[str, list[Any]]] = {
        split: {"images": [], "annotations": [], "categories": categories} for split in ("train", "test")
    }
    for i in range(len(boxes)):
        path = folder / _file(contents, i)
        path.parent.mkdir(parents=True, exist_ok=True)
        contents.image(i).save(path)
        found = files[path.parent.name]
        found["images"].append({"id": i, "file_name": path.name})
        found["annotations"] += [
            {"id": row, "image_id": i, "category_id": int(labels[row]), "bbox": [x, y, x2 - x, y2 - y],
             "iscrowd": int(boxes.flags[row] != 0)}
            for row in range(boxes.starts[i], boxes.starts[i + 1]) if row not in removed
            for x, y, x2, y2 in [edges[row].tolist()]
        ]  # fmt: skip
    for split, found in files.items():
        (folder / split / "_annotations.coco.json").write_text(json.dumps(found), encoding="utf-8")


def _file(contents: Contents, i: int) -> str:
    return f"{'test' if contents.is_test[i] else 'train'}/{Path(contents.names[i]).stem}.png"


def is_found(error: Planted, suspects: pl.DataFrame) -> bool:
    """Whether its label is listed, or a box where it was before."""
    for label, box in suspects.filter(image=error.image).select("label", "box").iter_rows():
        if error.label is not None and label is not None and np.allclose(_numbers(label), error.label, rtol=1e-3):
            return True
        if float(box_iou(torch.tensor([_numbers(box)]), torch.tensor([error.before]))) >= 0.5:
            return True
    return False


def _numbers(text: str) -> list[float]:
    return [float(edge) for edge in text.split(", ")]


def measured(name: str, base: dict[str, Any], place: Path) -> None:
    """Plant, train, check, and say what was found."""
    planted = plant(find(name, data_root(), truth="boxes" if name == "bccd" else None).contents(), place / name)
    base = base | {"data": base["data"] | {"source": str(place / name)}}
    study = place / f"planted-{name}.yaml"
    study.write_text(yaml.safe_dump({"title": "Which labels are wrong?", "base": base, "seeds": 1}), encoding="utf-8")
    command = [sys.executable, "-m", "assay"]
    subprocess.run([*command, "run", str(study), "--out", str(place / "runs")], check=True)
    (run,) = (place / "runs" / study.stem).glob("*/seed-0")
    subprocess.run(
        [*command, "check", str(study), "--run", str(run), "--out", str(place / f"check-{name}")], check=True
    )
    (table,) = (place / f"check-{name}").rglob("suspects.csv")
    first = pl.read_csv(table).head(FIRST)
    found = [(error.kind, is_found(error, first)) for error in planted]
    for kind in KINDS:
        print(f"{name}, {kind}: {sum(one for of, one in found if of == kind)} of {EACH}")
    count = sum(one for _, one in found)
    verdict(f"{name}, planted errors among the first {FIRST} suspects", count, TARGET, at_least=True)


def main() -> None:
    wanted = sys.argv[1:] or ["scattered-digits", "bccd"]
    keep = os.environ.get("BENCH_DOUBTS")
    with tempfile.TemporaryDirectory() as own:
        place = Path(keep or own)
        if "scattered-digits" in wanted:
            measured("scattered-digits", SCRATCH, place)
        if "bccd" in wanted and not (data_root() / "bccd.zip").is_file():
            print("skipped: no bccd.zip under the data root (set ASSAY_DATA to the folder that holds it)")
        elif "bccd" in wanted:
            measured("bccd", yaml.safe_load(FROZEN.read_text(encoding="utf-8"))["base"], place)
    print(weather())


if __name__ == "__main__":
    main()
