"""How far the probabilities of pixels may be believed."""

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn import functional

from assay.evaluate import Trained, measure
from assay.recipe import Recipe
from assay.recipe.tasks import TASKS
from assay.results.measurable import measurable
from assay.tasks.segmentation import task
from assay.uncertainty.measures import calibration_error
from labelled import CPU, masked_data, random_masks

RECIPE = Recipe.model_validate(
    {"task": "segmentation", "data": {"source": "x"}, "model": "deeplab", "evaluate": ["segmentation", "uncertainty"]}
)


def trained_on(masks: np.ndarray, logits: torch.Tensor) -> Trained:
    data = masked_data(masks)
    said = {
        split: task.gathered([logits], data, split, RECIPE.train.loss, RECIPE.evaluate)
        for split in ("train", "validation", "test")
    }
    network, history = torch.nn.Conv2d(1, 3, 1), pl.DataFrame({"epoch": [1], "seconds": [1.0]})
    return Trained(network, data, RECIPE, CPU, said, history, network, data)


def honest(seed: int, sharpness: float) -> tuple[np.ndarray, torch.Tensor]:
    """Masks drawn from the probabilities of logits that are then made ``sharpness`` times as large."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(0, 1.5, (6, 3, 40, 40)).astype(np.float32)
    masks = (logits + draw.gumbel(size=logits.shape)).argmax(axis=1).astype(np.uint8)
    return masks, torch.from_numpy(sharpness * logits)


def test_a_temperature_undoes_what_makes_probabilities_too_sure() -> None:
    found = measure(trained_on(*honest(0, 3.0)))
    assert found["temperature"] == pytest.approx(3.0, rel=0.05)
    assert found["ece_plain"] > 0.1
    assert found["ece_temperature"] < 0.02
    assert found["nll_temperature"] < found["nll_plain"]


def test_of_so_few_pixels_all_are_counted() -> None:
    masks, logits = honest(1, 1.0)
    masks[:, :5] = 255
    found = measure(trained_on(masks, logits))
    rows, labels = logits.movedim(1, -1)[torch.from_numpy(masks != 255)], torch.from_numpy(masks[masks != 255]).long()
    assert found["nll_plain"] == pytest.approx(functional.cross_entropy(rows, labels).item(), rel=1e-5)
    expected = calibration_error(rows.double().softmax(dim=1).numpy(), labels.numpy())
    assert found["ece_plain"] == pytest.approx(expected, abs=1e-6)


def test_the_sample_is_the_same_whatever_the_network_and_never_void() -> None:
    masks = random_masks(np.random.default_rng(0), 300, 30, 30, void=0.5)
    data = masked_data(masks)
    said = [
        task.gathered(
            [torch.full((300, 3, 30, 30), value)], data, "test", RECIPE.train.loss, RECIPE.evaluate
        ).kept.sampled
        for value in (0.0, 1.0)
    ]
    assert said[0].labels.tolist() == said[1].labels.tolist()
    assert len(said[0].labels) == 300 * 333
    assert said[0].labels.max() == 2


def test_pictures_are_withheld_by_their_entropy() -> None:
    masks = np.zeros((3, 4, 4), np.uint8)
    logits = torch.zeros(3, 3, 4, 4)
    logits[0, 0], logits[1, 0], logits[2, 1] = 9, 5, 1  # the least sure picture is wrong
    found = measure(trained_on(masks, logits))
    table = found["risk_coverage"]
    assert table["risk"].to_list() == pytest.approx([0, 0, 1 / 3])
    assert found["aurc_plain"] == pytest.approx(1 / 9)


def test_what_is_measured_is_what_could_be() -> None:
    found, rows = measure(trained_on(*honest(0, 2.0))), measurable(RECIPE)
    numbers = {name for name, value in found.items() if isinstance(value, float)}
    assert all(any(row.called(name) for row in rows) for name in numbers)
    assert "uncertainty" in TASKS["segmentation"].measures
