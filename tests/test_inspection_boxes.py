"""What ``assay check`` says of pictures with boxes."""

import base64
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from assay.data.boxes import Boxes
from assay.data.remarks import remarks
from assay.errors import AssayError
from assay.recipe import Data
from assay.tools.inspection.boxes import box_frame, double_frame, drawn
from assay.tools.inspection.command import check, data_of
from assay.tools.inspection.inspecting import Inspection, inspect
from assay.tools.inspection.pictures import Album
from assay.tools.inspection.suspect_pictures import suspect_rows
from assay.tools.inspection.suspects import SCHEMA
from assay.tools.inspection.truth import in_words
from assay.tools.inspection.verdict import verdict
from drawn_boxes import coco, voc

PLANTED: dict[str, dict[str, list[Any]]] = {
    "train": {
        "one.jpg": [("cat", 0, 0, 60, 40), ("cat", 0, 1, 60, 40), ("dog", 0, 0, 60, 40), ("cat", 5, 5, 5.5, 9)],
        "three.jpg": [("dog", 0, 0, 32, 31), ("dog", 0, 0, 32, 32)],
        "fourth.jpg": [("dog", 2, 2, 30, 30)],
        "picture.jpg": [("dog", 30, 5, 33, 8), ("cat", 40, 5, 41, 5)],
    },
    "test": {"six.jpg": [("dog", 7, 8, 30, 29)], "seventh.jpg": []},
}


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A cat drawn twice, and a dog; a box without extent; no cat to test on."""
    return voc(tmp_path / "set", PLANTED)


def look(folder: Path, **keys: object) -> Inspection:
    return inspect(Data.model_validate({"source": str(folder), "on_bad_image": "skip", **keys}), folder.parent)


def boxes(found: Inspection) -> Boxes:
    assert isinstance(found.images.targets, Boxes)
    return found.images.targets


def test_absent_classes_double_and_empty_boxes_and_pictures_without_any_are_told(planted: Path) -> None:
    said = " ".join(verdict(look(planted)))
    assert "cat has no box in the test images: nothing can be said of it there." in said
    assert "2 pairs of boxes of one class, in 2 images, have more than 0.8 of their union in common" in said
    assert "most alike are two of 'cat' in JPEGImages/one.jpg, 0.97" in said or "one.jpg, 0.98" in said
    assert "Among the test images' boxes are 1 small ones" in said
    assert "1 image has no box, the first is JPEGImages/seventh.jpg: nothing is there, or nobody looked." in said
    assert "(JPEGImages/picture.jpg): 1 box of no extent, left out." in said


def test_a_class_that_no_picture_shows_is_told_before_training_and_once(tmp_path: Path) -> None:
    found = look(coco(tmp_path / "set", PLANTED, ["ant", "cat", "dog", "emu"]))
    assert remarks(found.images)[0].endswith("shows the classes ant, emu, and nothing can be said of them")
    said = " ".join(verdict(found))
    assert said.count("ant, emu") == 1
    assert "cat has no box in the test images" in said


def test_where_no_picture_has_a_box_the_page_says_so(tmp_path: Path) -> None:
    found = look(voc(tmp_path / "set", {"train": {"one.jpg": [], "two.jpg": []}, "test": {"three.jpg": []}}))
    assert "No image has a box." in verdict(found)
    assert box_frame(found, boxes(found)).is_empty()
    check(str(tmp_path / "set"), out=tmp_path / "out", quiet=True, task="detection")
    assert "No image has a box." in (tmp_path / "out" / "index.html").read_text("utf-8")


def test_boxes_are_counted_by_class_split_and_size_in_their_own_pixels(planted: Path) -> None:
    for keys in ({}, {"size": (20, 30)}, {"size": (80, 80), "fit": "letterbox"}):
        found = look(planted, **keys)
        rows = {(row["class"], row["split"]): row for row in box_frame(found, boxes(found)).iter_rows(named=True)}
        dogs = rows["dog", "training"]
        assert (dogs["boxes"], dogs["images"]) == (5, 4)
        assert (dogs["small"], dogs["medium"], dogs["large"]) == (4, 2, 0)  # 32 × 32 pixels are both
        assert rows["cat", "test"]["boxes"] == 0
        twice = double_frame(found, boxes(found))
        assert twice["overlap"].to_list() == pytest.approx([39 / 40, 31 / 32], abs=1e-5)
        assert twice["box"].to_list() == ["0, 0, 60, 40", "0, 0, 32, 31"]


def test_the_words_under_a_picture_count_its_boxes_and_the_sample_draws_them(planted: Path) -> None:
    found = look(planted)
    assert in_words(found.images, found.images.names.index("JPEGImages/one.jpg")) == "3 cat, 1 dog"
    assert in_words(found.images, found.images.names.index("JPEGImages/seventh.jpg")) == "no box"
    assert [row.heading for row in Album(found).sample()] == ["with cat", "with dog", "no box"]
    assert [name for name, _ in Album(found).legend()] == ["cat", "dog"]


def test_the_first_suspects_are_drawn_with_the_label_thin_and_what_is_said_thick(planted: Path) -> None:
    found = look(planted, size=(80, 80), fit="letterbox")  # the pictures are 60 wide and 40 high
    given = [
        (0.9, "shifted", "JPEGImages/fourth.jpg", "train", "dog", "2, 2, 30, 30", "dog", "18, 3, 48, 33"),
        (0.8, "missing", "JPEGImages/seventh.jpg", "test", None, None, "cat", "30, 6, 54, 36"),
    ]
    frame = pl.DataFrame(given, schema=SCHEMA, orient="row")
    album = Album(replace(found, suspects=frame))
    rows = suspect_rows(album)
    assert [row.heading for row in rows] == [
        "shifted, 0.90, JPEGImages/fourth.jpg",
        "missing, 0.80, JPEGImages/seventh.jpg",
    ]
    assert [(shot.truth, shot.note) for shot in rows[1].shots] == [("no box", "labelled"), ("cat", "said")]
    scale = 2 * 80 / 60  # letterboxed, then enlarged to at most 224
    top = 2 * (80 - round(80 / 60 * 40)) / 2
    cat = album.colours[0].astype(int)
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(rows[1].shots[1].source.partition(",")[2]))).convert("RGB"))
    y, x = round(top + 20 * scale), [round(30 * scale) + k for k in (-1, 0, 1, 2, 3)]
    near = [bool((np.abs(pixels[y, column].astype(int) - cat) < 60).all()) for column in x]
    assert near == [False, True, True, True, False]
    assert suspect_rows(Album(found)) == []


def test_a_box_is_drawn_on_its_outermost_pixels() -> None:
    edges, colours = np.array([[10, 20, 100, 200]], np.float32), np.array([[255, 0, 0]], np.uint8)
    picture = drawn(np.zeros((1, 224, 224), np.uint8), edges, np.array([0]), colours)
    rows, columns = np.nonzero(picture[0])
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (10, 20, 99, 199)
    assert not picture[1:].any()
    assert drawn(np.zeros((3, 32, 16), np.uint8), edges[:0], np.array([], np.int64), colours).shape == (3, 224, 112)


def test_the_task_says_whether_masks_or_boxes_are_looked_at(tmp_path: Path) -> None:
    pictures = {f"{k}.jpg": [("cat", 1, 1, 5 + k, 5)] for k in range(4)}
    folder = coco(tmp_path / "set", {"train": pictures}, ["cat"])
    path = folder / "annotations" / "instances_train2017.json"
    path.write_text(path.read_text().replace('"iscrowd": 0', '"iscrowd": 0, "segmentation": [[1, 1, 5, 1, 5, 5]]'))
    kinds = {}
    for task in (None, "segmentation", "detection"):
        found, page = check(str(folder), task=task, out=tmp_path / "out", quiet=True)
        kinds[task] = found.images.targets.kind
    assert kinds == {None: "masks", "segmentation": "masks", "detection": "boxes"}
    assert "The boxes over each picture" in page.read_text(encoding="utf-8")
    with pytest.raises(AssayError, match="unknown task 'detecting'; did you mean 'detection'"):
        check(str(folder), task="detecting", out=tmp_path / "out", quiet=True)


def test_a_study_of_detection_is_looked_at_as_it_is_read(tmp_path: Path) -> None:
    folder = coco(tmp_path / "set", {"train": {"a.jpg": [("cat", 1, 1, 5, 5)], "b.jpg": []}}, ["cat"])
    study = tmp_path / "study.yaml"
    study.write_text(f"title: x\nbase:\n  task: detection\n  data: {{source: {folder}}}\n")
    assert check(str(study), out=tmp_path / "out", quiet=True)[0].data.truth == "boxes"
    assert data_of(study)["truth"] == "boxes"
    study.write_text(study.read_text().replace("task: detection", "task: [detection]"))
    with pytest.raises(AssayError, match="unknown task"):
        data_of(study)


def test_bccds_pairs_are_found(data_root: Path) -> None:
    found = look(data_root / "bccd.zip")
    assert len(double_frame(found, boxes(found))) == 8
    assert "8 pairs of boxes of one class, in 8 images," in " ".join(verdict(found))
