"""Regression as a task: numbers are standardised, learned, and told in their own unit."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from assay.data.batches import ImageData
from assay.data.standard import standard_of
from assay.errors import AssayError
from assay.recipe import CrossEntropy, Huber, Loss, MeanAbsoluteError, MeanSquaredError
from assay.tasks.classification.losses import per_sample_loss as loss_of_classes
from assay.tasks.regression import task
from assay.tasks.regression.losses import per_sample_loss
from assay.train.checkpoint import State, pack, unpack
from assay.train.loop import fit
from trained import image_data
from valued import CPU, network, predict, recipe, value_data

OUTPUTS = torch.tensor([[0.0, 1.0], [3.0, -1.0]])
WANTED = torch.tensor([[0.5, 1.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("loss", "values"),
    [
        (MeanSquaredError(), [0.125, 6.5]),
        (MeanAbsoluteError(), [0.25, 2.5]),
        (Huber(), [0.0625, 2.0]),
        (Huber(delta=4.0), [0.0625, 3.25]),
    ],
)
def test_losses_of_an_image_are_means_over_its_targets(loss: Loss, values: list[float]) -> None:
    assert per_sample_loss(loss)(OUTPUTS, WANTED).tolist() == pytest.approx(values)


def test_losses_of_other_tasks_are_refused() -> None:
    with pytest.raises(AssayError, match=r"train\.loss: 'cross_entropy' is no loss of regression"):
        task.outputs(CrossEntropy(), ["age"])
    with pytest.raises(AssayError, match=r"train\.loss: 'huber' is no loss of classification"):
        loss_of_classes(Huber())


def test_targets_are_standardised_on_the_training_images_alone() -> None:
    values = np.concatenate([[[1.0, 10.0], [3.0, 50.0]] * 12, np.full((24, 2), 1e6)])
    standard = standard_of(value_data(values, ("a", "b")))
    assert (standard.mean.tolist(), standard.deviation.tolist()) == ([2.0, 30.0], [1.0, 20.0])
    assert standard.on(torch.device("cpu"))(torch.tensor([[3.0, 10.0]])).tolist() == [[1.0, -1.0]]
    assert standard.in_own_units(np.array([[1.0, -1.0]], np.float32)).tolist() == [[3.0, 10.0]]


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e9])
def test_a_target_that_does_not_vary_in_training_is_refused(constant: float) -> None:
    values = np.column_stack([np.arange(48.0), np.where(np.arange(48) < 24, constant, np.arange(48.0))])
    with pytest.raises(AssayError, match="target 'b' of the source does not vary over the 24 training images"):
        task.learning(MeanSquaredError(), value_data(values, ("a", "b")), CPU)


def test_a_target_that_single_precision_cannot_tell_apart_is_refused_with_the_way_out() -> None:
    """Julian days of a week."""
    days = 2_459_000.5 + np.random.default_rng(0).uniform(-3, 3, (48, 1))
    with pytest.raises(AssayError, match=r"varies by only .* around 2459000\.\d+, .* take a constant off its values"):
        task.learning(MeanSquaredError(), value_data(days, ("day",)), CPU)
    task.learning(MeanSquaredError(), value_data(days - 2_459_000, ("day",)), CPU)


def test_images_with_labels_are_refused() -> None:
    with pytest.raises(AssayError, match="regression needs numbers an image, and the images of the source have labels"):
        task.learning(MeanSquaredError(), image_data(), CPU)


def test_a_step_gives_the_mean_loss_and_sums_that_make_r2() -> None:
    data, model = value_data(), nn.Sequential(nn.Flatten(), nn.Linear(36, 1))
    step, sums = task.learning(Huber(), data, CPU), dict[str, Any]()
    with torch.no_grad():
        for images, values in data.batches("train", 5, CPU):
            minimised, found = step(model, images, values)
            sums = {name: sums.get(name, 0) + value for name, value in found.items()}
    learned, said = task.epoch(sums, 24), predict(model, data, "train", Huber())
    score = said.evidence("r2")
    assert score is not None
    assert learned["r2"] == pytest.approx(float(score(np.ones((1, 24)))[0]), rel=1e-5)
    assert learned["loss"] == pytest.approx(said.losses.mean(), rel=1e-5)
    wanted = standard_of(data).on(torch.device("cpu"))(values)
    outputs = model(images)
    assert minimised.item() == pytest.approx(functional.huber_loss(outputs, wanted).item())


def fitted(data: ImageData, state: State | None = None, epochs: int = 3, **train: Any) -> tuple[nn.Module, State]:
    made = recipe(train={"epochs": epochs, "batch_size": 5, "optimizer": {"name": "adam", "lr": 0.01}, **train})
    model = network(data)
    return model, fit(model, data, made, CPU, state or State(), lambda _: None)


def test_a_network_learns_in_whatever_unit() -> None:
    data = value_data()
    scaled = value_data(data.images.targets.values * 1000)  # type: ignore[attr-defined]
    (model, state), (other, _) = fitted(data, epochs=30), fitted(scaled, epochs=30)
    assert state.history[-1]["validation_r2"] > 0.8
    assert state.history[-1]["train_r2"] > state.history[0]["train_r2"]
    for name, weights in model.state_dict().items():
        assert torch.allclose(weights, other.state_dict()[name], atol=1e-4), name
    said, thousandfold = predict(model, data, "test"), predict(other, scaled, "test")
    assert np.allclose(1000 * said.said, thousandfold.said, rtol=1e-3)
    assert np.allclose(1000 * said.errors, thousandfold.errors, atol=100)
    assert np.allclose(said.losses, thousandfold.losses, atol=1e-3)
    assert said.truth.tolist() == data.images.targets.values[36:].tolist()  # type: ignore[attr-defined]


def test_in_a_unit_of_a_power_of_two_the_weights_are_equal_to_the_bit() -> None:
    data = value_data()
    scaled = value_data(data.images.targets.values * 1024)  # type: ignore[attr-defined]
    (model, _), (other, _) = fitted(data), fitted(scaled)
    for name, weights in model.state_dict().items():
        assert torch.equal(weights, other.state_dict()[name]), name


def test_continued_from_a_packed_state_it_ends_bit_for_bit_the_same() -> None:
    data, saved = value_data(), list[bytes]()
    made = recipe(train={"epochs": 4, "batch_size": 5, "loss": "huber"})
    whole = network(data)
    end = fit(whole, data, made, CPU, State(), lambda state: saved.append(pack(state)))
    continued = network(data, seed=1)
    again = fit(continued, data, made, CPU, unpack(saved[1]), lambda _: None)
    for name, weights in whole.state_dict().items():
        assert torch.equal(weights, continued.state_dict()[name]), name
    without_seconds = [[{**row, "seconds": 0} for row in state.history] for state in (end, again)]
    assert without_seconds[0] == without_seconds[1]


def test_validation_values_that_are_all_alike_have_no_r2_and_the_last_epoch_is_kept() -> None:
    values = value_data().images.targets.values.copy()  # type: ignore[attr-defined]
    values[24:36] = 100.0
    model, state = fitted(value_data(values), epochs=4, early_stopping={"patience": 1})
    assert [row["validation_r2"] for row in state.history] == [None] * 4
    assert all(math.isfinite(row["validation_loss"]) for row in state.history)
    for name, weights in model.state_dict().items():
        assert torch.equal(weights, state.model[name]), name
    assert unpack(pack(state)).watched("r2", task.METRICS) == [-math.inf] * 4


def test_an_epoch_whose_watched_value_is_higher_is_kept() -> None:
    model, state = fitted(value_data(), epochs=3, optimizer={"name": "sgd", "lr": 0.1})
    values = [row["validation_r2"] for row in state.history]
    assert max(values) > values[-1]
    said = predict(model, value_data(), "validation").evidence("r2")
    assert said is not None
    assert float(said(np.ones((1, 12)))[0]) == pytest.approx(max(values))
