"""COCO's panoptic PNG files: segments by their colours, classes by their categories, void where there is none."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.data.targets import VOID
from assay.errors import AssayError
from drawn_masks import contents, mask, picture

SEGMENTS = np.zeros((4, 5), np.int64)
SEGMENTS[:, 1:] = 3
SEGMENTS[2:, 3:] = 70_000
CATEGORIES = {200: "sky", 1: "person", 17: "cat"}


def coloured(segments: np.ndarray) -> np.ndarray:
    return np.stack([segments % 256, segments // 256 % 256, segments // 65_536], axis=-1).astype(np.uint8)


def panoptic(root: Path, categories: dict[int, int], **changes: Any) -> Path:
    """A picture to train on and one for validation; ``categories`` of the segments of both."""
    folder = root / "coco"
    for split, stem in (("train", "a"), ("val", "b")):
        picture(folder / f"{split}2017" / f"{stem}.jpg", (4, 5))
        mask(folder / "annotations" / f"panoptic_{split}2017" / f"{stem}.png", coloured(SEGMENTS))
        segments = [{"id": number, "category_id": category, "iscrowd": 0} for number, category in categories.items()]
        found = {
            "images": [{"id": 7, "file_name": f"{stem}.jpg", "height": 4, "width": 5}],
            "annotations": [{"image_id": 7, "file_name": f"{stem}.png", "segments_info": segments}],
            "categories": [{"id": number, "name": name, "isthing": 1} for number, name in CATEGORIES.items()],
        }
        path = folder / "annotations" / f"panoptic_{split}2017.json"
        path.write_text(json.dumps(found | changes))
    return folder


def test_a_segment_is_of_its_category_and_what_is_of_none_is_void(tmp_path: Path) -> None:
    found = contents(panoptic(tmp_path, {3: 200, 70_000: 1}))
    assert found.classes == ["person", "cat", "sky"]
    assert found.names == ["train2017/a.jpg", "val2017/b.jpg"]
    assert found.is_validation is not None
    assert found.is_validation.tolist() == [False, True]
    expected = np.array([[VOID, 2, 2, 2, 2]] * 2 + [[VOID, 2, 2, 0, 0]] * 2)
    for i in range(2):
        np.testing.assert_array_equal(found.targets.own(i), expected)
    assert found.misplaced == []


def test_categories_may_be_ignored_and_lists_be_splits(tmp_path: Path) -> None:
    folder = panoptic(tmp_path, {3: 200, 70_000: 1})
    found = contents(folder, ignore="sky", layout={"panoptic_train2017": "train", "panoptic_val2017": "test"})
    assert found.classes == ["person", "cat"]
    assert found.is_test.tolist() == [False, True]
    assert found.targets.own(0)[3].tolist() == [VOID, VOID, VOID, 0, 0]
    with pytest.raises(AssayError, match=r"data.ignore: 9, and .*panoptic_train2017.json numbers its classes 0 to 2"):
        contents(folder, ignore=9)


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    found = contents(panoptic(tmp_path, {3: 200, 70_000: 99}))
    with pytest.raises(ValueError, match=r"a.png has segment 70000, which .*train2017.json lists under no category"):
        found.targets.own(0)
    mask(tmp_path / "coco" / "annotations" / "panoptic_train2017" / "a.png", SEGMENTS.astype(np.uint8))
    with pytest.raises(ValueError, match=r"a.png is no picture of colours"):
        found.targets.own(0)
    (tmp_path / "coco" / "annotations" / "panoptic_val2017" / "b.png").unlink()
    left = contents(tmp_path / "coco")
    assert left.names == ["train2017/a.jpg"]
    broken = panoptic(tmp_path / "broken", {3: 200}, annotations=[{"image_id": 7, "file_name": "a.png"}])
    with pytest.raises(AssayError, match=r"cannot be read as COCO's panoptic JSON \(KeyError: 'segments_info'\)"):
        contents(broken)
