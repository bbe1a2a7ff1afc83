"""Boxes on the canvas become boxes of the pictures: what lies beside one is none, and truth is that of the files."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from assay.data import ImageData
from assay.data.loading import load
from assay.models.detector import Found
from assay.recipe import CrossEntropy, Data
from assay.results.statistics import answers as comparing
from assay.results.statistics.answers import Answers
from assay.runs.data import describe, images_digest
from assay.tasks.detection import task
from assay.tasks.detection.predictions import Predictions
from assay.tasks.scores import Score
from drawn_boxes import jpeg

LINES = [f"0 {(20 + k + 1 / 512) / 60:.9f} {(15 + k + 1 / 512) / 40:.9f} 0.2 0.3" for k in range(10)]
"""Boxes whose edges are no whole numbers of pixels."""


def a_set(folder: Path, first: str = LINES[0]) -> Path:
    """YOLO's, of two splits with two pictures of 60×40 each and the same boxes in all."""
    for split in ("train", "test"):
        for name in ("a", "b"):
            jpeg(folder / split / "images" / f"{name}{split}.jpg")
            (folder / split / "labels").mkdir(parents=True, exist_ok=True)
            (folder / split / "labels" / f"{name}{split}.txt").write_text("\n".join([first, *LINES[1:]]))
    (folder / "data.yaml").write_text("names: [cat, dog]\ntrain: train/images\ntest: test/images\n")
    return folder


def data(folder: Path, size: int, **keys: Any) -> ImageData:
    return load(Data.model_validate({"source": str(folder), "size": size, "validation": 0, **keys}), 0, folder.parent)


def found(*boxes: tuple[float, ...]) -> Found:
    """Of (score, label, x1, y1, x2, y2) on the canvas."""
    rows = torch.tensor(boxes).reshape(-1, 6)
    return Found(rows[:, 2:], rows[:, 1].long(), rows[:, 0])


def gathered(answers: list[Found], of: ImageData) -> Predictions:
    return task.gathered([answers], of, "test", CrossEntropy())


def test_a_box_that_lies_in_the_margin_is_no_box(tmp_path: Path) -> None:
    of = data(a_set(tmp_path / "set"), 60, fit="letterbox")  # rows 10 to 50 of the canvas are the picture
    above, half, beyond = (0.9, 0, 5, 0, 20, 10), (0.8, 1, 5, 0, 20, 20), (0.7, 0, 0, 52, 60, 60)
    said = gathered([found(above), found(above, half, beyond)], of).said
    assert said.edges.tolist() == [[5, 0, 20, 10]]
    assert (said.labels.tolist(), said.scores.tolist()) == ([1], [np.float32(0.8)])
    assert said.starts.tolist() == [0, 0, 1]
    assert gathered([found(), found()], of).said.starts.tolist() == [0, 0, 0]


def test_nor_is_it_said_of_a_new_picture(tmp_path: Path) -> None:
    about = describe(data(a_set(tmp_path / "set"), 60, fit="letterbox")) | {"sizes": [(40, 60)], "fit": "letterbox"}
    answers = [found((0.9, 0, 5, 0, 20, 10), (0.8, 1, 5, 0, 20, 20))]
    (one,) = task.told(answers, [Path("new.jpg")], about)
    assert one.edges.tolist() == [[5, 0, 20, 10]]
    assert one.cells["boxes"] == "1 dog"
    assert [box["class"] for box in one.record["boxes"]] == ["dog"]


def evidence(rows: pl.DataFrame, metric: str) -> Score | None:
    return Predictions.read(rows).evidence(metric)


def answers_of(folder: Path, size: int) -> Answers:
    of = data(folder, size, fit="letterbox")
    share = size / 60
    said = gathered([found((0.9, 0, *(share * each for each in (14, 9, 26, 21)))), found()], of)
    names = of.images.names
    return Answers(said.table("test", names), task.TRUTH, partial(evidence, metric="map_50"))


def test_truth_is_that_of_the_files_whatever_the_size_of_the_canvas(tmp_path: Path) -> None:
    folder = a_set(tmp_path / "set")
    one, other = answers_of(folder, 52), answers_of(folder, 75)
    x, y, width, height = 20 + 1 / 512, 15 + 1 / 512, 0.2 * 60, 0.3 * 40
    edges = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2], np.float32)
    assert np.array(one.table["true_boxes"][0][0].to_list()) == pytest.approx(edges, rel=1e-7)
    assert one.table["true_boxes"].equals(other.table["true_boxes"])
    assert comparing.tested(one, other) is not None
    assert images_digest(data(folder, 52), "test") == images_digest(data(folder, 75), "test")


@pytest.mark.parametrize("moved", [LINES[0].replace("0", "1", 1), LINES[0].replace("0.2", "0.21"), LINES[1]])
def test_runs_of_pictures_with_other_objects_are_not_compared(tmp_path: Path, moved: str) -> None:
    plain, other = a_set(tmp_path / "a" / "set"), a_set(tmp_path / "b" / "set", moved)
    assert comparing.tested(answers_of(plain, 52), answers_of(other, 52)) is None
