"""From logits to probabilities and predictions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from assay.errors import AssayError, RunFailed
from assay.models import build
from assay.recipe import BinaryCrossEntropy, CrossEntropy, MeanSquaredError, Model
from assay.tasks.classification.losses import correct, per_sample_loss, probabilities
from assay.tasks.classification.task import outputs
from trained import CPU, image_data, predict


def test_number_of_logits() -> None:
    assert outputs(CrossEntropy(), ["a", "b", "c"]) == outputs(MeanSquaredError(), ["a", "b", "c"]) == 3
    assert outputs(BinaryCrossEntropy(), ["a", "b"]) == 1
    with pytest.raises(AssayError, match=r"train\.loss: binary_cross_entropy needs 2 classes, and the data has 3"):
        outputs(BinaryCrossEntropy(), ["a", "b", "c"])


def test_probabilities_by_hand() -> None:
    assert probabilities(torch.tensor([[math.log(3), 0.0]])).tolist() == [pytest.approx([0.75, 0.25])]
    assert probabilities(torch.tensor([[math.log(3)]])).tolist() == [pytest.approx([0.25, 0.75])]


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), min_size=1, max_size=6))
def test_probabilities_sum_to_one(logits: list[list[float]]) -> None:
    values = torch.tensor(logits)
    for part in (values, values[:, :1]):
        chances = probabilities(part)
        assert chances.shape == (len(logits), max(part.shape[1], 2))
        torch.testing.assert_close(chances.sum(1), torch.ones(len(logits)))
        assert (chances >= 0).all()


def test_correct_takes_the_first_of_equals() -> None:
    assert correct(torch.tensor([[2.0, 1.0], [1.0, 2.0], [1.0, 1.0]]), torch.tensor([0, 0, 0])).tolist() == [1, 0, 1]
    assert correct(torch.tensor([[2.0], [-2.0], [0.0], [0.0]]), torch.tensor([1, 1, 0, 1])).tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(("loss", "classes"), [(CrossEntropy(), 3), (MeanSquaredError(), 3), (BinaryCrossEntropy(), 2)])
def test_predict_agrees_with_the_network_image_by_image(
    loss: CrossEntropy, classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.data.batches._PASS_PIXELS", 4 * 6 * 6)
    data = image_data(classes)
    model = build(Model(name="cnn", norm="batch", dropout=0.5), data.shape, outputs(loss, data.classes))
    modes = [m.training for m in model.modules()]
    found = predict(model, data, "test", loss, CPU)
    assert [m.training for m in model.modules()] == modes
    assert found.indices.tolist() == data.indices["test"].tolist()
    assert found.labels.tolist() == data.images.labels[data.indices["test"]].tolist()
    assert found.probabilities.shape == (9, classes)

    model.eval()
    pixels = torch.from_numpy(data.images.pixels[data.indices["test"]]).float() / 255
    logits, labels = model((pixels - 0.5) / 0.25).detach(), torch.from_numpy(found.labels)
    np.testing.assert_allclose(found.probabilities, probabilities(logits), atol=1e-6)
    np.testing.assert_allclose(found.losses, per_sample_loss(loss)(logits, labels), atol=1e-5)
    assert (found.predicted == found.labels).tolist() == correct(logits, labels).tolist()
    assert found.confidence.tolist() == [row[p] for row, p in zip(found.probabilities, found.predicted, strict=True)]


def test_a_network_that_has_diverged_fails_the_run() -> None:
    data = image_data()
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    nn.init.constant_(model[1].bias, math.nan)
    with pytest.raises(RunFailed, match="outputs on the validation images are not finite"):
        predict(model, data, "validation", CrossEntropy(), CPU)
