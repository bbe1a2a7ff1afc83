"""Pascal VOC's lists choose pictures and splits; COCO's objects become masks, as its own tools draw them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.data.cache import open_source
from assay.data.images import Contents
from assay.data.sources.regions import from_polygon, from_runs, region, run_lengths
from assay.data.targets import VOID, Labels
from assay.errors import AssayError
from assay.recipe import Data
from drawn_masks import mask, picture, values


def contents(path: Path, **keys: Any) -> Contents:
    return open_source(Data.model_validate({"source": str(path), **keys}), path.parent).contents()


def voc(root: Path, lists: dict[str, str]) -> Path:
    folder = root / "VOC2012"
    for name in "abcd":
        picture(folder / "JPEGImages" / f"{name}.jpg")
    for name in "abc":
        mask(folder / "SegmentationClass" / f"{name}.png", values(r1=15, r2=VOID), {15: (192, 128, 128)})
        mask(folder / "SegmentationObject" / f"{name}.png", values(r1=1))
    for name, text in lists.items():
        path = folder / "ImageSets" / "Segmentation" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_voc_reads_its_lists_and_its_border_is_void(tmp_path: Path) -> None:
    found = contents(voc(tmp_path, {"train": "a\n", "val": "b\n", "trainval": "a\nb\n"}))
    assert found.names == ["JPEGImages/a.jpg", "JPEGImages/b.jpg"]
    assert found.is_validation is not None
    assert (found.is_validation.tolist(), found.is_test.tolist()) == ([False, True], [False, False])
    assert (found.misplaced, found.unlisted) == ([], 2)
    assert (len(found.classes), found.classes[0], found.classes[15]) == (21, "background", "person")
    assert found.targets.own(0)[:4, 0].tolist() == [0, 15, VOID, 0]


def test_vocs_classes_have_its_colours(tmp_path: Path) -> None:
    folder = voc(tmp_path, {"train": "a\nb\n", "val": "c\n"})
    found = contents(folder)
    assert found.colours is not None
    drawn = dict(zip(found.classes, found.colours, strict=True))
    assert (drawn["background"], drawn["aeroplane"], drawn["tvmonitor"]) == ((0, 0, 0), (128, 0, 0), (0, 64, 128))
    assert drawn["person"] == (192, 128, 128)


def test_vocs_validation_list_may_be_the_test_split(tmp_path: Path) -> None:
    found = contents(voc(tmp_path, {"train": "a\n", "val": "b\n"}), layout={"train": "train", "val": "test"})
    assert found.is_test.tolist() == [False, True]


def test_a_voc_list_with_both_halves_only_is_for_training(tmp_path: Path) -> None:
    found = contents(voc(tmp_path, {"trainval": "a\nc\n", "test": "b\nd\n"}))
    assert found.is_test.tolist() == [False, True, False]
    assert found.misplaced == [("d", "one of 1 pictures without a mask")]


def test_a_picture_in_two_voc_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=r"val.txt of .* lists 'a', which is in the train split already"):
        contents(voc(tmp_path, {"train": "a\nb\n", "val": "a\n"}))


SQUARE = [1, 1, 4, 1, 4, 5, 1, 5]


def objects(*each: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"id": k, "image_id": 7, "iscrowd": 0, **one} for k, one in enumerate(each)]


def coco(root: Path, annotations: list[dict[str, Any]], categories: dict[int, str] | None = None) -> Path:
    folder = root / "coco"
    picture(folder / "train2017" / "a.jpg", (8, 6))
    picture(folder / "val2017" / "b.jpg", (8, 6))
    names = {90: "dog", 3: "cat"} if categories is None else categories
    for split, file, those in (("train", "a.jpg", annotations), ("val", "b.jpg", [])):
        path = folder / "annotations" / f"instances_{split}2017.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = {"id": 7, "file_name": file, "height": 8, "width": 6}
        listed = [{"id": number, "name": name} for number, name in names.items()]
        path.write_text(json.dumps({"images": [image], "annotations": those, "categories": listed}))
    return folder


def test_coco_numbers_its_categories_by_their_ids_and_what_is_no_object_is_background(tmp_path: Path) -> None:
    found = contents(coco(tmp_path, objects({"category_id": 90, "segmentation": [SQUARE]})))
    assert found.classes == ["background", "cat", "dog"]
    assert found.names == ["train2017/a.jpg", "val2017/b.jpg"]
    assert found.is_validation is not None
    assert found.is_validation.tolist() == [False, True]
    expected = np.zeros((8, 6), np.uint8)
    expected[1:5, 1:4] = 2
    np.testing.assert_array_equal(found.targets.own(0), expected)
    assert not found.targets.own(1).any()


def test_the_smaller_object_is_seen_and_a_crowd_is_void_below_it(tmp_path: Path) -> None:
    crowd = {"size": [8, 6], "counts": [0, 24, 24]}  # the left three columns
    found = contents(
        coco(
            tmp_path,
            objects(
                {"category_id": 90, "segmentation": [[2, 2, 3, 2, 3, 3, 2, 3]]},
                {"category_id": 3, "segmentation": [SQUARE]},
                {"category_id": 3, "segmentation": crowd, "iscrowd": 1},
            ),
        )
    )
    seen = found.targets.own(0)
    assert seen[2].tolist() == [VOID, 1, 2, 1, 0, 0]
    assert seen[7].tolist() == [VOID, VOID, VOID, 0, 0, 0]


def test_cocos_background_may_be_ignored(tmp_path: Path) -> None:
    folder = coco(tmp_path, objects({"category_id": 3, "segmentation": [SQUARE]}))
    found = contents(folder, ignore="background")
    assert found.classes == ["cat", "dog"]
    assert found.targets.own(0)[2].tolist() == [VOID, 0, 0, 0, VOID, VOID]
    with pytest.raises(AssayError, match=r"data.ignore: 99, and .*json numbers its classes 0 to \d"):
        contents(folder, ignore=[99])


def test_coco_files_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match="objects without a segmentation, only boxes"):
        contents(coco(tmp_path / "boxes", objects({"category_id": 3, "bbox": [1, 1, 3, 4]})), layout="masks")
    folder = coco(tmp_path / "other", objects({"category_id": 3, "segmentation": [SQUARE]}))
    path = folder / "annotations" / "instances_val2017.json"
    path.write_text(path.read_text().replace("dog", "cow"))
    with pytest.raises(AssayError, match=r"instances_train2017.json and .*instances_val2017.json have different cat"):
        contents(folder)
    path.write_text("{")
    with pytest.raises(AssayError, match=r"instances_val2017.json of .* cannot be read as JSON"):
        contents(folder)


def test_a_picture_that_coco_lists_and_is_not_there_is_told(tmp_path: Path) -> None:
    folder = coco(tmp_path, objects({"category_id": 3, "segmentation": [SQUARE]}))
    (folder / "val2017" / "b.jpg").unlink()
    assert contents(folder).misplaced[0][0] == "b.jpg"


def test_class_folders_with_a_json_beside_them_stay_classes(tmp_path: Path) -> None:
    folder = coco(tmp_path, objects({"category_id": 3, "segmentation": [SQUARE]}))
    (folder / "train2017").rename(folder / "cat")
    (folder / "val2017").rename(folder / "dog")
    (folder / "annotations" / "instances_train2017.json").rename(folder / "_annotations.coco.json")
    shutil.rmtree(folder / "annotations")
    assert isinstance(contents(folder).targets, Labels)


def test_a_rectangle_of_edges_is_its_pixels() -> None:
    inside = from_polygon(np.array(SQUARE, float).reshape(-1, 2), 8, 6)
    assert inside.sum() == 12
    assert inside[1:5, 1:4].all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 43), st.floats(-3, 33)), min_size=3, max_size=8))
def test_polygons_are_drawn_as_cocos_own_tools_draw_them_but_for_pixels_on_their_border(
    points: list[tuple[float, float]],
) -> None:
    coco_mask = pytest.importorskip("pycocotools.mask")
    flat = [min(max(part, 0), 40 - 10 * k) for point in points for k, part in enumerate(point)]
    ours = region([flat], 30, 40)
    theirs = coco_mask.decode(coco_mask.frPyObjects([flat], 30, 40))[..., 0].astype(bool)
    corners = np.array(flat).reshape(-1, 2)
    length = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1).sum()
    assert (ours != theirs).sum() <= length + 4


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.randoms(use_true_random=False))
def test_run_lengths_plain_and_compressed_are_those_of_cocos_own_tools(height: int, width: int, random: Any) -> None:
    coco_mask = pytest.importorskip("pycocotools.mask")
    drawn = np.array([[random.random() < 0.4 for _ in range(width)] for _ in range(height)])
    packed = coco_mask.encode(np.asfortranarray(drawn.astype(np.uint8)))["counts"].decode()
    counts = run_lengths(packed)
    assert sum(counts) == height * width
    np.testing.assert_array_equal(from_runs(counts, height, width), drawn)
    np.testing.assert_array_equal(region({"size": [height, width], "counts": packed}, height, width), drawn)


def test_run_lengths_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="run lengths of 5 pixels in a picture of 6"):
        from_runs([2, 3], 2, 3)
