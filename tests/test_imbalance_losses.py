"""Class weights and the focal loss: against torch, against the formula, and what they leave alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from assay.data import load
from assay.errors import AssayError
from assay.models import build
from assay.recipe import Loss, Recipe, Train
from assay.recipe.validation import validate
from assay.seeds import scoped
from assay.tasks.classification.losses import class_weights, focal, objective, per_sample_loss
from assay.tasks.classification.task import outputs
from assay.train.checkpoint import State
from assay.train.loop import fit
from trained import predict

CPU = torch.device("cpu")
COUNTS = np.array([10, 30, 60])
GENERATOR = torch.Generator().manual_seed(0)
LOGITS, LABELS = torch.randn(20, 3, generator=GENERATOR), torch.randint(0, 3, (20,), generator=GENERATOR)


def loss_of(values: Any) -> Any:
    return TypeAdapter(Loss).validate_python(values)


def batch_loss(values: Any, logits: torch.Tensor = LOGITS, labels: torch.Tensor = LABELS) -> torch.Tensor:
    loss = loss_of(values)
    return objective(loss, COUNTS, CPU)(per_sample_loss(loss)(logits, labels), labels)


def gradient(value: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(value, of)[0]


def test_inverse_weights_by_hand() -> None:
    weights = class_weights(loss_of({"class_weights": "inverse"}), COUNTS)
    assert weights is not None
    assert weights.tolist() == pytest.approx([100 / 30, 100 / 90, 100 / 180])
    assert float((weights * torch.from_numpy(COUNTS)).sum() / COUNTS.sum()) == pytest.approx(1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weighted_cross_entropy_is_torchs(smoothing: float) -> None:
    weights = [0.5, 1.0, 4.0]
    logits = LOGITS.clone().requires_grad_()
    ours = batch_loss({"class_weights": weights, "label_smoothing": smoothing}, logits)
    if smoothing:
        plain = torch.nn.CrossEntropyLoss(reduction="none", label_smoothing=smoothing)(logits, LABELS)
        own = torch.tensor(weights)[LABELS]
        expected = (own * plain).sum() / own.sum()  # torch weighs the smoothed classes too; we weigh images
    else:
        expected = torch.nn.CrossEntropyLoss(weight=torch.tensor(weights))(logits, LABELS)
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(gradient(ours, logits), gradient(expected, logits))


def test_focal_loss_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.9, 0.1], [0.4, 0.6]]))
    found = batch_loss({"name": "focal", "gamma": 2}, logits, torch.tensor([0, 0]))
    assert found.item() == pytest.approx((0.1**2 * -np.log(0.9) + 0.6**2 * -np.log(0.4)) / 2, rel=1e-5)


def test_focal_loss_of_two_classes_is_torchvisions_of_one_logit() -> None:
    from torchvision.ops import sigmoid_focal_loss

    logit = LOGITS[:, 0]
    labels = (LABELS > 0).long()
    two = torch.stack([torch.zeros_like(logit), logit], dim=1)
    expected = sigmoid_focal_loss(logit, labels.float(), alpha=-1, gamma=2, reduction="mean")
    torch.testing.assert_close(batch_loss({"name": "focal"}, two, labels), expected)


@pytest.mark.parametrize("weights", [None, "inverse", [1.0, 2.0, 3.0]])
def test_focal_loss_without_focus_is_cross_entropy(weights: Any) -> None:
    without = batch_loss({"name": "focal", "gamma": 0, "class_weights": weights})
    torch.testing.assert_close(without, batch_loss({"name": "cross_entropy", "class_weights": weights}))


@given(st.floats(0, 200, width=32), st.sampled_from([0.25, 0.5, 1.0, 2.0, 5.0]))
def test_focal_loss_and_its_derivative_are_finite_and_below_cross_entropy(value: float, gamma: float) -> None:
    losses = torch.tensor([value], requires_grad=True)
    found = focal(losses, gamma)
    assert 0 <= found.item() <= value
    assert gradient(found.sum(), losses).isfinite().all()


def test_binary_cross_entropy_takes_weights() -> None:
    weights = torch.tensor([1.0, 3.0])
    labels = (LABELS > 0).long()
    logit = LOGITS[:, :1]
    two = torch.cat([torch.zeros_like(logit), logit], dim=1)
    expected = torch.nn.CrossEntropyLoss(weight=weights)(two, labels)
    loss = loss_of({"name": "binary_cross_entropy", "class_weights": weights.tolist()})
    found = objective(loss, COUNTS[:2], CPU)(per_sample_loss(loss)(logit, labels), labels)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("values", [{"class_weights": "inverse"}, {"name": "focal", "class_weights": [1, 2, 3]}])
def test_what_is_measured_knows_no_weights_and_no_focus(values: Any) -> None:
    found = per_sample_loss(loss_of(values))(LOGITS, LABELS)
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(LOGITS, LABELS, reduction="none"))


def test_equal_weights_of_a_training_change_next_to_nothing_and_unequal_ones_do() -> None:
    def weights(loss: Any) -> torch.Tensor:
        recipe = Recipe.model_validate(
            {
                "data": {"source": "digits", "train": 300, "imbalance": {"3": 0.2}},
                "model": {"name": "mlp", "hidden": [8]},
                "train": {"epochs": 2, "batch_size": 16, "optimizer": {"lr": 0.01}, "loss": loss, "keep": "last"},
            }
        )
        data = load(recipe.data, 0, Path())
        with scoped(0, "initialisation"):
            model = build(recipe.model, data.shape, 10)
        state = fit(model, data, recipe, CPU, State(), lambda state: None)
        test = predict(model, data, "validation", recipe.train.loss, CPU)
        assert state.history[-1]["validation_loss"] == pytest.approx(float(test.losses.mean()), rel=1e-5)
        return torch.cat([p.detach().ravel() for p in model.parameters()])

    plain = weights("cross_entropy")
    torch.testing.assert_close(weights({"class_weights": [2.0] * 10}), plain, atol=1e-4, rtol=1e-3)
    assert (weights({"class_weights": "inverse"}) - plain).abs().max() > 1e-3
    assert (weights("focal") - plain).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
def test_the_weights_must_be_as_many_as_the_classes(name: str) -> None:
    loss = loss_of({"name": name, "class_weights": [1, 2]})
    with pytest.raises(AssayError, match=r"class_weights has 2 numbers, expected 3, one for each class: a, b, c"):
        outputs(loss, ["a", "b", "c"])
    assert outputs(loss, ["a", "b"]) == 2


@pytest.mark.parametrize("weights", ["invers", [], [1, 0], [1, -1], [1, "x"], 2, {"a": 1}, [True, 1]])
def test_what_is_no_weight(weights: Any) -> None:
    sentence = r"loss.class_weights: found .*, expected inverse, median_frequency \(of pixels\), or a list of numbers"
    with pytest.raises(AssayError, match=sentence):
        validate(Train, {"loss": {"class_weights": weights}}, "file")


def test_losses_without_weights_keep_their_dump() -> None:
    for name in ("cross_entropy", "binary_cross_entropy"):
        assert "class_weights" not in loss_of(name).model_dump(mode="json")
    assert loss_of({"class_weights": [1, 2]}).model_dump(mode="json")["class_weights"] == [1, 2]
