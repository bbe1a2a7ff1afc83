"""COCO's JSON and YOLO's text files give the boxes that Pascal VOC's XML gives; what cannot be is told by its place."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.data import open_images, split
from assay.data.boxes import CROWD, Boxes
from assay.data.cache import open_source
from assay.data.images import Contents, ImageSet
from assay.data.targets import Masks
from assay.errors import AssayError
from assay.recipe import Data
from drawn_boxes import coco, jpeg, voc, write_json, yolo

CLASSES = ["cat", "dog"]
FEW: dict[str, dict[str, list[Any]]] = {
    "train": {"a.jpg": [("dog", 0, 0, 60, 40), ("cat", 4, 5, 9, 7)], "b.jpg": [], "c.jpg": [("dog", 1, 2, 3, 4)]},
    "valid": {"d.jpg": [("cat", 10, 11, 33, 31)]},
    "test": {"e.jpg": [("dog", 7, 8, 30, 29)]},
}


def contents(path: Path, **keys: Any) -> Contents:
    return open_source(Data.model_validate({"source": str(path), **keys}), path.parent).contents()


def images(path: Path, **keys: Any) -> ImageSet:
    return open_images(Data.model_validate({"source": str(path), **keys}), path.parent)


def boxes(found: Contents | ImageSet) -> Boxes:
    assert isinstance(found.targets, Boxes)
    return found.targets


def text(path: Path, old: str, new: str) -> None:
    found = path.read_text()
    assert old in found
    path.write_text(found.replace(old, new))


def test_three_formats_of_one_set_give_the_same_boxes_and_the_same_split(tmp_path: Path) -> None:
    named = {"train": "train", "valid": "val", "test": "test"}
    sets = [
        voc(tmp_path / "voc", {named[each]: those for each, those in FEW.items()}),
        coco(tmp_path / "coco", {named[each]: those for each, those in FEW.items()}, CLASSES),
        yolo(tmp_path / "yolo", FEW, CLASSES),
    ]
    for folder in sets:
        found = images(folder)
        order = np.argsort([Path(name).name for name in found.names])
        assert found.classes == CLASSES
        there = boxes(found).subset(order)
        assert there.labels.tolist() == [1, 0, 1, 0, 1]
        assert there.counts.tolist() == [2, 0, 1, 1, 1]
        expected = [[0, 0, 60, 40], [4, 5, 9, 7], [1, 2, 3, 4], [10, 11, 33, 31], [7, 8, 30, 29]]
        np.testing.assert_allclose(there.edges, expected, atol=1e-3)
        cut = split(Data(source="x"), found, 0)
        names = {key: sorted(Path(found.names[i]).name for i in rows) for key, rows in cut.items()}
        assert names == {key: list(FEW[each]) for key, each in zip(names, ("train", "valid", "test"), strict=True)}


@pytest.mark.parametrize("written", ["coco", "yolo"])
def test_bccd_is_the_same_in_every_format(data_root: Path, tmp_path: Path, written: str) -> None:
    """The pictures are linked, not copied; boxes are equal to half a pixel, splits are the same."""
    from assay.data.sources.archive import zip_tree

    own = contents(data_root / "bccd.zip")
    tree = zip_tree(data_root / "bccd.zip")
    assert own.is_validation is not None
    splits = ["test" if t else "val" if v else "train" for t, v in zip(own.is_test, own.is_validation, strict=True)]
    for name, part in zip(own.names, splits, strict=True):
        path = tmp_path / "set" / part / "images" / Path(name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tree.read(name))
    (write_as_coco if written == "coco" else write_as_yolo)(tmp_path / "set", own, splits)
    found = contents(tmp_path / "set")
    order = np.argsort([Path(name).name for name in found.names])
    assert found.is_validation is not None
    assert [Path(found.names[i]).name for i in order] == [Path(name).name for name in own.names]
    np.testing.assert_array_equal(found.is_test[order], own.is_test)
    np.testing.assert_array_equal(found.is_validation[order], own.is_validation)
    there = boxes(found).subset(order)
    assert found.classes == own.classes
    np.testing.assert_array_equal(there.labels, boxes(own).labels)
    np.testing.assert_array_equal(there.starts, boxes(own).starts)
    assert np.abs(there.edges - boxes(own).edges).max() <= 0.5


def write_as_coco(folder: Path, own: Contents, splits: list[str]) -> None:
    there = boxes(own)
    categories = [{"id": k + 1, "name": name, "supercategory": "cells"} for k, name in enumerate(own.classes)]
    heading = {"id": 0, "name": "cells", "supercategory": "none"}
    for part in set(splits):
        rows = [i for i, each in enumerate(splits) if each == part]
        listed = [{"id": i, "file_name": Path(own.names[i]).name, "height": 480, "width": 640} for i in rows]
        objects = []
        for i in rows:
            for k in range(there.starts[i], there.starts[i + 1]):
                x1, y1, x2, y2 = there.edges[k].tolist()
                box = [x1, y1, x2 - x1, y2 - y1]
                objects.append({"id": int(k), "image_id": i, "category_id": int(there.labels[k]) + 1, "bbox": box})
        found = {"images": listed, "annotations": objects, "categories": [heading, *categories]}
        write_json(folder / part / "_annotations.coco.json", found)


def write_as_yolo(folder: Path, own: Contents, splits: list[str]) -> None:
    there = boxes(own)
    for i, part in enumerate(splits):
        rows = range(there.starts[i], there.starts[i + 1])
        each = [(there.labels[k], *there.edges[k].tolist()) for k in rows]
        path = folder / part / "labels" / f"{Path(own.names[i]).stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "".join(
                f"{label} {(a + c) / 1280:.6f} {(b + d) / 960:.6f} {(c - a) / 640:.6f} {(d - b) / 480:.6f}\n"
                for label, a, b, c, d in each
            )
        )
    (folder / "data.yaml").write_text(f"names: {json.dumps(dict(enumerate(own.classes)))}\n".replace('"', ""))


def test_crowds_are_flagged_and_objects_without_a_bbox_have_their_regions_bounds(tmp_path: Path) -> None:
    folder = coco(tmp_path / "coco", {"train": {"a.jpg": [("cat", 1, 1, 5, 5)] * 3}}, CLASSES)
    path = folder / "annotations" / "instances_train2017.json"
    found = json.loads(path.read_text())
    first, second, third = found["annotations"]
    first["iscrowd"] = 1
    second |= {"bbox": [], "segmentation": [[2, 3, 9, 3, 9, 8]]}
    third |= {"bbox": [], "segmentation": {"size": [40, 60], "counts": [85, 6, 34, 6, 2269]}}
    write_json(path, found)
    there = boxes(contents(folder, truth="boxes"))
    assert there.flags.tolist() == [CROWD, 0, 0]
    assert there.edges.tolist() == [[1, 1, 5, 5], [2, 3, 9, 8], [2, 5, 4, 11]]


def test_where_masks_lie_beside_boxes_the_recipe_says_what_is_read(tmp_path: Path) -> None:
    folder = coco(tmp_path / "coco", {"train": {"a.jpg": [("cat", 1, 1, 5, 5)]}}, CLASSES)
    path = folder / "annotations" / "instances_train2017.json"
    text(path, '"iscrowd": 0', '"iscrowd": 0, "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]]')
    masks, there = images(folder), images(folder, truth="boxes")
    assert isinstance(masks.targets, Masks)
    assert boxes(there).edges.tolist() == [[1, 1, 5, 5]]
    assert masks.identity != there.identity


def test_another_box_in_a_file_is_another_set(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "yolo", FEW, CLASSES)
    before = images(folder)
    (folder / "test" / "labels" / "e.txt").write_text("0 0.5 0.5 0.5 0.25\n")
    after = images(folder)
    assert before.identity != after.identity
    assert boxes(after).edges[-1].tolist() == [15, 15, 45, 25] or [15, 15, 45, 25] in boxes(after).edges.tolist()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"id": 0, "image_id"', '"id": 1, "image_id"', "has the id 1 twice among its annotations"),
        ('{"id": 0, "file_name"', '{"id": 1, "file_name"', "has the id 1 twice among its images"),
        ('{"id": 13, "name"', '{"id": 3, "name"', "has the id 3 twice among its categories"),
        ('"category_id": 3, ', "", r"annotations\[1\] has no category_id that is a whole number or a text"),
        (
            '"category_id": 3, ',
            '"category_id": [3], ',
            r"annotations\[1\] has no category_id that is a whole number or a text",
        ),
        ('"images": [', '"images": [1, ', r"images\[0\] has no id"),
        ('"bbox": [4, 5, 5, 2]', '"bbox": [], "segmentation": {"counts": 3}', r"a.jpg .*'size'|run lengths"),
        ('"file_name": "c.jpg"', '"file_name": "a.jpg"', "lists train2017/a.jpg, which is listed already"),
        ('"image_id": 2', '"image_id": 9', r"annotations\[2\] \(.*train2017.json has no image 9, of which it is"),
        ('"category_id": 3', '"category_id": 4', r"a.jpg .*object 1 is of category 4, which is not listed"),
        ('"bbox": [4, 5, 5, 2]', '"bbox": [4, 5, -5, 2]', r"a.jpg .*object 1: an inverted box, from 4, 5 to -1, 7"),
        (
            '"bbox": [4, 5, 5, 2]',
            '"bbox": [4, 5, NaN, 2]',
            r"a.jpg .*object 1 has the bbox \[4, 5, nan, 2\], expected x, y",
        ),
        ('"bbox": [4, 5, 5, 2]', '"bbox": [4, 5, 5]', r"a.jpg .*object 1 has the bbox \[4, 5, 5\], expected x, y"),
        ('"bbox": [4, 5, 5, 2]', f'"bbox": [4, 5, 5, 1{"0" * 400}]', "object 1 has the bbox .*…, expected x, y, width"),
        ('"bbox": [4, 5, 5, 2]', '"bbox": "4"', r"a.jpg .*object 1 has the bbox '4', expected x, y"),
        ('"iscrowd": 0', '"iscrowd": "0"', "object 0 has the iscrowd '0', expected 0 or 1"),
        ('"categories"', '"classes"', "instances_train2017.json of .* has boxes, and no list of categories that names"),
        ('"annotations"', '"annotations": 5, "objects"', "train2017.json of .*: annotations is 5, expected a list"),
    ],
)
def test_coco_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    folder = coco(tmp_path / "coco", {"train": FEW["train"]}, CLASSES)
    text(folder / "annotations" / "instances_train2017.json", old, new)
    with pytest.raises(AssayError, match=told):
        images(folder)


@pytest.mark.parametrize(
    ("segmentation", "told"),
    [
        ("[[1, 2, 3]]", "a polygon of 3 numbers, expected x and y of three points at least"),
        ("[[]]", "a polygon of 0 numbers, expected x and y of three points at least"),
        ('[["a"]]', r"a polygon \['a'\], expected a list of numbers"),
        ("[[1, 2, 3, 4, 5, Infinity]]", r"a polygon \[1, 2, 3, 4, 5, inf\], expected a list of numbers"),
        ("[1, 2, 3, 4, 5, 6]", "a polygon 1, expected a list of numbers"),
        ("5", "the segmentation 5, expected a list of polygons or run lengths"),
        ('{"size": 40}', r"run lengths of 40 in a picture of \[40, 60\]"),
        ('{"size": [40, 60]}', "the run lengths None, expected whole numbers or the text they are packed into"),
        ('{"size": [40, 60], "counts": ["a"]}', r"the run lengths \['a'\], expected whole numbers"),
        ('{"size": [40, 60], "counts": "\u00e9"}', "the run lengths 'é', expected whole numbers"),
    ],
)
def test_a_region_that_cannot_be_read_is_told_with_what_was_expected(
    tmp_path: Path, segmentation: str, told: str
) -> None:
    folder = coco(tmp_path / "coco", {"train": FEW["train"]}, CLASSES)
    text(folder / "annotations" / "instances_train2017.json", '"bbox": [4, 5, 5, 2]', f'"segmentation": {segmentation}')
    with pytest.raises(AssayError, match=rf"a.jpg \(.*json: object 1 has {told}"):
        images(folder, truth="boxes")
    with pytest.raises(AssayError, match=rf"a.jpg \({told}"):
        images(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"name": "cat"', '"name": "cat", "supercategory": ["animal"]'),
        ('"name": "cat"', '"name": "cat", "supercategory": {"name": "dog"}'),
        ('"height": 40, "width": 60}', '"height": 40, "width": Infinity}'),
        ('"height": 40, "width": 60}', '"height": NaN, "width": "60"}'),
        ('"height": 40, "width": 60}', f'"height": 40, "width": 6{"0" * 400}}}'),
    ],
)
def test_what_coco_says_besides_may_be_anything(tmp_path: Path, old: str, new: str) -> None:
    folder = coco(tmp_path / "coco", {"train": FEW["train"]}, CLASSES)
    path = folder / "annotations" / "instances_train2017.json"
    path.write_text(path.read_text().replace(old, new))
    found = contents(folder)
    assert found.classes == CLASSES
    assert boxes(found).edges.tolist() == [[0, 0, 60, 40], [4, 5, 9, 7], [1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("0 0.5 0.5 0.5", "line 2: 4 numbers, expected class, x, y, width and height, or"),
        ("0 0.5 0.5 0.5 0.5 0.9", "line 2: 6 numbers, expected class, x, y, width and height, or"),
        ("0 0.5 0.5 1.02 0.5", r"line 2: 1.02 is no share of the picture, expected 0 to 1"),
        ("0 0.5 nan 0.5 0.5", r"line 2: nan is no share of the picture"),
        ("0 0.5 -0.5 0.5 0.5", r"line 2: -0.5 is no share of the picture"),
        ("2 0.5 0.5 0.5 0.5", r"line 2: class 2, and data.yaml names 0 to 1"),
        ("0.5 0.5 0.5 0.5 0.5", r"line 2: class 0.5, and data.yaml names 0 to 1"),
        ("cat 0.5 0.5 0.5 0.5", r"line 2: 'cat 0.5 0.5 0.5 0.5', expected numbers"),
    ],
)
def test_a_line_of_yolo_that_cannot_be_is_refused_or_its_picture_is_skipped(
    tmp_path: Path, row: str, told: str
) -> None:
    folder = yolo(tmp_path / "yolo", FEW, CLASSES)
    path = folder / "train" / "labels" / "c.txt"
    path.write_text(f"0 0.5 0.5 0.5 0.5\n{row}\n")
    with pytest.raises(AssayError, match=rf"train/images/c.jpg \(train/labels/c.txt: {told}"):
        images(folder)
    found = images(folder, on_bad_image="skip")
    assert [name for name, _ in found.skipped] == ["train/images/c.jpg"]
    assert len(found) == 4


def test_a_yolo_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "yolo", FEW, CLASSES)
    (folder / "train" / "labels" / "c.txt").write_bytes(b"\xff0 0.5 0.5 0.5 0.5")
    with pytest.raises(AssayError, match=r"c.jpg \(train/labels/c.txt: no text in UTF-8, expected a box a line\)"):
        images(folder)


def test_a_region_of_a_category_that_is_not_listed_is_told(tmp_path: Path) -> None:
    folder = coco(tmp_path / "coco", {"train": FEW["train"]}, CLASSES)
    path = folder / "annotations" / "instances_train2017.json"
    text(path, '"category_id": 3, "bbox"', '"category_id": 4, "segmentation": [[1, 1, 5, 1, 5, 5]], "bbox"')
    with pytest.raises(AssayError, match=r"a.jpg \(.*json has an object of category 4, which is not listed\)"):
        images(folder)


def test_yolos_polygons_become_their_bounds_and_its_boxes_of_no_extent_go(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "yolo", FEW, CLASSES)
    rows = "1 0.5 0.5 0.75 0.5 0.6 0.75\n\n0 0.5 0.5 0 0.5\n0 0.5 0.5 0.0000001 0.5\n"
    (folder / "test" / "labels" / "e.txt").write_text(rows)
    found = contents(folder)
    at = found.names.index("test/images/e.jpg")
    assert boxes(found).subset(np.array([at])).edges.tolist() == [[30, 20, 45, 30]]
    assert found.notes == [("test/images/e.jpg", "2 boxes of no extent, left out")]


def test_a_picture_without_a_yolo_file_shows_nothing_and_a_file_without_a_picture_is_told(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "yolo", FEW, CLASSES)
    (folder / "train" / "labels" / "a.txt").unlink()
    (folder / "test" / "labels" / "f.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    found = contents(folder)
    assert len(found.names) == 5
    assert found.notes == [("train/images/a.jpg", "no box file, so taken to show nothing")]
    assert found.misplaced == [("test/labels/f.txt", "a box file without a picture")]


def test_data_yaml_says_which_folders_and_lists_are_which_split(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for name in ("one", "two", "three", "four"):
        jpeg(folder / "images" / f"fold_{name}" / f"{name}.jpg")
        path = folder / "labels" / f"fold_{name}" / f"{name}.txt"
        path.parent.mkdir(parents=True)
        path.write_text("7 0.5 0.5 0.5 0.5\n")
    (folder / "held.txt").write_text("./images/fold_three/three.jpg\n")
    yaml = (
        "path: /content/set\ntrain: [images/fold_one]\nval: images/fold_two\ntest: held.txt\nnames: {7: cat, 2: dog}\n"
    )
    (folder / "data.yaml").write_text(yaml)
    found = contents(folder, truth="boxes")
    assert (found.classes, boxes(found).labels.tolist()) == (["dog", "cat"], [1, 1, 1])
    assert [Path(name).stem for name in found.names] == ["one", "three", "two"]
    assert found.is_validation is not None
    assert (found.is_test.tolist(), found.is_validation.tolist()) == ([False, True, False], [False, False, True])
    assert found.unlisted == 1
    stated = contents(folder, truth="boxes", layout={"fold_four": "train", "fold_one": "test"})
    assert [Path(stated.names[i]).stem for i in np.flatnonzero(stated.is_test)] == ["one"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("nc: 2", "nc: 3", "data.yaml of .* says nc: 3, and names 2 classes"),
        ("- dog", "- cat", "data.yaml of .* lists the class 'cat' twice"),
        ("names:\n- cat\n- dog\n", "names: cats\n", "names is 'cats', expected a list"),
        ("names:", "names: [", "data.yaml of .* cannot be read as YAML"),
        ("- dog", "- null", "data.yaml of .* has nothing for the name of class 1, expected text; the name null stands"),
        ("- cat", "-", "data.yaml of .* has nothing for the name of class 0, expected text"),
        ("- dog", "- [dog]", r"data.yaml of .* has \['dog'\] for the name of class 1, expected text"),
        ("names:\n- cat\n- dog\n", "names: {cat: 0, dog: 1}\n", "expected a list, or numbers with the name of each"),
        (
            "names:",
            "train: images\nval: images\nnames:",
            r"puts .*\.jpg in two splits, train and validation \(by val: imag",
        ),
    ],
)
def test_a_data_yaml_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    folder = yolo(tmp_path / "yolo", FEW, CLASSES)
    text(folder / "data.yaml", old, new)
    with pytest.raises(AssayError, match=told):
        contents(folder)


@pytest.mark.parametrize("names", ["[yes, no]", "[007, 1e3]", "{0: 2024-01-01, 1: ~x}", "['null', 'true']"])
def test_names_of_classes_are_text_as_written(tmp_path: Path, names: str) -> None:
    folder = yolo(tmp_path / "yolo", FEW, CLASSES)
    text(folder / "data.yaml", "names:\n- cat\n- dog\n", f"names: {names}\n")
    written = [each.split(": ")[-1].strip("'") for each in names[1:-1].split(", ")]
    assert contents(folder).classes == written


@pytest.mark.parametrize("stem", ["test", "train", "val", "readme", "valid"])
def test_a_picture_may_be_called_as_lists_are(tmp_path: Path, stem: str) -> None:
    folder = yolo(tmp_path / "yolo", {"train": {f"{stem}.jpg": [("dog", 6, 8, 30, 28)]}}, CLASSES)
    (folder / "trainval.txt").write_text(f"train/images/{stem}.jpg\n")
    found = contents(folder)
    np.testing.assert_allclose(boxes(found).edges, [[6, 8, 30, 28]], atol=1e-3)
    assert (found.notes, found.misplaced) == ([], [])


def test_without_names_of_classes_yolos_boxes_are_refused_and_words_about_pictures_are_none(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "yolo", {"train": {"a.jpg": [("cat", 0, 0, 9, 9)]}}, CLASSES)
    (folder / "data.yaml").unlink()
    with pytest.raises(AssayError, match=r"nothing that names their classes: expected a data.yaml with names"):
        contents(folder)
    (folder / "classes.txt").write_text("cat\n")
    assert contents(folder).classes == ["cat"]
    (folder / "classes.txt").unlink()
    (folder / "train" / "labels" / "a.txt").write_text("a cat on a mat\n")
    with pytest.raises(AssayError, match="has no boxes: expected Pascal VOC's XML, COCO's JSON, or YOLO's"):
        contents(folder, truth="boxes")


def test_a_layout_of_classes_or_masks_has_no_boxes(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "yolo", FEW, CLASSES)
    with pytest.raises(AssayError, match=r"data.layout: classes, and boxes are asked for; leave it out"):
        contents(folder, truth="boxes", layout="classes")


def test_coco_under_another_name_is_known_by_what_it_holds(tmp_path: Path) -> None:
    jpeg(tmp_path / "set" / "images" / "a.jpg")
    write_json(tmp_path / "set" / "notes.json", {"images": "none"})
    (tmp_path / "set" / "broken.json").write_text("{")
    image = {"id": "x", "file_name": "..\\images\\a.jpg", "height": 40, "width": 60}
    objects = [{"id": 1, "image_id": "x", "category_id": 0, "bbox": [1, 2, 3, 4]}]
    found = {"images": [image], "annotations": objects, "categories": [{"id": 0, "name": "cat"}]}
    write_json(tmp_path / "set" / "result.json", found)
    there = contents(tmp_path / "set")
    assert (there.names, there.classes) == (["images/a.jpg"], ["cat"])
    assert boxes(there).edges.tolist() == [[1, 2, 4, 6]]
