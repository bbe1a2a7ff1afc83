"""Blood cells as Pascal VOC, COCO and YOLO: one training learns the same from each."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay.data.sources.archive import zip_tree
from assay.tasks.catalogue import task
from drawn_boxes import voc, xml
from driving import run_here, write_study
from test_box_formats import boxes, contents, write_as_coco, write_as_yolo

EACH = {"train": 24, "val": 8, "test": 8}
BASE = {
    "task": "detection",
    "data": {"size": [64, 96], "augment": ["horizontal_flip"], "mosaic": {"probability": 0.5}},
    "model": {"name": "yolo", "size": "n"},
    "train": {"epochs": 3, "batch_size": 4, "optimizer": {"name": "adamw", "lr": 0.003}},
    "evaluate": ["detection"],
}


@pytest.fixture
def formats(data_root: Path, tmp_path: Path) -> list[Path]:
    """The first pictures of each split, three times."""
    every = contents(data_root / "bccd.zip")
    assert every.is_validation is not None
    of = np.where(every.is_test, "test", np.where(every.is_validation, "val", "train"))
    own = every.only(np.sort(np.concatenate([np.flatnonzero(of == split)[:n] for split, n in EACH.items()])))
    assert own.is_validation is not None
    splits = np.where(own.is_test, "test", np.where(own.is_validation, "val", "train")).tolist()
    there = boxes(own)
    pictures: dict[str, dict[str, list[tuple[str, float, float, float, float]]]] = {split: {} for split in EACH}
    for i, split in enumerate(splits):
        rows = range(there.starts[i], there.starts[i + 1])
        named = [(own.classes[there.labels[k]], *there.edges[k].tolist()) for k in rows]
        pictures[split][Path(own.names[i]).name] = named
    tree, folders = zip_tree(data_root / "bccd.zip"), [tmp_path / name for name in ("voc", "coco", "yolo")]
    voc(folders[0], pictures)
    for name, named in (each for those in pictures.values() for each in those.items()):
        xml(folders[0] / "Annotations" / f"{Path(name).stem}.xml", named, (480, 640))
    for name, split in zip(own.names, splits, strict=True):
        places = [folders[0] / "JPEGImages", *(folder / split / "images" for folder in folders[1:])]
        for place in places:
            place.mkdir(parents=True, exist_ok=True)
            (place / Path(name).name).write_bytes(tree.read(name))
    write_as_coco(folders[1], own, splits)
    write_as_yolo(folders[2], own, splits)
    return folders


def test_a_training_gives_the_same_map_whatever_the_format(formats: list[Path], tmp_path: Path) -> None:
    """YOLO's rows are rounded in the sixth place, which in training decides ties between cells: of it the truth is held
    against the answers of another format's network."""
    answers, maps = [], []
    for folder in formats:
        base = BASE | {"data": BASE["data"] | {"source": str(folder)}}  # type: ignore[operator]
        results = run_here(write_study(tmp_path / f"of-{folder.name}.yaml", base=base), tmp_path / "runs")
        (run,) = results.finished
        told = results.predictions(run).filter(split="test").with_columns(pl.col("name").str.split("/").list.last())
        answers.append(told.sort("name"))
        maps.append(results.metrics(run)["map"])
    voc, coco, yolo = answers
    assert maps[0] > 0
    assert coco.drop("image").equals(voc.drop("image"))
    assert maps[1] == maps[0]
    truth = ["name", "true_classes", "true_boxes"]
    assert yolo.select(truth[:2]).equals(voc.select(truth[:2]))
    ours, theirs = (np.array(each["true_boxes"].explode().to_list()) for each in (voc, yolo))
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-3)
    held = voc.drop(truth).hstack(yolo.select(truth)).select(voc.columns)
    score = task("detection").read(held).evidence("map")
    assert score is not None
    assert float(score(np.ones((1, held.height)))[0]) == pytest.approx(maps[0], abs=1e-3)
