"""The metrics of segmentation are those of the reference libraries, whatever is said of void pixels."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import binary_erosion
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    jaccard_score,
    precision_score,
    recall_score,
)
from torch.nn import functional

from assay.data.targets import VOID, Masks
from assay.recipe import CrossEntropy, Recipe
from assay.recipe.validation import mistakes
from assay.runs.data import describe
from assay.tasks.predicting import scores
from assay.tasks.segmentation import task
from assay.tasks.segmentation.measure import by_class
from assay.tasks.segmentation.pictures import unsureness
from assay.tasks.segmentation.predictions import Predictions
from labelled import CLASSES, gathered, masked_data, predicted, random_masks, sharp


def maps(seed: int, n: int = 4, side: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Truth with void, and answers that are often right."""
    draw = np.random.default_rng(seed)
    masks, said = random_masks(draw, n, side, side), draw.integers(0, 3, (n, side, side), dtype=np.uint8)
    right = (draw.random(masks.shape) < 0.5) & (masks != VOID)
    return masks, np.where(right, masks, said)


def of(found: Predictions) -> dict[str, float]:
    return scores(found, found.metrics)


@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_those_of_scikit_learn(seed: int) -> None:
    masks, said = maps(seed)
    y, z = masks[masks != VOID], said[masks != VOID]
    counts = np.bincount(y)
    ious = jaccard_score(y, z, average=None)
    pairs = [jaccard_score(m[m != VOID], s[m != VOID], average=None) for m, s in zip(masks, said, strict=True)]
    expected: dict[str, Any] = {
        "miou": jaccard_score(y, z, average="macro"),
        "iou_micro": jaccard_score(y, z, average="micro"),
        "miou_per_image": np.mean([ious.mean() for ious in pairs]),
        "miou_per_pair": np.mean(np.concatenate(pairs)),
        "dice_macro": f1_score(y, z, average="macro"),
        "pixel_accuracy": accuracy_score(y, z),
        "class_accuracy": balanced_accuracy_score(y, z),
        "frequency_weighted_iou": (ious * counts).sum() / counts.sum(),
    }
    expected |= {f"iou_{name}": iou for name, iou in zip(CLASSES, ious, strict=True)}
    expected |= {f"dice_{name}": dice for name, dice in zip(CLASSES, f1_score(y, z, average=None), strict=True)}
    found = predicted(masks, said)
    assert {name: of(found)[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert found.confusion.sum(axis=0).tolist() == confusion_matrix(y, z).tolist()
    table = by_class(found, "test")
    assert table["precision"].to_list() == pytest.approx(precision_score(y, z, average=None), abs=1e-12)
    assert table["recall"].to_list() == pytest.approx(recall_score(y, z, average=None), abs=1e-12)


def test_a_class_that_is_nowhere_is_left_out_and_one_that_is_only_said_is_zero() -> None:
    masks = np.array([[[0, 0, 1, 1]]], np.uint8)
    found = of(predicted(masks, np.array([[[0, 0, 1, 0]]], np.uint8)))
    assert found["miou"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert np.isnan(found["iou_sign"])
    found = of(predicted(masks, np.array([[[0, 0, 1, 2]]], np.uint8)))
    assert found["miou"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert found["iou_sign"] == 0
    assert found["class_accuracy"] == pytest.approx(0.75)


def test_by_hand_the_five_numbers_that_are_called_miou_differ() -> None:
    masks = np.array([[[0, 0, 0, 1]], [[1, 1, 1, 1]]], np.uint8)
    said = np.array([[[0, 0, 0, 0]], [[1, 1, 1, 1]]], np.uint8)
    found = of(predicted(masks, said, CLASSES[:2]))
    assert found["miou"] == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert found["iou_micro"] == pytest.approx(7 / 9)
    assert found["miou_per_image"] == pytest.approx(((3 / 4 + 0) / 2 + 1) / 2)
    assert found["miou_per_pair"] == pytest.approx((3 / 4 + 0 + 1) / 3)
    assert found["class_accuracy"] == pytest.approx((1 + 4 / 5) / 2)


@given(seed=st.integers(0, 10_000), share=st.floats(0, 1))
def test_what_is_said_of_void_pixels_changes_no_number(seed: int, share: float) -> None:
    masks, said = maps(seed, 2, 9)
    draw = np.random.default_rng(seed + 1)
    painted = np.where((masks == VOID) & (draw.random(masks.shape) < share), draw.integers(0, 3, masks.shape), said)
    one, other = predicted(masks, said), predicted(masks, painted.astype(np.uint8))
    assert of(one) == pytest.approx(of(other), nan_ok=True, rel=1e-7)
    assert one.confusion.tolist() == other.confusion.tolist()
    for mine, its in zip(one.kept.borders(), other.kept.borders(), strict=True):
        assert mine.tolist() == its.tolist()


def band_of(own: np.ndarray, width: int) -> np.ndarray:
    """The pixels of a shape that are within so many of its outside."""
    return own & ~binary_erosion(own, np.ones((3, 3)), iterations=width, border_value=0)


def test_boundary_iou_is_that_of_eroded_masks() -> None:
    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 3, (2, 6, 8), dtype=np.uint8).repeat(10, axis=1).repeat(10, axis=2)
    masks, said = coarse[:1], np.roll(coarse[:1], 1, axis=2)
    near = predicted(masks, said).kept.borders()
    width = round(0.02 * np.hypot(60, 80))
    assert width == 2
    for label in range(3):
        true, given = (band_of(labels == label, width) for labels in (masks[0], said[0]))
        assert near.intersection[0, label] == (true & given).sum()
        assert near.union[0, label] == (true | given).sum()


@pytest.mark.parametrize("border", [1, 5])
def test_a_stated_width_is_that_of_all_that_is_near_a_border(border: int) -> None:
    masks, said = np.zeros((1, 40, 40), np.uint8), np.zeros((1, 40, 40), np.uint8)
    masks[:, :, 20:] = 1
    said[:, :, 21:] = 1
    found = predicted(masks, said, border=border)
    near = found.kept.borders()
    assert near.confusion[0].tolist() == [[border * 40, 0, 0], [40, (border - 1) * 40, 0], [0, 0, 0]]
    for label in range(2):
        true, given = (band_of(labels == label, border) for labels in (masks[0], said[0]))
        assert near.intersection[0, label] == (true & given).sum()
        assert near.union[0, label] == (true | given).sum()
    names = {f"border_{border}_miou", f"border_{border}_accuracy", f"boundary_{border}_iou"}
    measured = of(found)
    assert names < measured.keys()
    assert not {"border_miou", "border_accuracy", "boundary_iou"} & measured.keys()
    assert measured[f"border_{border}_accuracy"] == pytest.approx(1 - 1 / (2 * border))
    stored = Predictions.read(found.table("test", ["a.png"]))
    assert of(stored) == pytest.approx(measured, nan_ok=True)


def test_predictions_kept_before_a_width_could_be_stated_have_the_usual_one() -> None:
    found = predicted(*maps(0))
    old = found.table("test", list("abcd")).drop("border_width")
    assert of(Predictions.read(old)) == pytest.approx(of(found))


def test_for_no_measure_only_losses_and_counts_are_gathered() -> None:
    masks, said = maps(0)
    data = masked_data(masks)
    few, all_ = task.gathered([sharp(said)], data, "validation", CrossEntropy()), predicted(masks, said)
    for metric in ("loss", "miou", "iou_road"):
        assert of(few)[metric] == of(all_)[metric]
    assert "border_miou" not in of(few)
    assert few.is_finite
    assert not task.gathered([sharp(said) * np.inf], data, "validation", CrossEntropy()).is_finite


def test_near_a_border_are_the_three_pixels_on_either_side() -> None:
    masks = np.zeros((1, 12, 20), np.uint8)
    masks[:, :, 10:] = 1
    said = np.zeros_like(masks)
    near = predicted(masks, said).kept.borders().confusion[0]
    assert near.tolist() == [[3 * 12, 0, 0], [3 * 12, 0, 0], [0, 0, 0]]
    masks[:, :, 8:12] = VOID  # the border lies in the void, and two pixels of each side are still near it
    assert predicted(masks, said).kept.borders().confusion[0].sum() == 0
    masks[:, :, 8:10] = 0
    assert predicted(masks, said).kept.borders().confusion[0].tolist() == [[12, 0, 0], [12, 0, 0], [0, 0, 0]]


def test_logits_are_brought_to_a_picture_s_own_pixels_and_the_letterbox_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = np.random.default_rng(0)
    data = masked_data(np.zeros((1, 8, 8), np.uint8), sizes=np.array([[8, 16]], np.int32), fit="letterbox")
    own = draw.integers(0, 3, (8, 16), dtype=np.uint8)
    monkeypatch.setattr(Masks, "own", lambda masks, i: own)
    logits = torch.from_numpy(draw.normal(size=(1, 3, 8, 8)).astype(np.float32))
    found = gathered([logits], data)
    inside = functional.interpolate(logits[:, :, 2:6], size=(8, 16), mode="bilinear", align_corners=False)
    said = inside[0].argmax(dim=0).numpy()
    assert found.confusion[0].tolist() == confusion_matrix(own.ravel(), said.ravel()).tolist()
    assert found.sizes.tolist() == [[8, 16]]
    assert found.kept.entropies[0] == pytest.approx(
        torch.distributions.Categorical(logits=inside[0].movedim(0, -1)).entropy().mean().item(), rel=1e-5
    )


def test_an_image_that_is_all_void_has_no_loss_and_counts_in_nothing() -> None:
    masks, said = maps(0)
    without = of(predicted(masks, said))
    masks, said = (np.concatenate([part, part[:1]]) for part in (masks, said))
    masks[-1] = VOID
    found = predicted(masks, said)
    assert of(found) == pytest.approx(without)
    assert found.is_finite
    assert found.table("test", [str(i) for i in range(5)])["loss"].null_count() == 1


def test_the_loss_is_the_mean_over_the_known_pixels_of_each_picture() -> None:
    masks, said = maps(1)
    found = predicted(masks, said)
    logits = sharp(said)
    for i, loss in enumerate(found.losses):
        target = torch.from_numpy(masks[i : i + 1]).long()
        expected = functional.cross_entropy(logits[i : i + 1], target, ignore_index=VOID).item()
        assert loss == pytest.approx(expected, rel=1e-6)


def test_what_is_learned_counts_the_pixels_of_the_training_metric() -> None:
    masks, said = maps(2)
    data = masked_data(masks)
    step = task.learning(CrossEntropy(), data, torch.device("cpu"))
    weight = torch.nn.Parameter(sharp(said))
    network = torch.nn.Module()
    network.forward = lambda images: weight  # type: ignore[assignment,method-assign]
    _, sums = step(network, torch.zeros(4, 1, 24, 24), torch.from_numpy(masks))
    found = predicted(masks, said)
    assert task.epoch(sums, 4) == pytest.approx({name: of(found)[name] for name in ("loss", "miou")}, rel=1e-6)


def test_stated_colours_are_in_what_is_kept_and_in_what_is_said_of_other_pictures() -> None:
    masks, said = maps(0)
    stated = [(1, 2, 3), (200, 100, 0), (0, 0, 255)]
    assert "colours" not in describe(masked_data(masks))
    data = masked_data(masks, colours=stated)
    found = gathered(iter([sharp(said)]), data)
    image = Image.open(BytesIO(found.kept.said[0]))
    assert np.array(image).tolist() == said[0].tolist()
    assert np.array(image.convert("RGB")).tolist() == np.array(stated)[said[0]].tolist()
    truth = Image.open(BytesIO(found.gallery(data, 0).filter(kind="sample", name="0.png")["truth"][0]))
    assert np.array(truth.convert("RGB"))[masks[0] == 2].tolist()[0] == [0, 0, 255]
    about = json.loads(json.dumps(describe(data)))
    (one,) = task.told(sharp(said)[:1], [Path("a.png")], about)
    assert one.colours.tolist() == [list(colour) for colour in stated]


@pytest.mark.parametrize("measure", ["separation", {"name": "separation", "track": {"every": 1}}])
def test_separation_of_layers_is_refused_with_what_the_task_knows(measure: object) -> None:
    values = {"task": "segmentation", "data": {"source": "scenes"}, "model": "deeplab"}
    assert mistakes(Recipe, values | {"evaluate": ["segmentation", measure]}) == [
        "evaluate: 'separation' is no measure of task segmentation; it knows segmentation, cost, uncertainty, diagnosis"
    ]


def test_pictures_are_the_worst_the_middle_and_the_best() -> None:
    masks, said = maps(0, n=6)
    said[2], said[4] = (masks[2] + 1) % 3, np.where(masks[4] == VOID, 0, masks[4])
    table = predicted(masks, said).gallery(masked_data(masks), 0)
    first = {kind: table.filter(kind=kind)["name"][0] for kind in ("worst", "best")}
    assert first == {"worst": "2.png", "best": "4.png"}
    assert set(table["kind"]) == {"sample", "worst", "middle", "best"}


def test_a_map_of_entropy_is_white_where_the_network_is_sure_and_black_where_it_guesses() -> None:
    gray = Image.open(BytesIO(unsureness(np.log(5) * torch.tensor([[0, 1.0], [0.2, 0.8]]), classes=5)))
    assert np.array(gray).tolist() == [[255, 0], [204, 51]]
