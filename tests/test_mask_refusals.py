"""What is wrong with masks, their lists and their pictures is told in a sentence, before anything is trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assay.data import load, open_images
from assay.data.cache import open_source
from assay.data.remarks import remarks
from assay.data.sources.class_list import parsed
from assay.data.sources.mask_pairs import mask_pairs
from assay.data.targets import VOID
from assay.errors import AssayError
from assay.recipe import Data
from drawn_masks import LISTED, PALETTE, ROWS, colours, contents, mask, picture, plant, read, values


def refused(path: Path, monkeypatch: pytest.MonkeyPatch, **keys: Any) -> str:
    monkeypatch.setenv("ASSAY_CACHE", str(path.parent / "cache"))
    with pytest.raises(AssayError) as told:
        open_images(Data.model_validate({"source": str(path), **keys}), path.parent)
    return str(told.value)


BAD = {
    "a JPEG": (lambda p: mask(p, ROWS, format="JPEG"), "masks/a.png is a JPEG, whose compression smears the values"),
    "size": (lambda p: mask(p, values(size=(8, 7))), "its mask is 8×7 and the picture itself 8×6"),
    "a value": (
        lambda p: mask(p, values(r1=9, r2=5)),
        "masks/a.png: 12 of 48 pixels have values without a class, 5 and 1 other; classes.txt has 3 classes, the "
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


def test_folders_that_are_called_so_and_share_no_name_are_refused_until_the_recipe_says_what_they_are() -> None:
    pictures = ["images/1.png", "images/2.png", "masks/x.png", "masks/y.png"]
    with pytest.raises(
        AssayError, match=r"only 0 names are in both \(images/1.png is one of 2 pictures without a mask\)"
    ):
        mask_pairs("set", pictures, None)
    assert mask_pairs("set", pictures, "classes") is None


def test_two_masks_of_one_picture_are_refused() -> None:
    with pytest.raises(AssayError, match=r"images/a.png has two masks, masks/a.gif and masks/a.png"):
        mask_pairs("set", ["images/a.png", "masks/a.gif", "masks/a.png"], None)


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


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_mask_is_told_in_a_sentence_or_skipped(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = plant(tmp_path, {"a": ROWS, "b": ROWS}, LISTED)
    save, expected = BAD[kind]
    save(folder / "masks" / "a.png")
    told = refused(folder, monkeypatch)
    assert told.startswith(f"{folder} has images or labels that cannot be read: images/a.png (")
    assert expected in told
    assert told.endswith("mend them or set data.on_bad_image: skip")
    images = open_images(Data(source=str(folder), on_bad_image="skip"), tmp_path)
    assert (images.names, [name for name, _ in images.skipped]) == (["images/b.png"], ["images/a.png"])


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


@pytest.mark.parametrize("between", [(127,), (9, 48, 168, 246)])
def test_255_beside_levels_of_gray_is_asked_about_and_not_taken_for_void(
    between: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = values(r1=255, **{f"r{2 + k}": value for k, value in enumerate(between)})
    told = refused(plant(tmp_path / "asked", {"a": levels, "b": values()}, None), monkeypatch)
    assert "hold 255, which is void, beside 0" in told
    assert f"and {between[-1]}: levels of gray" in told
    named = "".join(f"{value} class{value}\n" for value in (0, *between, 255))
    assert len(contents(plant(tmp_path / "said", {"a": levels}, named)).classes) == 2 + len(between)
    few = {"a": values(r1=255, r2=15), "b": values()}
    assert contents(plant(tmp_path / "index", few, None)).classes == ["0", "15"]


def test_an_ignored_class_needs_masks(tmp_path: Path) -> None:
    for label in "ab":
        picture(tmp_path / "classes" / label / "1.png")
    with pytest.raises(AssayError, match=r"data.ignore names classes of masks, and .* has none"):
        contents(tmp_path / "classes", ignore=1)
    with pytest.raises(AssayError, match=r"data.ignore goes with a folder or zip of masks, and 'digits' is a named"):
        open_source(Data(source="digits", ignore=(1,)), tmp_path)


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


def test_pictures_of_void_alone_are_remarked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    folder = plant(tmp_path, {"a": ROWS, "b": np.full((8, 6), VOID, np.uint8)})
    images = open_images(Data.model_validate({"source": str(folder)}), tmp_path)
    (said,) = remarks(images)
    assert said.startswith(f"1 of 2 pictures of {folder} (images/b.png): nothing but void in the mask")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["square"], "no picture of {} shows the class square, and nothing can be said of it"),
        (["square", "ring"], "no picture of {} shows the classes square, ring, and nothing can be said of them"),
        ([f"c{k}" for k in range(7)], "no picture of {} shows the classes c0, c1, c2, c3, c4, …, and nothing"),
    ],
)
def test_listed_classes_that_no_mask_has_are_remarked(
    more: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    classes = "".join(f"{name}\n" for name in ["ground", "disc", "cross", *more])
    folder = plant(tmp_path, {"a": ROWS, "b": ROWS}, classes)
    (said,) = remarks(open_images(Data.model_validate({"source": str(folder)}), tmp_path))
    assert said.startswith(told.format(folder))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_of_void_alone_is_refused(split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    splits = [f"{each}/{name}" for each in ("train", "validation", "test") for name in "ab"]
    folder = plant(tmp_path, {name: np.full((8, 6), VOID, np.uint8) if split in name else ROWS for name in splits})
    with pytest.raises(
        AssayError, match=rf"the masks of the 2 {split} images of .*set hold nothing but void \(.*a.png"
    ):
        load(Data(source=str(folder)), 0, tmp_path)
