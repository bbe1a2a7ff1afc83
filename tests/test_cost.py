"""What a network costs. Times are only checked for making sense."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import torch
from torch import Tensor, nn

from assay.evaluate import measure
from assay.evaluate.cost import REPEATS, inference_speed
from assay.report import write_report
from assay.results import Results
from synthetic import fabricate, make_study
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


class Fourier(nn.Module):
    """A layer behind an operation that has no rule."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(36, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(torch.fft.fft2(images).real.flatten(1))


def test_an_operation_without_a_rule_is_told_beside_the_count() -> None:
    found = measure(trained(model=Fourier(), evaluate=["cost"]))
    assert found["macs"] == 36 * 3
    table = found["uncounted"]
    assert isinstance(table, pl.DataFrame)
    assert table["operation"].to_list() == ["_fft_c2c"]
    assert "uncounted" not in measure(trained(evaluate=["cost"]))


def test_the_report_says_what_was_not_counted_and_of_which_variants(tmp_path: Path) -> None:
    folder = fabricate(tmp_path, make_study(3, 1))
    assert "Not counted" not in write_report(Results.read(folder)).read_text(encoding="utf-8")
    results = Results.read(folder)
    table = pl.DataFrame({"operation": ["_fft_c2c", "roll"], "layers": [["network"], ["network"]]})
    table.write_parquet(results.runs[1].folder / "uncounted.parquet")
    page = write_report(Results.read(folder)).read_text(encoding="utf-8")
    (said,) = re.findall(r"<p[^>]*>\s*(Not counted.*?)</p>", page, flags=re.S)
    words = " ".join(re.sub(r"<div.*?</div>|<.*?>", "", said).split())
    assert words.startswith("Not counted, so that multiply-accumulates are too low: _fft_c2c, roll: ")
    assert words.endswith(": elu.")
