"""What ``assay check`` says of pictures with masks."""

from pathlib import Path

import numpy as np
import pytest

from assay.data.targets import Masks
from assay.recipe import Data
from assay.report.document import data_address
from assay.tasks.pictures import thumbnail
from assay.tools.inspection.command import check
from assay.tools.inspection.inspecting import Inspection, inspect
from assay.tools.inspection.masks import pixel_frame, region_sizes
from assay.tools.inspection.originals import propose_films
from assay.tools.inspection.page import write_inspection
from assay.tools.inspection.pictures import Album
from assay.tools.inspection.verdict import verdict
from drawn_masks import mask, picture, values

SIZE = (12, 10)


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six training and four test pictures: ``cross`` is in none to test on, one mask is constant and one all void."""
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "set"
    for k in range(10):
        split = "train" if k < 6 else "test"
        drawn = values(size=SIZE, r1=1, r3=1, r5=2 if k < 6 else 0)
        drawn[11, :2] = 1  # a speck
        if k in (2, 3):
            drawn[:] = 0 if k == 2 else 255
        picture(folder / "images" / split / f"p{k}x.png", SIZE if k else (24, 20), k)
        drawn = drawn if k else np.kron(drawn, np.ones((2, 2), np.uint8))
        mask(folder / "masks" / split / f"p{k}x.png", drawn)
    (folder / "classes.txt").write_text("void\ndisc\ncross\n")
    return folder


def look(folder: Path, **keys: object) -> Inspection:
    return inspect(Data.model_validate({"source": str(folder), "on_bad_image": "skip", **keys}), folder.parent)


def test_void_absent_classes_constant_masks_specks_and_sizes_are_told(planted: Path) -> None:
    said = " ".join(verdict(look(planted)))
    assert "7.7 % of the pixels are void: they are neither learned nor measured." in said  # 120 of 480 + 9 · 120
    assert "The class 'void', " in said
    assert "ignore: void in the recipe's data makes it void." in said
    assert "cross is not in the test masks: nothing can be said of it there." in said
    assert "1 of 10 pictures of" in said
    assert "(images/train/p3x.png): nothing but void in the mask" in said
    assert "1 mask has one class throughout, the first that of images/train/p2x.png." in said
    assert "have at most 9 pixels, most of them of 'disc'" in said
    assert "The pictures have 2 sizes, from 12×10 to 24×20 (height×width), most often 12×10" in said


def test_a_class_that_no_mask_has_is_told_once_and_not_of_every_split(planted: Path) -> None:
    (planted / "classes.txt").write_text("void\ndisc\ncross\nring\n")
    said = " ".join(verdict(look(planted)))
    assert f"No picture of {planted} shows the class ring, and nothing can be said of it." in said
    assert said.count("ring,") == 1
    assert "ring is not" not in said
    assert "cross is not in the test masks" in said


def test_what_is_ignored_is_no_longer_told_as_a_class(planted: Path) -> None:
    said = " ".join(verdict(look(planted, ignore="void")))
    assert "The class 'void'" not in said
    assert "are void (with data.ignore)" in said


def test_classes_are_counted_by_their_pixels_in_the_own_size(planted: Path) -> None:
    found = look(planted)
    frame = pixel_frame(found, found.images.targets)
    rows = {(row["class"], row["split"]): row for row in frame.iter_rows(named=True)}
    assert rows["disc", "test"]["pixels"] == 4 * 22
    assert rows["disc", "training"]["pixels"] == 3 * 22 + 4 * 22  # the first is twice as high and wide
    assert rows["cross", "training"]["images"] == 4
    assert rows["cross", "test"]["percent"] == 0
    assert sum(row["percent"] for (_, split), row in rows.items() if split == "training") == pytest.approx(100)


def test_the_page_shows_the_masks_over_the_pictures(planted: Path, tmp_path: Path) -> None:
    page = write_inspection(look(planted), tmp_path / "page").read_text(encoding="utf-8")
    assert "The mask over each picture:" in page
    assert "with cross" in page
    assert (tmp_path / "page" / "tables" / "class-pixels.csv").exists()


def test_masks_are_drawn_in_the_colours_that_the_list_states(planted: Path) -> None:
    (planted / "classes.txt").write_text("void 1 2 3\ndisc 200 100 0\ncross 0 0 255\n")
    album = Album(look(planted))
    assert album.legend() == [("void", "#010203"), ("disc", "#c86400"), ("cross", "#0000ff")]
    images = album.found.images
    assert isinstance(images.targets, Masks)
    expected = images.pixels[1].astype(float)
    for number, colour in enumerate([(1, 2, 3), (200, 100, 0), (0, 0, 255)]):
        there = images.targets.values[1] == number
        expected[:, there] = (expected[:, there] + np.array(colour)[:, None]) / 2
    shown = album.overlaid(album.shot(1), 1).source
    assert shown == data_address(thumbnail(expected.round().astype(np.uint8)))


def test_films_on_both_sides_of_a_split_are_told_where_that_is_allowed(planted: Path) -> None:
    said = " ".join(verdict(look(planted, group="p(.).?x", group_across="allowed")))
    assert "originals that are trained on too" not in said
    for k, name in enumerate(["p6x", "p7x"]):  # frames of the first films
        for folder in ("images", "masks"):
            (planted / folder / "test" / f"{name}.png").rename(planted / folder / "test" / f"p{k}yx.png")
    (planted.parent / "study.yaml").write_text(
        "title: Films\nbase:\n  task: segmentation\n  data:\n"
        f"    source: {planted}\n    group: 'p(.).?x'\n    group_across: allowed\n"
    )
    found, page = check(str(planted.parent / "study.yaml"), out=planted.parent / "page", quiet=True)
    sentence = (
        f"2 of 4 test images of {found.images.source} are of originals that are trained on too (data.group, in its own "
        "split): measured on them, remembering is rewarded."
    )
    assert sentence in verdict(found)
    assert "remembering is rewarded" in page.read_text(encoding="utf-8")
    assert "come from an original that is also trained on" not in " ".join(verdict(found))


def test_regions_hang_together_by_their_corners() -> None:
    drawn = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0]], np.uint8)
    assert sorted(region_sizes(drawn, 1).tolist()) == [2, 2, 2]


def test_the_films_that_frames_come_from_are_told_by_their_names_across_the_split() -> None:
    names = [f"images/{'test' if i > 30 else 'train'}/film{f}_{i:04d}.png" for f in range(4) for i in range(40)]
    after = np.array([min(i + 1, 39) if i % 40 < 39 else i - 1 for i in range(40)])
    nearest = np.concatenate([f * 40 + np.where(np.arange(40) == 39, 38, after) for f in range(4)])
    pattern = propose_films(names, nearest)
    assert pattern == r"([^/]*)_\d+\.\w+$"
    assert propose_films(names, np.random.default_rng(0).permutation(len(names))) is None
