"""What is said of new pictures where it is a class a pixel: in their own pixels, drawn, calibrated, together."""

import io
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from assay.data.palette import apart, palette, perceived
from assay.tasks.segmentation import own_pixels
from assay.tasks.segmentation.own_pixels import bands, labels, labels_and_entropies, logits_at
from assay.tasks.segmentation.prediction import Prediction, together, told
from assay.tools.drawing import Drawing
from assay.tools.pictures import picture_file
from assay.tools.predict_maps import entropy_map, overlay, shown_size

CLASSES = ("background", "road", "tree")


def logits(height: int = 6, width: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.randn(3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(6, 8), (13, 21), (3, 4), (40, 5)])
def test_bands_are_the_whole_map_at_another_size(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_pixels, "BAND", 200)
    whole = functional.interpolate(logits()[None], size, mode="bilinear", align_corners=False)[0]
    parts = list(bands(logits(), size))
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-5)
    assert len(parts) > 1 or size in ((6, 8), (3, 4))
    found, entropies = labels_and_entropies(logits(), size)
    assert np.array_equal(found, whole.argmax(dim=0).numpy())
    assert np.array_equal(labels(logits(), size), found)
    chances = whole.softmax(dim=0)
    assert entropies == pytest.approx(-(chances * chances.log()).sum(dim=0).numpy(), abs=1e-5)
    some = np.array([size[0] * size[1] - 1, 0, 5])
    assert logits_at(logits(), size, some) == pytest.approx(whole.flatten(1)[:, some].T.numpy(), abs=1e-5)


def test_what_lies_around_the_picture_is_cut_off() -> None:
    answers = torch.zeros(1, 3, 8, 8)
    answers[0, 1] = 1
    answers[0, 2, 2:6] = 5  # where a picture of 20 × 40 lies
    about = {"classes": list(CLASSES), "sizes": [(20, 40)], "fit": "letterbox"}
    (one,) = told(answers, [Path("a.png")], about)
    assert one.labels.shape == (20, 40)
    assert one.areas == {"background": 0, "road": 0, "tree": 1}
    (whole,) = told(answers, [Path("a.png")], {"classes": list(CLASSES)})
    assert whole.labels.shape == (8, 8)
    assert whole.areas["tree"] == 0.5


def test_a_temperature_softens_the_entropy_and_changes_no_label() -> None:
    (plain,), (soft,) = (
        told(logits()[None], [Path("a")], {"classes": CLASSES, "measured": {"temperature": t}}) for t in (1.0, 4.0)
    )
    assert np.array_equal(plain.labels, soft.labels)
    chances = (logits() / 4).softmax(dim=0)
    assert soft.entropy == pytest.approx(-(chances * chances.log()).sum(dim=0).numpy(), abs=1e-5)
    assert soft.entropy.mean() > plain.entropy.mean()


def test_networks_together_say_the_mean_of_their_probabilities() -> None:
    each = [told(logits(seed=k)[None], [Path("a")], {"classes": list(CLASSES)})[0] for k in range(3)]
    mean = torch.stack([logits(seed=k).softmax(dim=0) for k in range(3)]).mean(dim=0)
    found = together(each)
    assert np.array_equal(found.labels, mean.argmax(dim=0).numpy())
    assert found.entropy == pytest.approx(-(mean * mean.log()).sum(dim=0).numpy(), abs=1e-5)


# ------------------------------------------------------------------------------------------------ colours


def test_every_class_has_a_colour_of_its_own_and_the_background_is_black() -> None:
    for number in (1, 7, 8, 40, 200, 216, 222, 255):
        assert len(set(apart(number))) == number
    assert apart(40)[:7] == apart(7)
    places = perceived(np.array(apart(12)))
    assert min(np.linalg.norm(one - other) for one, other in combinations(places, 2)) > 0.105
    assert perceived(np.array([[255, 0, 0]]))[0] == pytest.approx([0.62796 / 2, 0.22486, 0.12585], abs=1e-5)
    assert palette(["Background", "road"]).tolist() == [[0, 0, 0], [0, 114, 178]]
    assert palette(["a", "b"], [(1, 2, 3), (4, 5, 6)]).tolist() == [[1, 2, 3], [4, 5, 6]]


# ----------------------------------------------------------------------------------------------- drawings


def halves(path: Path, height: int = 30, width: int = 50) -> Prediction:
    """The right half is a tree, the left background; the picture is white."""
    Image.new("RGB", (width, height), "white").save(path)
    logs = torch.full((3, 4, 10), -20.0)
    logs[0, :, :5], logs[2, :, 5:] = 20, 20
    return Prediction(path, CLASSES, logs.log_softmax(dim=0), (height, width))


def test_a_drawing_has_a_mask_in_the_picture_s_size_an_overlay_and_the_entropy(tmp_path: Path) -> None:
    one = halves(tmp_path / "a.png")
    kept = Drawing(tmp_path / "drawn")(one, picture_file(one.picture))
    files = kept.record["files"]
    assert files == {kind: f"a.{kind}.png" for kind in ("mask", "overlay", "entropy")}
    assert kept.record["areas"] == one.areas
    mask = Image.open(tmp_path / "drawn" / files["mask"])
    assert (mask.mode, mask.size) == ("P", (50, 30))
    assert np.array_equal(np.array(mask), one.labels)
    assert mask.convert("RGB").getpixel((45, 3)) == tuple(one.colours[2].tolist())
    shown = Image.open(tmp_path / "drawn" / files["overlay"])
    assert shown.width == 500
    assert shown.height > 300
    assert shown.getpixel((50, 50)) == pytest.approx((127, 127, 127), abs=1)
    assert shown.getpixel((450, 50)) == pytest.approx([(255 + c) / 2 for c in one.colours[2].tolist()], abs=1)
    assert Image.open(tmp_path / "drawn" / files["entropy"]).getpixel((5, 5)) == (255, 255, 255)


def test_two_pictures_of_one_name_are_drawn_beside_each_other(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    keep = Drawing(tmp_path / "drawn")
    for place in (tmp_path / "a.png", tmp_path / "b" / "a.png"):
        keep(halves(place), picture_file(place))
    assert sorted(p.name for p in (tmp_path / "drawn").glob("*.mask.png")) == ["a-2.mask.png", "a.mask.png"]


def test_large_pictures_are_drawn_smaller_and_their_masks_are_not(tmp_path: Path) -> None:
    one = halves(tmp_path / "a.jpg", 1500, 3000)
    assert [shown_size(*size) for size in ((1500, 3000), (480, 640), (64, 64))] == [(1600, 800), (640, 480), (512, 512)]
    assert overlay(np.full((1500, 3000, 3), 255, np.uint8), one).width == 1600
    assert one.labels.shape == (1500, 3000)


def test_entropy_goes_from_white_to_dark() -> None:
    values = np.array([[0.0, np.log(3)]], np.float32)
    buffer = io.BytesIO()
    entropy_map(values, 3).save(buffer, "PNG")
    found: Any = Image.open(buffer)
    assert found.getpixel((0, 0)) == (255, 255, 255)
    assert sum(found.getpixel((found.width - 1, 0))) < 100


def test_a_legend_is_as_wide_as_its_words_ask_for(tmp_path: Path) -> None:
    one = replace(
        halves(tmp_path / "a.png", 300, 20), classes=("background", "road", "a tree of more words than pixels")
    )
    drawn = np.array(overlay(np.full((300, 20, 3), 255, np.uint8), one))
    below = (drawn[600:] != 255).any(axis=2)
    assert drawn.shape[1] > 40
    assert below[:, -4:].sum() == 0 < below[:, -40:].sum(), "the last letters are there, and white beside them"
