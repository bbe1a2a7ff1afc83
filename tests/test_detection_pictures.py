"""Which pictures a run of detection keeps, and what it keeps of them."""

import io
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from assay.data import ImageData, ImageSet
from assay.data.boxes import DIFFICULT
from assay.data.targets import Values
from assay.tasks.box_matching import Detections, Objects
from assay.tasks.detection.pictures import gallery

Box = tuple[int, list[float]]
SIZE = (40, 80)
"""Height and width of the source's pictures, which lie half as large on the canvas."""
HALF = np.array([0.5, 0.5])


def kept(truth: list[list[tuple[Any, ...]]], said: list[list[tuple[Any, ...]]], thresholds: Any = HALF) -> pl.DataFrame:
    """Of pictures with objects (label, edges, flag) and boxes (label, edges, score)."""
    there, found = [one for each in truth for one in each], [one for each in said for one in each]
    starts = [np.cumsum([0, *map(len, each)]).astype(np.int64) for each in (truth, said)]
    objects = Objects(edges(there), labels(there), np.array([one[2] for one in there], np.int64), starts[0])
    boxes = Detections(edges(found), labels(found), np.array([one[2] for one in found], np.float32), starts[1])
    n = len(truth)
    sizes = np.tile(np.array(SIZE), (n, 1))
    return gallery(objects, boxes, np.arange(n), sizes, thresholds, data(n), seed=0)


def edges(boxes: list[tuple[Any, ...]]) -> np.ndarray:
    return np.array([one[1] for one in boxes], np.float32).reshape(-1, 4)


def labels(boxes: list[tuple[Any, ...]]) -> np.ndarray:
    return np.array([one[0] for one in boxes], np.int64)


def data(n: int) -> ImageData:
    images = ImageSet(
        pixels=np.zeros((n, 1, 40, 40), np.uint8),
        targets=Values(np.zeros((n, 1)), ("none",)),
        names=[f"{i}.png" for i in range(n)],
        is_test=np.ones(n, bool),
        classes=["a", "b"],
        skipped=[],
        sizes=np.tile(np.array(SIZE, np.int32), (n, 1)),
        fit="letterbox",
    )
    return ImageData(images, {"test": np.arange(n)}, np.full(1, 0.5, np.float32), np.full(1, 0.25, np.float32))


def names(table: pl.DataFrame, kind: str) -> list[str]:
    return table.filter(kind=kind)["name"].to_list()


SQUARE, ASIDE, WIDE = [0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0], [40.0, 0.0, 80.0, 20.0]


def test_a_false_alarm_hits_nothing_above_the_threshold_and_the_highest_score_comes_first() -> None:
    truth = [[(0, SQUARE, 0)]] * 5
    said = [
        [(0, SQUARE, 0.9)],  # a hit
        [(0, SQUARE, 0.9), (0, SQUARE, 0.7)],  # the second is a copy of it
        [(0, ASIDE, 0.8)],
        [(1, SQUARE, 0.95)],  # of another class
        [(0, ASIDE, 0.4)],  # below the threshold
    ]
    found = kept(truth, said).filter(kind="false_alarm")
    assert found["name"].to_list() == ["3.png", "2.png", "1.png"]
    assert found["focus"].to_list() == [0, 0, 1]
    assert found["hits"].to_list() == [[False], [False], [True, False]]
    assert found["ious"].to_list() == [[1.0], [0.0], [1.0, 1.0]]
    assert found["on"].to_list() == [[0], [-1], [0, 0]]


def test_a_miss_that_no_score_finds_comes_before_one_below_the_threshold_and_the_largest_first() -> None:
    truth = [[(0, SQUARE, 0)], [(0, SQUARE, 0), (0, WIDE, 0)], [(0, SQUARE, 0)], [(0, SQUARE, 0)]]
    said = [[], [], [(0, SQUARE, 0.2)], [(0, SQUARE, 0.6)]]
    found = kept(truth, said).filter(kind="miss")
    assert found["name"].to_list() == ["1.png", "0.png", "2.png"]
    assert found["focus"].to_list() == [1, 0, 0]
    assert found["found"].to_list()[2] == [np.float32(0.2)]
    low = kept(truth, said, np.array([0.1, 0.5])).filter(kind="miss")
    assert low["name"].to_list() == ["1.png", "0.png"]


def test_a_flagged_object_is_no_miss_and_what_lies_in_it_no_false_alarm() -> None:
    part = [40.0, 0.0, 50.0, 10.0]
    table = kept([[(0, WIDE, DIFFICULT)], [(0, WIDE, DIFFICULT)]], [[(0, part, 0.9)], [(1, part, 0.9)]])
    assert names(table, "miss") == []
    assert names(table, "false_alarm") == ["1.png"]


def test_the_nearest_to_the_threshold_of_their_class_come_first() -> None:
    said = [[(0, SQUARE, 0.5), (0, ASIDE, 0.3)], [(1, SQUARE, 0.55)], []]
    found = kept([[], [], []], said, np.array([0.32, 0.5])).filter(kind="near")
    assert found["name"].to_list() == ["0.png", "1.png"]
    assert found["focus"].to_list() == [1, 0]


def test_a_picture_is_that_of_the_source_without_what_fills_the_canvas_and_its_boxes_are_sorted() -> None:
    table = kept([[(1, WIDE, 0)]], [[(0, SQUARE, 0.2), (1, WIDE, 0.9), (0, ASIDE, 0.01)]])
    row = table.row(0, named=True)
    assert (row["kind"], row["focus"], row["height"], row["width"]) == ("sample", None, 40, 80)
    assert Image.open(io.BytesIO(row["png"])).size == (40, 20)
    assert row["classes"] == [1, 0]
    assert row["boxes"] == [WIDE, SQUARE]
    assert (row["true_boxes"], row["true_classes"], row["flags"]) == ([WIDE], [1], [0])


def test_no_more_than_25_are_drawn_and_12_chosen_and_without_any_box_the_sample_is_there() -> None:
    many = kept([[(0, SQUARE, 0)]] * 40, [[(0, ASIDE, 0.9)]] * 40)
    assert {kind: len(names(many, kind)) for kind in many["kind"].unique()} == {
        "sample": 25, "false_alarm": 12, "miss": 12, "near": 12,
    }  # fmt: skip
    none = kept([[], []], [[], []])
    assert none["kind"].to_list() == ["sample", "sample"]
