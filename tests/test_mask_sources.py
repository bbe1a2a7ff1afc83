"""Pictures meet their masks by their names, and masks of values, palettes and colours say the same classes."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assay.data import open_images
from assay.data.sources import mask_values
from assay.data.sources.class_list import parsed
from assay.data.sources.mask_pairs import mask_pairs, masks_in, paired
from assay.data.targets import VOID, Labels, Masks
from assay.errors import AssayError, PictureWarning
from assay.recipe import Data
from assay.tools.pictures import pictures_at
from drawn_masks import LISTED, PALETTE, ROWS, colours, contents, mask, picture, plant, read, values


@pytest.mark.parametrize(
    ("image", "its_mask", "split"),
    [
        ("images/a.jpg", "masks/a.png", "train"),
        ("images/val/a.jpg", "masks/val/a.png", "validation"),
        ("test/images/a.jpg", "test/masks/a.png", "test"),
        ("img/a.jpg", "labels/a_mask.png", "train"),
        ("imgs/test/a.jpg", "label/test/a_L.png", "test"),
        ("JPEGImages/a.jpg", "SegmentationClass/a.png", "train"),
        ("CamVid/val/a.png", "CamVid/valannot/a.png", "validation"),
        ("test/a.png", "test_labels/a_L.png", "test"),
        ("images/validation/a.jpg", "annotations/validation/a.png", "validation"),
        ("images_test/a.jpg", "masks_test/a.png", "test"),
        ("image/train2017/a.jpg", "mask/train2017/a.png", "train"),
        ("Test/Image/a.jpg", "Test/Ground Truth/a.png", "test"),
        ("images/val/a.jpg", "masks/a.png", "validation"),
        ("images/x/a.jpg", "masks/x/a.png", "train"),
    ],
)
def test_usual_names_of_folders_with_pictures_and_masks(image: str, its_mask: str, split: str) -> None:
    found = mask_pairs("set", [image, its_mask], None)
    assert found is not None
    assert [(pair.name, pair.mask, pair.split) for pair in found.pairs] == [(image, its_mask, split)]
    assert found.misplaced == []


@pytest.mark.parametrize(
    "pictures",
    [
        ["cat/1.png", "dog/1.png"],
        ["cat/1.png", "cat/1_mask.png", "dog/1.png", "dog/1_mask.png"],
        ["cat/1.png", "cat/mask/1.png", "dog/1.png", "dog/mask/1.png"],
        ["mask/1.png", "no_mask/1.png"],
        ["train/mask/1.png", "train/face/1.png"],
        ["labels/a/1.png", "labels/b/1.png"],
    ],
)
def test_class_folders_are_not_taken_for_masks(pictures: list[str]) -> None:
    assert mask_pairs("set", pictures, None) is None


def test_masks_beside_their_pictures_are_read_when_the_recipe_says_so() -> None:
    pictures = ["p1/a.tif", "p1/a_mask.tif", "p2/a.tif", "p2/a_mask.tif", "p2/b_sat.jpg", "p2/b_mask.png"]
    found = mask_pairs("set", pictures, "masks")
    assert found is not None
    assert [(pair.name, pair.mask) for pair in found.pairs] == [
        ("p1/a.tif", "p1/a_mask.tif"),
        ("p2/a.tif", "p2/a_mask.tif"),
        ("p2/b_sat.jpg", "p2/b_mask.png"),
    ]


def test_a_source_without_masks_is_not_one_of_masks_because_the_recipe_says_so(tmp_path: Path) -> None:
    for label in "ab":
        picture(tmp_path / "classes" / label / "1.png")
    with pytest.raises(AssayError, match=r"data.layout: masks, and .* has no picture with a mask of the same name"):
        contents(tmp_path / "classes", layout="masks")


def test_of_a_picture_with_left_and_right_the_mask_of_the_whole_name_is_meant() -> None:
    found = paired(["images/a.png", "images/a_l.png", "masks/a.png", "masks/a_l.png"], {}, False)
    assert found is not None
    assert [(pair.name, pair.mask) for pair in found.pairs] == [
        ("images/a.png", "masks/a.png"),
        ("images/a_l.png", "masks/a_l.png"),
    ]


def test_folders_are_the_splits_that_the_recipe_says() -> None:
    pictures = [f"{role}/{fold}/a.png" for role in ("images", "masks") for fold in ("fold_0", "fold_1")]
    found = mask_pairs("set", pictures, (("fold_0", "train"), ("fold_1", "test")))
    assert found is not None
    assert [pair.split for pair in found.pairs] == ["train", "test"]


@pytest.mark.parametrize(
    ("text", "names", "codes", "drawn"),
    [
        ("0 sky 1 2 3\n2 car 4 5 6\n", ("sky", "car"), (0, 2), ((1, 2, 3), (4, 5, 6))),
        ("sky\ntraffic light\n", ("sky", "traffic light"), (0, 1), None),
        ("# a comment\n\n7\tsky\n8\ttraffic light\n", ("sky", "traffic light"), (7, 8), None),
        ("name,r,g,b\nsky,1,2,3\ntraffic light, 4, 5, 6\n", ("sky", "traffic light"), (0, 1), ((1, 2, 3), (4, 5, 6))),
        ("64 128 64\tAnimal\n192 0 128\tRoad edge\n", ("Animal", "Road edge"), (0, 1), ((64, 128, 64), (192, 0, 128))),
        (
            "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:1,2,3::\n",
            ("background", "cat"),
            (0, 1),
            ((0, 0, 0), (1, 2, 3)),
        ),
        ("class 1\nclass 2\n", ("class 1", "class 2"), (0, 1), None),
        ("0: sky\n255: car\n", ("sky", "car"), (0, 255), None),
    ],
)
def test_lists_of_classes(text: str, names: object, codes: object, drawn: object) -> None:
    found = parsed("classes.txt", text)
    assert (found.names, found.values, found.colours) == (names, codes, drawn)


def test_values_palettes_and_colours_say_the_same(tmp_path: Path) -> None:
    shuffled = np.array([2, 0, 1], np.uint8)  # the palette of a program that numbers colours as it meets them
    ways = {
        "values": lambda path: mask(path, ROWS),
        "palette": lambda path: mask(path, ROWS, PALETTE),
        "other": lambda path: mask(path, shuffled[ROWS], {2: PALETTE[0], 0: PALETTE[1], 1: PALETTE[2]}),
        "colours": lambda path: mask(path, colours(ROWS)),
        "opaque": lambda path: mask(path, np.dstack([colours(ROWS), np.full(ROWS.shape, 255, np.uint8)])),
        "grays": lambda path: mask(path, np.repeat(ROWS[..., None], 3, 2)),
        "deep": lambda path: mask(path, ROWS.astype(np.uint16)),
    }
    for name, save in ways.items():
        folder = tmp_path / name
        picture(folder / "images" / "a.png")
        save(folder / "masks" / "a.png")
        (folder / "classes.txt").write_text(LISTED)
        if name == "other":  # value 2 is the class cross, and its colour that of ground
            with pytest.raises(ValueError, match=r"by its value 0 a pixel is 'ground', by its colour 'disc'; leave"):
                read(folder)
        else:
            np.testing.assert_array_equal(read(folder), ROWS)


def test_a_palette_whose_values_are_no_classes_is_read_by_its_colours(tmp_path: Path) -> None:
    plant(tmp_path, {"a": ROWS}, LISTED)
    mask(tmp_path / "set" / "masks" / "a.png", ROWS + 7, {7: PALETTE[0], 8: PALETTE[1], 9: PALETTE[2]})
    np.testing.assert_array_equal(read(tmp_path / "set"), ROWS)


def test_a_zip_is_read_as_its_folder(tmp_path: Path) -> None:
    folder = plant(tmp_path, {"train/a": ROWS, "val/b": ROWS, "test/c": ROWS})
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    for path in (folder, tmp_path / "packed.zip"):
        found = contents(path)
        assert found.classes == ["ground", "disc", "cross"]
        assert found.names == ["images/test/c.png", "images/train/a.png", "images/val/b.png"]
        assert found.is_test.tolist() == [True, False, False]
        assert found.is_validation is not None
        assert found.is_validation.tolist() == [False, False, True]


def test_what_is_ignored_is_void_and_the_others_move_up(tmp_path: Path) -> None:
    folder = plant(tmp_path, {"a": values(r1=1, r2=2, r3=VOID)})
    expected = np.array([VOID, 0, 1, VOID], np.uint8)[[0, 1, 2, 3, 0, 0, 0, 0]]
    for ignore in (0, "ground", [0], ["ground", VOID]):
        assert contents(folder, ignore=ignore).classes == ["disc", "cross"]
        assert read(folder, ignore=ignore)[:, 0].tolist() == expected.tolist()
    assert read(folder)[:, 0].tolist() == [0, 1, 2, VOID, 0, 0, 0, 0]
    with pytest.raises(AssayError, match=r"unknown class of classes.txt in data.ignore 'grund'; did you mean 'ground'"):
        contents(folder, ignore="grund")
    with pytest.raises(AssayError, match="leaves 1 of the 3 classes"):
        contents(folder, ignore=[0, 1])


def test_the_colours_of_a_list_are_those_of_its_classes_and_grays_are_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    folder = plant(tmp_path, {"a": ROWS, "b": ROWS}, "0 ground 10 20 30\n1 disc 128 0 0\n2 cross 0 128 0\n")
    for _ in range(2):  # decoded, then from the cache
        assert open_images(Data(source=str(folder)), tmp_path).colours == [(10, 20, 30), (128, 0, 0), (0, 128, 0)]
    assert open_images(Data(source=str(folder), ignore="disc"), tmp_path).colours == [(10, 20, 30), (0, 128, 0)]
    (folder / "classes.txt").write_text("ground\ndisc\ncross\n")
    assert open_images(Data(source=str(folder)), tmp_path).colours is None
    (folder / "classes.txt").write_text("0 ground 0 0 0\n1 disc 1 1 1\n2 cross 2 2 2\n")
    assert open_images(Data(source=str(folder)), tmp_path).colours is None


def test_a_list_that_changes_makes_the_set_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    folder = plant(tmp_path, {"a": ROWS, "b": ROWS})
    data = Data(source=str(folder))
    assert open_images(data, tmp_path).classes == ["ground", "disc", "cross"]
    (folder / "classes.txt").write_text("ground\ndisc\ncrosses\n")
    images = open_images(data, tmp_path)
    assert images.classes == ["ground", "disc", "crosses"]
    assert isinstance(images.targets, Masks)
    np.testing.assert_array_equal(images.targets.own(1), ROWS)


def test_without_a_list_the_values_that_occur_are_the_classes(tmp_path: Path) -> None:
    folder = plant(tmp_path, {"a": values(r1=4), "b": values(r2=7, r3=VOID)}, None)
    assert contents(folder).classes == ["0", "4", "7"]
    assert read(folder)[1, 0] == 1


def test_values_are_looked_for_in_every_mask_once_until_a_picture_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    folder = plant(tmp_path, {f"{i:02}": values(r1=i % 3) for i in range(40)}, None)
    looked_at: list[str] = []
    whole = mask_values.values_of
    monkeypatch.setattr(mask_values, "values_of", lambda tree, name: looked_at.append(name) or whole(tree, name))
    assert contents(folder).classes == ["0", "1", "2"]
    assert len(looked_at) == 32 + 40  # a few to see whether all hold 0 and 255 only, then every one
    assert contents(folder).classes == ["0", "1", "2"]
    assert len(looked_at) == 32 + 40 + 32
    mask(folder / "masks" / "07.png", values(r1=5))
    assert contents(folder).classes == ["0", "1", "2", "5"]


def test_data_layout_classes_reads_the_folders_as_classes(tmp_path: Path) -> None:
    found = contents(plant(tmp_path, {"a": ROWS}), layout="classes")
    assert isinstance(found.targets, Labels)
    assert found.classes == ["images", "masks"]


def test_a_mask_of_one_bit_holds_the_classes_0_and_1(tmp_path: Path) -> None:
    folder = plant(tmp_path, {"a": ROWS == 1}, "ground\ndisc\n")
    assert Image.open(folder / "masks" / "a.png").mode == "1"
    assert read(folder)[:3, 0].tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("text", "names", "numbers"),
    [
        ("sq 2\ndisc 1\nbg 0\n", ("sq", "disc", "bg"), (2, 1, 0)),
        ("name,index\nsq,2\nbg,0\n", ("sq", "bg"), (2, 0)),
        ("wet road 4 1 2 3\nsky 7 4 5 6\n", ("wet road", "sky"), (4, 7)),
        ("floor 1\nfloor 2\n", ("floor 1", "floor 2"), (0, 1)),
        ("sq 2\ndisc\nbg 0\n", ("sq 2", "disc", "bg 0"), (0, 1, 2)),
        ("sq 2\ndisc 2\n", ("sq 2", "disc 2"), (0, 1)),
        ("0 sq 2\n1 disc 1\n", ("sq 2", "disc 1"), (0, 1)),
        ("Airbus 320\nBoeing 747\n", ("Airbus 320", "Boeing 747"), (0, 1)),
    ],
)
def test_a_number_after_every_name_is_the_value_of_the_class(
    text: str, names: tuple[str, ...], numbers: tuple[int, ...]
) -> None:
    found = parsed("classes.txt", text)
    assert (found.names, found.values) == (names, numbers)


def test_class_folders_below_a_folder_of_images_are_classes(tmp_path: Path) -> None:
    for label in "ab":
        picture(tmp_path / f"set/images/{label}/1.png")
    assert contents(tmp_path / "set").classes == ["a", "b"]


@pytest.mark.parametrize(
    ("pictures", "stated", "masks"),
    [
        (["images/a.jpg", "masks/a.png", "masks/b.png"], None, ["masks/a.png", "masks/b.png"]),
        (["train/a.png", "trainannot/a.png"], None, ["trainannot/a.png"]),
        (["a.tif", "a_mask.tif"], "masks", ["a_mask.tif"]),
        (["a.tif", "a_mask.tif"], None, []),
        (["masks/a.png"], None, []),
        (["images/a.png", "masks/a.png"], "classes", []),
    ],
)
def test_what_lies_in_folders_of_masks_beside_others_is_masks(
    pictures: list[str], stated: Any, masks: list[str]
) -> None:
    assert masks_in(pictures, stated) == masks


def test_masks_among_the_pictures_of_a_place_are_passed_over_and_that_is_told_once(tmp_path: Path) -> None:
    folder = plant(tmp_path, {"a": ROWS, "b": ROWS})
    with pytest.warns(PictureWarning, match=r"set: 2 of 4 pictures are masks, which are passed over") as told:
        found, unread = pictures_at([folder], lambda names: masks_in(names, None))
    assert ([one.path.parent.name for one in found], unread, len(told)) == (["images"] * 2, [], 1)
    assert len(pictures_at([folder])[0]) == 4
