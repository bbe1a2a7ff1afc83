"""What a network costs. Times are only checked for making sense."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from assay.evaluate import measure
from assay.evaluate.cost import REPEATS, inference_speed
from trained import image_data, trained


def test_counts_by_hand() -> None:
    found = measure(trained(evaluate=["cost"]))
    assert found.pop("inference_images_per_second") > 0  # type: ignore[operator]
    assert found == {
        "parameters": 37 * 4 + 5 * 3,
        "trainable_parameters": 37 * 4 + 5 * 3,
        "macs": 36 * 4 + 4 * 3,
        "weight_bytes": 4 * (37 * 4 + 5 * 3),
        "activation_bytes": 4 * (4 + 4 + 3),
        "training_seconds": 3.5,
    }


class Watched(nn.Module):
    """Remembers how it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(36, 3)
        self.calls: list[tuple[Any, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append((len(x), self.training, torch.is_grad_enabled()))
        return self.dense(x.flatten(1))


def test_inference_runs_at_the_training_batch_size_in_evaluation_mode() -> None:
    model = Watched()
    run = trained(image_data(), model, train={"batch_size": 4}, evaluate=["cost"])
    model.calls.clear()
    measure(run)
    timed = model.calls[1:]
    assert set(timed) == {(4, False, False)}
    assert 2 <= len(timed) <= REPEATS + 1
    assert model.training


def test_speed_is_the_batch_over_the_median_time(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = [(0.0, 0.5), (0.5, 0.6), (0.6, 0.8)]
    readings = [0.0, *passes[0], *(t for began, ended in passes[1:] for t in (began, began, ended)), 1.5]
    clock = SimpleNamespace(perf_counter=iter(readings).__next__)
    monkeypatch.setattr("assay.evaluate.cost.time", clock)
    assert inference_speed(nn.Identity(), torch.zeros(8, 1, 2, 2)) == pytest.approx(8 / 0.2)
