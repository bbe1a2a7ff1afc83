"""Boxes from Pascal VOC's XML: which pictures, where, of what class; what cannot be is told."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.data import load, open_images
from assay.data.boxed import check_boxes, unboxed
from assay.data.boxes import DIFFICULT, Boxes
from assay.data.cache import open_source
from assay.data.images import Contents, ImageSet
from assay.data.remarks import remarks
from assay.data.sources.scattered import FOR_TRAINING, TRAIN, scattered
from assay.errors import AssayError
from assay.recipe import Data
from drawn_boxes import jpeg, xml


def contents(path: Path, **keys: Any) -> Contents:
    return open_source(Data.model_validate({"source": str(path), **keys}), path.parent).contents()


def images(path: Path, **keys: Any) -> ImageSet:
    return open_images(Data.model_validate({"source": str(path), **keys}), path.parent)


def boxes(found: Contents | ImageSet) -> Boxes:
    assert isinstance(found.targets, Boxes)
    return found.targets


def voc(root: Path, lists: bool = True) -> Path:
    """Three pictures: a cat and a dog, nothing, a dog."""
    for name, those in {"a": [("dog", 0, 0, 60, 40), ("cat", 4, 5, 9, 7)], "b": [], "c": [("dog", 1, 2, 3, 4)]}.items():
        jpeg(root / "JPEGImages" / f"{name}.jpg")
        xml(root / "Annotations" / f"{name}.xml", those)
    if lists:
        folder = root / "ImageSets" / "Main"
        folder.mkdir(parents=True)
        for split, text in {"train": "a\n", "val": "b\n", "trainval": "a\nb\n", "test": "c\n"}.items():
            (folder / f"{split}.txt").write_text(text)
        (folder / "dog_train.txt").write_text("a 1\n")
    return root


def test_voc_boxes_are_edges_of_pixels_and_its_lists_are_the_splits(tmp_path: Path) -> None:
    found = contents(voc(tmp_path / "voc"))
    assert found.classes == ["cat", "dog"]
    assert found.names == ["JPEGImages/a.jpg", "JPEGImages/b.jpg", "JPEGImages/c.jpg"]
    assert boxes(found).edges.tolist() == [[0, 0, 60, 40], [4, 5, 9, 7], [1, 2, 3, 4]]
    assert (boxes(found).labels.tolist(), boxes(found).counts.tolist()) == ([1, 0, 1], [2, 0, 1])
    assert found.is_validation is not None
    assert (found.is_validation.tolist(), found.is_test.tolist()) == ([False, True, False], [False, False, True])
    assert (found.misplaced, found.notes) == ([], [])


def test_a_list_that_names_what_is_not_there_counts_the_pictures_of_no_list_right(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc")
    (folder / "ImageSets" / "Main" / "train.txt").write_text("d\ne\n")
    found = contents(folder)
    assert found.names == ["JPEGImages/b.jpg", "JPEGImages/c.jpg"]
    said = "ImageSets/Main/train.txt lists it, and there is no such picture"
    assert (found.misplaced, found.unlisted) == ([("d", said), ("e", said)], 1)


def test_a_list_may_name_a_picture_without_a_box_file(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc")
    (folder / "Annotations" / "a.xml").unlink()
    found = contents(folder)
    assert (found.misplaced, found.unlisted) == ([("a", "one of 1 pictures without a box file")], 0)


def test_a_class_that_no_training_picture_shows_is_told_before_training(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc")
    xml(folder / "Annotations" / "a.xml", [("dog", 0, 0, 60, 40)])
    xml(folder / "Annotations" / "c.xml", [("cat", 1, 2, 3, 4), ("dog", 1, 2, 9, 9)])
    rows = {"train": np.array([0]), "validation": np.array([0]), "test": np.array([2])}
    (told,) = unboxed(images(folder), rows)
    assert re.fullmatch("no training image of .* has a box of cat: nothing is learned of what others show", told)
    assert unboxed(images(folder), rows | {"train": np.array([0, 2])}) == []


def test_a_file_that_is_not_vocs_is_told_and_hides_no_other(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc", lists=False)
    (folder / "Annotations" / "a.xml").write_text("<labels/>")
    found = contents(folder)
    assert found.names == ["JPEGImages/b.jpg", "JPEGImages/c.jpg"]
    told = "Annotations/a.xml: its outermost element is 'labels', expected 'annotation'"
    assert found.misplaced == [("JPEGImages/a.jpg", told)]


def test_a_list_of_masks_classes_is_none_of_boxes(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc")
    (folder / "labelmap.txt").write_text("# label:color_rgb:parts:actions\ncat:128,0,0::\ndog:0,128,0::\n")
    assert contents(folder).classes == ["cat", "dog"]


def test_a_box_file_that_names_no_size_of_its_picture_is_told(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc")
    xml(folder / "Annotations" / "c.xml", [("dog", 1, 2, 3, 4)], size=None)
    found = contents(folder)
    assert found.notes == [
        ("JPEGImages/c.jpg", "no size in its box file, so boxes of another picture would not be noticed")
    ]
    assert boxes(found).counts.tolist() == [2, 0, 1]


def test_vocs_years_lie_side_by_side_with_lists_of_their_own(tmp_path: Path) -> None:
    for year, box in (("VOC2007", [("dog", 1, 2, 3, 4)]), ("VOC2012", [("cat", 4, 5, 9, 7)])):
        folder = voc(tmp_path / "devkit" / year)
        xml(folder / "Annotations" / "c.xml", box)
        (folder / "ImageSets" / "Main" / "val.txt").write_text("b\n" if year == "VOC2007" else "")
    found = contents(tmp_path / "devkit", truth="boxes")
    assert found.names == [
        f"{year}/JPEGImages/{name}.jpg" for year, names in (("VOC2007", "abc"), ("VOC2012", "ac")) for name in names
    ]
    assert found.is_test.tolist() == [False, False, True, False, True]
    assert boxes(found).edges[[2, 5]].tolist() == [[1, 2, 3, 4], [4, 5, 9, 7]]
    assert found.unlisted == 1


def test_difficult_boxes_are_flagged(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc")
    xml(folder / "Annotations" / "c.xml", [("dog", 1, 2, 3, 4)], difficult=1)
    assert boxes(contents(folder)).flags.tolist() == [0, 0, DIFFICULT]


@pytest.mark.parametrize("as_stored", [False, True])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_boxes_as_it_turns_pixels(tmp_path: Path, orientation: int, as_stored: bool) -> None:
    """A bright rectangle lies under its box after decoding, whichever of the two pictures the XML is of."""
    from PIL import Image

    stored, exif = np.zeros((40, 60, 3), np.uint8), Image.Exif()
    stored[4:14, 6:36] = 255
    exif[0x0112] = orientation
    (tmp_path / "voc" / "JPEGImages").mkdir(parents=True)
    Image.fromarray(stored).save(tmp_path / "voc" / "JPEGImages" / "a.png", exif=exif)
    with Image.open(tmp_path / "voc" / "JPEGImages" / "a.png") as picture:
        from PIL import ImageOps

        upright = np.asarray(ImageOps.exif_transpose(picture))[..., 0]
    rows, columns = np.flatnonzero(upright.any(axis=1)), np.flatnonzero(upright.any(axis=0))
    there = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    told, size = ((6, 4, 36, 14), (40, 60)) if as_stored else (there, upright.shape)
    if as_stored and orientation in (2, 3, 4):  # nothing tells these from upright ones, but a picture on its side
        jpeg(tmp_path / "voc" / "JPEGImages" / "b.jpg", orientation=6)
        xml(tmp_path / "voc" / "Annotations" / "b.xml", [])
    xml(tmp_path / "voc" / "Annotations" / "a.xml", [("dog", *told)], size)
    found = contents(tmp_path / "voc")
    assert boxes(found).edges[0].tolist() == list(map(float, there))


def test_a_box_of_no_extent_is_left_out_and_told(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc")
    xml(folder / "Annotations" / "c.xml", [("dog", 3, 2, 4, 3), ("dog", 1, 2, 3, 4)])
    found = images(folder)
    assert boxes(found).counts.tolist() == [2, 0, 1]
    assert remarks(found)[-1].endswith("(JPEGImages/c.jpg): 1 box of no extent, left out")


def test_a_box_is_cut_at_the_border_and_told_where_it_goes_far_beyond(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc")
    xml(folder / "Annotations" / "a.xml", [("cat", -1, 2, 61, 4)])
    xml(folder / "Annotations" / "c.xml", [("dog", 1, 2, 63, 4)])
    found = contents(folder)
    assert boxes(found).edges.tolist() == [[0, 2, 60, 4], [1, 2, 60, 4]]
    assert found.notes == [("JPEGImages/c.jpg", "1 box beyond the picture, cut")]


@pytest.mark.parametrize(
    ("those", "size", "told"),
    [
        ([("dog", 9, 2, 3, 4)], (40, 60), r"object 1: an inverted box, from 10, 3 to 3, 4"),
        ([("dog", 1, 2, 3, 4), ("dog", 1, 2, float("nan"), 4)], (40, 60), "object 2: a box at 1, 2, nan, 4, expected"),
        ([("dog", 61, 2, 70, 4)], (40, 60), r"object 1: a box at 61, 2, 70, 4 outside the picture of 60×40 pixels"),
        ([("dog", 1, 2, 3, 4)], (41, 60), r"it is of a picture of 60×41 pixels, and this one has 60×40"),
        ([("dog", 0, 0, 9, 9)] * 65_536, (40, 60), r"65,536 boxes, and at most 10,000 of a picture are taken"),
    ],
)
def test_boxes_that_cannot_be_are_refused_or_their_picture_is_skipped(
    tmp_path: Path, those: list[Any], size: tuple[int, int], told: str
) -> None:
    folder = voc(tmp_path / "voc")
    xml(folder / "Annotations" / "c.xml", those, size)
    with pytest.raises(AssayError, match=rf"JPEGImages/c.jpg \(Annotations/c.xml: {told}"):
        images(folder)
    found = images(folder, on_bad_image="skip")
    assert [name for name, _ in found.skipped] == ["JPEGImages/c.jpg"]
    assert found.names == ["JPEGImages/a.jpg", "JPEGImages/b.jpg"]


def test_bad_xml_and_xml_of_another_picture_are_told(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc")
    (folder / "Annotations" / "c.xml").write_text("<annotation>")
    (folder / "Annotations" / "b.xml").write_text("<annotation><filename>a.jpg</filename></annotation>")
    bad = dict(contents(folder).misplaced)
    assert bad["JPEGImages/b.jpg"] == "Annotations/b.xml: it says that it is of JPEGImages/a.jpg"
    assert bad["JPEGImages/c.jpg"].startswith("Annotations/c.xml: it cannot be read as XML (no element")


def test_xml_may_be_without_a_size_and_beside_its_picture(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        jpeg(tmp_path / "set" / split / f"{split}.jpg")
        xml(tmp_path / "set" / split / f"{split}.xml", [("dog", 1, 2, 3, 4)], None)
    found = contents(tmp_path / "set")
    assert (found.is_test.tolist(), found.names[0]) == ([True, False, False], "test/test.jpg")
    assert boxes(found).counts.tolist() == [1, 1, 1]


@pytest.mark.parametrize("width", ["inf", "nan", "1e400", "wide", "0"])
def test_a_size_in_xml_that_is_no_number_says_nothing(tmp_path: Path, width: str) -> None:
    path = voc(tmp_path / "voc") / "Annotations" / "c.xml"
    path.write_text(path.read_text().replace("<width>60<", f"<width>{width}<"))
    found = contents(tmp_path / "voc")
    assert (len(found.names), found.misplaced) == (3, [])


def test_a_listed_class_keeps_its_place_and_another_one_is_refused(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc")
    (folder / "classes.txt").write_text("dog\nbird\ncat\n")
    assert contents(folder).classes == ["dog", "bird", "cat"]
    assert boxes(contents(folder)).labels.tolist() == [0, 2, 0]
    (folder / "classes.txt").write_text("dog\nbird\n")
    with pytest.raises(AssayError, match=r"a.xml: object 2: unknown class 'cat'; expected one of: bird, dog"):
        images(folder)


def test_bccd_is_read_as_it_is(data_root: Path) -> None:
    found = contents(data_root / "bccd.zip")
    assert found.classes == ["Platelets", "RBC", "WBC"]
    assert len(found.names) == 364
    assert found.is_validation is not None
    assert (int(found.is_test.sum()), int(found.is_validation.sum())) == (72, 87)
    assert np.bincount(boxes(found).labels).tolist() == [361, 4153, 372]
    assert [name[-9:-4] for name, _ in found.notes] == ["00338", "00343"]


def test_scattered_digits_lie_where_their_boxes_say() -> None:
    found = open_source(Data(source="scattered-digits"), Path()).contents()
    assert (len(found.names), int(found.is_test.sum()), len(found.classes)) == (500, 100, 10)
    assert boxes(found).counts.min() == 0
    for i in range(0, 500, 50):
        picture, edges, labels = scattered(i)
        light = picture.astype(int) > np.median(picture) + 40
        inside = np.zeros_like(light)
        for x1, y1, x2, y2 in edges.astype(int):
            inside[y1:y2, x1:x2] = True
            rows, columns = light[y1:y2, x1:x2].any(axis=1), light[y1:y2, x1:x2].any(axis=0)
            assert min(rows.mean(), columns.mean()) > 0.7
        assert not (light & ~inside).any()
        own = slice(boxes(found).starts[i], boxes(found).starts[i + 1])
        assert boxes(found).edges[own].tolist() == edges.tolist()
        assert boxes(found).labels[own].tolist() == labels
    assert 0 < FOR_TRAINING < 1797
    assert TRAIN == 400


def test_a_training_split_without_a_box_is_refused_and_another_is_told(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc")
    layout = {"val": "train", "train": "validation"}
    with pytest.raises(AssayError, match=r"the 1 training images of .* have no box to learn from"):
        load(Data.model_validate({"source": str(folder), "layout": layout}), 0, tmp_path)
    found = images(folder)
    rows = {"train": np.array([0]), "validation": np.array([1]), "test": np.array([2])}
    assert [text[:27] for text in unboxed(found, rows)] == ["the 1 validation images of "]
    check_boxes(found, rows)
    xml(folder / "Annotations" / "a.xml", [("dog", 0, 0, 60, 40)], difficult=1)
    with pytest.raises(AssayError, match=r"the 1 training images of .* have no box to learn from"):
        check_boxes(images(folder), rows)


def test_a_layout_names_folders_or_lists_that_there_are_and_boxes_have_no_classes_to_ignore(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc")
    with pytest.raises(AssayError, match=r"data.layout: .* has no folder 'JPEGImagse'; did you mean 'JPEGImages'?"):
        images(folder, layout={"JPEGImagse": "train", "val": "test"})
    with pytest.raises(AssayError, match=r"data.ignore names classes of masks, and boxes are asked for; leave it out"):
        images(folder, ignore="dog", truth="boxes")


def test_where_no_picture_is_left_the_first_reason_is_told(tmp_path: Path) -> None:
    jpeg(tmp_path / "voc" / "JPEGImages" / "a.jpg")
    xml(tmp_path / "voc" / "Annotations" / "a.xml", [("dog", 9, 2, 3, 4)])
    with pytest.raises(
        AssayError, match=r"no picture whose boxes can be read: JPEGImages/a.jpg \(Annotations/a.xml: obj"
    ):
        images(tmp_path / "voc", on_bad_image="skip")


def test_a_damaged_picture_is_told_or_skipped_with_its_boxes(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc")
    path = folder / "JPEGImages" / "a.jpg"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(AssayError, match=r"has images or labels that cannot be read: JPEGImages/a.jpg \("):
        images(folder)
    found = images(folder, on_bad_image="skip")
    assert found.names == ["JPEGImages/b.jpg", "JPEGImages/c.jpg"]
    assert boxes(found).edges.tolist() == [[1, 2, 3, 4]]
