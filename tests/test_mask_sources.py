"""Pictures meet their masks by their names, and masks of values, palettes and colours say the same classes."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assay.data import open_images
from assay.data.cache import open_source
from assay.data.images import Contents
from assay.data.mask_files import MaskFiles
from assay.data.remarks import remarks
from assay.data.sources.class_list import parsed
from assay.data.sources.mask_pairs import mask_pairs, masks_in, paired
from assay.data.targets import VOID, Labels, Masks
from assay.errors import AssayError, PictureWarning
from assay.recipe import Data
from assay.tools.pictures import pictures_at
from drawn_masks import PALETTE, colours, mask, picture, plant, values

ROWS = values(r1=1, r2=2)


def contents(path: Path, **keys: Any) -> Contents:
    return open_source(Data.model_validate({"source": str(path), **keys}), path.parent).contents()


def read(path: Path, **keys: Any) -> np.ndarray:
    """The first mask."""
    targets = contents(path, **keys).targets
    assert isinstance(targets, MaskFiles)
    return targets.read(0)


def refused(path: Path, monkeypatch: pytest.MonkeyPatch, **keys: Any) -> str:
    monkeypatch.setenv("ASSAY_CACHE", str(path.parent / "cache"))
    with pytest.raises(AssayError) as told:
        open_images(Data.model_validate({"source": str(path), **keys}), path.parent)
    return str(told.value)


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


def test_folders_that_are_called_so_and_share_no_name_are_refused_until_the_recipe_says_what_they_are() -> None:
    pictures = ["images/1.png", "images/2.png", "masks/x.png", "masks/y.png"]
    with pytest.raises(
        AssayError, match=r"only 0 names are in both \(images/1.png is one of 2 pictures without a mask\)"
    ):
        mask_pairs("set", pictures, None)
    assert mask_pairs("set", pictures, "classes") is None


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


def test_two_masks_of_one_picture_are_refused() -> None:
    with pytest.raises(AssayError, match=r"images/a.png has two masks, masks/a.gif and masks/a.png"):
        mask_pairs("set", ["images/a.png", "masks/a.gif", "masks/a.png"], None)


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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sky\n", "classes.txt lists 1 classes, expected 2 to 255"),
        ("\n".join(f"c{i}" for i in range(256)), "lists 256 classes, expected 2 to 255; a mask of 8 bits"),
        ("sky\nsky\n", "lists the class 'sky' twice"),
        ("3 sky\n3 car\n", "lists the value 3 twice"),
        ("sky 1 2 3\ncar\n", "gives 1 of 2 classes a colour; expected all or none"),
        ("sky 1 2 300\ncar 1 2 3\n", "found 'sky 1 2 300'"),
    ],
)
def test_wrong_lists_of_classes_are_refused(text: str, told: str) -> None:
    with pytest.raises(AssayError) as error:
        parsed("classes.txt", text)
    assert told in str(error.value)


LISTED = "0 ground 10 20 30\n1 disc 128 0 0\n2 cross 0 128 0\n"


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


def test_data_layout_classes_reads_the_folders_as_classes(tmp_path: Path) -> None:
    found = contents(plant(tmp_path, {"a": ROWS}), layout="classes")
    assert isinstance(found.targets, Labels)
    assert found.classes == ["images", "masks"]


def test_masks_of_black_and_white_ask_which_is_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    white = {"a": values(r1=255), "b": values()}
    for k, classes in enumerate((None, "background\nnucleus\n")):
        told = refused(plant(tmp_path / str(k), white, classes), monkeypatch)
        assert "hold 0 and 255 only, as masks/a.png: say which class is which in a file classes.txt" in told
    for k, classes in enumerate(("0 background\n255 nucleus\n", "background 0 0 0\nnucleus 255 255 255\n")):
        folder = plant(tmp_path / f"said{k}", white, classes)
        assert contents(folder).classes == ["background", "nucleus"]
        assert read(folder)[:3, 0].tolist() == [0, 1, 0]
    by_values = plant(
        tmp_path / "values", {"a": values(r1=1), "b": values(r1=255)}, "background 0 0 0\nnucleus 255 255 255\n"
    )
    assert [contents(by_values).targets.own(i)[1, 0] for i in (0, 1)] == [1, VOID]


BAD = {
    "a JPEG": (lambda p: mask(p, ROWS, format="JPEG"), "masks/a.png is a JPEG, whose compression smears the values"),
    "size": (lambda p: mask(p, values(size=(8, 7))), "its mask is 8×7 and the picture itself 8×6"),
    "a value": (
        lambda p: mask(p, values(r1=9, r2=5)),
        "masks/a.png: 12 of 48 pixels have values without a class, 5 and 1 others; classes.txt has 3 classes, the "
        "nearest 'cross' with 2",
    ),
    "a colour": (
        lambda p: mask(p, colours(ROWS, PALETTE | {1: (130, 1, 0)})),
        "6 of 48 pixels have colours without a class in classes.txt, (130, 1, 0); the nearest is 'disc' with "
        "(128, 0, 0), off by a few as after JPEG",
    ),
    "far": (lambda p: mask(p, colours(ROWS, PALETTE | {1: (0, 0, 250)})), "the nearest is 'ground' with (10, 20, 30))"),
    "numbers": (lambda p: mask(p, ROWS.astype(np.uint16) * 500), "has values from 0 to 1,000, as masks that number"),
    "transparent": (
        lambda p: mask(p, np.dstack([colours(ROWS), np.where(ROWS == 1, 255, 0).astype(np.uint8)])),
        "masks/a.png is transparent at 42 pixels",
    ),
    "frames": (
        lambda p: mask(p, ROWS, save_all=True, append_images=[Image.fromarray(ROWS + 1)]),
        "masks/a.png holds several frames",
    ),
    "no picture": (lambda p: p.write_bytes(b"no"), "images/a.png (its mask masks/a.png cannot be read: not an image)"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_mask_is_told_in_a_sentence_or_skipped(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = plant(tmp_path, {"a": ROWS, "b": ROWS}, LISTED)
    save, expected = BAD[kind]
    save(folder / "masks" / "a.png")
    told = refused(folder, monkeypatch)
    assert told.startswith(f"{folder} has unreadable images: images/a.png (")
    assert expected in told
    assert told.endswith("mend them or set data.on_bad_image: skip")
    images = open_images(Data(source=str(folder), on_bad_image="skip"), tmp_path)
    assert (images.names, [name for name, _ in images.skipped]) == (["images/b.png"], ["images/a.png"])


def test_a_mask_of_one_bit_holds_the_classes_0_and_1(tmp_path: Path) -> None:
    folder = plant(tmp_path, {"a": ROWS == 1}, "ground\ndisc\n")
    assert Image.open(folder / "masks" / "a.png").mode == "1"
    assert read(folder)[:3, 0].tolist() == [0, 1, 0]


def test_many_bad_masks_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = plant(tmp_path, {name: values(r1=9) for name in "abcde"})
    assert "(masks/a.png: 6 of 48 pixels have values without a class, 9; " in refused(folder, monkeypatch)
    assert " and 4 more; mend them" in refused(folder, monkeypatch)


def test_pictures_and_masks_without_a_partner_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = plant(tmp_path, {name: ROWS for name in "abcdef"})
    for name in ("images/a.png", "masks/c.png", "masks/d.png"):
        (folder / name).unlink()
    told = refused(folder, monkeypatch)
    assert "images/c.png (one of 2 pictures without a mask), masks/a.png (one of 1 masks without a picture)" in told
    images = open_images(Data(source=str(folder), on_bad_image="skip"), tmp_path)
    assert images.names == ["images/b.png", "images/e.png", "images/f.png"]


def test_masks_of_colours_without_a_list_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = plant(tmp_path, {"a": colours(ROWS)}, None)
    assert "masks/a.png is a mask of colours, and nothing says what they mean" in refused(folder, monkeypatch)
    (folder / "codes.txt").write_text("ground\ndisc\n")
    assert "is a mask of colours, such as (128, 0, 0), and codes.txt gives the classes no colours" in refused(
        folder, monkeypatch
    )


def test_levels_of_gray_are_no_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smooth = np.arange(80, dtype=np.uint8).reshape(8, 10)
    assert "hold more than 64 values" in refused(plant(tmp_path, {"a": smooth}, None), monkeypatch)


def test_an_ignored_class_needs_masks(tmp_path: Path) -> None:
    for label in "ab":
        picture(tmp_path / "classes" / label / "1.png")
    with pytest.raises(AssayError, match=r"data.ignore names classes of masks, and .* has none"):
        contents(tmp_path / "classes", ignore=1)
    with pytest.raises(AssayError, match=r"data.ignore goes with a folder or zip of masks, and 'digits' is a named"):
        open_source(Data(source="digits", ignore=(1,)), tmp_path)


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


def test_masks_of_which_none_can_be_read_are_refused_with_the_first_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = plant(tmp_path, {"a": ROWS, "b": ROWS}, classes=None)
    for name in "ab":
        (folder / "masks" / f"{name}.png").unlink()
        mask(folder / "masks" / f"{name}.jpg", ROWS)
    said = refused(folder, monkeypatch)
    assert "cannot be read; expected two classes at least; 2 of 2 cannot be read: masks/a.jpg is a JPEG" in said


def test_a_damaged_mask_is_told_by_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 3, (40, 40), dtype=np.uint8)
    folder = plant(tmp_path, {"a": noise, "b": noise})
    broken = folder / "masks" / "b.png"
    broken.write_bytes(broken.read_bytes()[:100])
    assert "its mask masks/b.png cannot be read: " in refused(folder, monkeypatch)
    broken.write_text("no picture")
    assert "its mask masks/b.png cannot be read: not an image" in refused(folder, monkeypatch)


@pytest.mark.parametrize("splits", [("",), ("train/", "val/")])
def test_pictures_without_any_masks_are_told_so_and_not_of_class_folders(
    splits: tuple[str, ...], tmp_path: Path
) -> None:
    for split in splits:
        picture(tmp_path / f"set/images/{split}a.png")
    with pytest.raises(AssayError, match=r"images/.* has no masks beside it: expected masks/ with PNG files of equal"):
        contents(tmp_path / "set")
    (tmp_path / "set" / "masks").mkdir()
    with pytest.raises(
        AssayError, match=r"set: masks/ is empty: expected PNG files with the names of those in images/"
    ):
        contents(tmp_path / "set")
    (tmp_path / "set" / "masks" / "a.npy").write_bytes(b"")
    with pytest.raises(AssayError, match=r"masks/ holds no pictures, but masks/a.npy: expected PNG"):
        contents(tmp_path / "set")


def test_class_folders_below_a_folder_of_images_are_classes(tmp_path: Path) -> None:
    for label in "ab":
        picture(tmp_path / f"set/images/{label}/1.png")
    assert contents(tmp_path / "set").classes == ["a", "b"]


def test_names_that_differ_in_capitals_only_are_told_so() -> None:
    with pytest.raises(AssayError, match=r"images/A.jpg is one of 1 pictures .*, masks/a_mask.png differs in capitals"):
        mask_pairs("set", ["images/A.jpg", "masks/a_mask.png"], None)
    found = mask_pairs("set", ["images/A.jpg", "images/b.jpg", "masks/a.png", "masks/b.png"], None)
    assert found is not None
    assert found.misplaced == [
        ("images/A.jpg", "one of 1 pictures without a mask, masks/a.png differs in capitals"),
        ("masks/a.png", "one of 1 masks without a picture, images/A.jpg differs in capitals"),
    ]


@pytest.mark.parametrize("classes", [None, "0 ground\n1 disc\n2 cross\n"])
def test_an_ignored_value_that_no_mask_has_is_refused_with_those_that_there_are(
    classes: str | None, tmp_path: Path
) -> None:
    folder = plant(tmp_path, {"a": ROWS, "b": values(r1=1, r3=255)}, classes)
    with pytest.raises(AssayError, match=r"data.ignore: 9, and no mask of .* has that value; they have 0, 1, 2.* 255$"):
        contents(folder, ignore=[9])
    assert len(contents(folder, ignore=[2, 255]).classes) == 2
    mask(folder / "masks" / "b.png", values(r1=1, r3=9))
    assert contents(folder, ignore=[9]).classes == contents(folder, ignore=None).classes[:3]
    assert contents(folder, ignore=[9]).targets.own(1)[3, 0] == VOID


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


def test_pictures_of_void_alone_are_remarked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    folder = plant(tmp_path, {"a": ROWS, "b": np.full((8, 6), VOID, np.uint8)})
    images = open_images(Data.model_validate({"source": str(folder)}), tmp_path)
    (said,) = remarks(images)
    assert said.startswith(f"1 of 2 pictures of {folder} (images/b.png): nothing but void in the mask")
