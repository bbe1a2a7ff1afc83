"""Losses, image by image, against known values and torch's own."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from torch import Tensor
from torch.nn import functional

from assay.recipe import Loss
from assay.tasks.classification.losses import per_sample_loss


def losses(loss: Any, logits: Any, labels: list[int]) -> Tensor:
    return per_sample_loss(TypeAdapter(Loss).validate_python(loss))(torch.as_tensor(logits), torch.tensor(labels))


@pytest.mark.parametrize(
    ("loss", "logits", "label", "expected"),
    [
        ("cross_entropy", [0.0, 0.0, 0.0, 0.0], 2, math.log(4)),
        ("cross_entropy", [math.log(3), 0.0], 0, math.log(4 / 3)),
        (
            {"name": "cross_entropy", "label_smoothing": 0.2},
            [math.log(3), 0.0],
            0,
            0.9 * math.log(4 / 3) + 0.1 * math.log(4),
        ),
        ("mse", [0.0, 0.0], 1, 0.25),
        ("mse", [math.log(3), 0.0], 0, (0.25**2 + 0.25**2) / 2),
        ("mse", [0.0, 0.0, 0.0, 0.0], 0, (0.75**2 + 3 * 0.25**2) / 4),
        ("binary_cross_entropy", [0.0], 1, math.log(2)),
        ("binary_cross_entropy", [math.log(3)], 1, math.log(4 / 3)),
        ("binary_cross_entropy", [math.log(3)], 0, math.log(4)),
    ],
)
def test_known_values(loss: Any, logits: list[float], label: int, expected: float) -> None:
    assert losses(loss, [logits], [label]).tolist() == [pytest.approx(expected, rel=1e-6)]


def test_one_value_for_each_image_in_order() -> None:
    logits, labels = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), [0, 1, 2, 2, 1, 0]
    for loss in ("cross_entropy", "mse"):
        together = losses(loss, logits, labels)
        alone = [losses(loss, logits[i : i + 1], labels[i : i + 1]).item() for i in range(6)]
        assert together.tolist() == pytest.approx(alone, rel=1e-5)


@settings(max_examples=50, deadline=None)
@given(
    logits=st.lists(st.lists(st.floats(-20, 20, width=32), min_size=3, max_size=3), min_size=1, max_size=5),
    smoothing=st.floats(0, 0.9),
)
def test_means_agree_with_torch(logits: list[list[float]], smoothing: float) -> None:
    values, labels = torch.tensor(logits), torch.arange(len(logits)) % 3
    ours = losses({"name": "cross_entropy", "label_smoothing": smoothing}, values, labels.tolist()).mean()
    torch.testing.assert_close(ours, functional.cross_entropy(values, labels, label_smoothing=smoothing))
    brier = functional.mse_loss(values.softmax(1), torch.eye(3)[labels])
    torch.testing.assert_close(losses("mse", values, labels.tolist()).mean(), brier)


@given(st.floats(-80, 80, width=32), st.integers(0, 1))
def test_one_logit_is_the_difference_of_two(logit: float, label: int) -> None:
    one = losses("binary_cross_entropy", [[logit]], [label])
    torch.testing.assert_close(one, losses("cross_entropy", [[0.0, logit]], [label]), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "binary_cross_entropy"])
def test_sure_and_wrong_stays_finite_in_half_precision(loss: str) -> None:
    logits = torch.tensor([[1000.0, -1000.0]] if loss != "binary_cross_entropy" else [[-1000.0]], dtype=torch.float16)
    found = losses(loss, logits, [1])
    assert found.dtype == torch.float32
    assert found.isfinite().all()


def test_mse_lies_between_0_and_2_over_classes() -> None:
    assert losses("mse", [[100.0, 0.0, 0.0]], [0]).item() == pytest.approx(0, abs=1e-6)
    assert losses("mse", [[100.0, 0.0, 0.0]], [1]).item() == pytest.approx(2 / 3)
