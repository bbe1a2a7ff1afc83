"""Backbones ranked without training: numbers, order, honesty, and what cannot be had."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from torch import nn

from assay.data import ImageData
from assay.errors import AssayError
from assay.tools.ranking import rank, ranking
from assay.tools.ranking.in_words import recommendation
from assay.tools.ranking.ranking import SCHEMA, placed
from command import assay

TWO = ["timm/resnet18", "torchvision/squeezenet1_0"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of twelve noisy pictures, each around a colour."""
    root = tmp_path_factory.mktemp("ranking") / "set"
    noise = np.random.default_rng(0)
    for label, color in {"red": (150, 60, 60), "green": (60, 150, 60), "blue": (60, 60, 150)}.items():
        (root / label).mkdir(parents=True)
        for n in range(12):
            pixels = np.clip(np.array(color) + noise.normal(0, 40, (40, 40, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / label / f"{n}.png")
    return root


def test_a_row_for_each_backbone_best_first(pictures: Path) -> None:
    found = rank(pictures, TWO, size=40, pretrained=False)
    assert found.table.schema == pl.Schema(SCHEMA)
    assert sorted(found.table["model"]) == sorted(TWO)
    assert found.table["place"].to_list() == [1, 2]
    for row in found.table.iter_rows(named=True):
        for name in ("cross_si", "cross_csi"):
            assert 0 <= row[f"{name}_low"] <= row[name] <= row[f"{name}_high"] <= 1
        assert row["size"] == "40×40"
        assert min(row[name] for name in ("width", "parameters", "macs", "features_seconds")) > 0
    assert found.recommendation.endswith("The weights are random, so this says nothing of trained backbones.")
    assert "Copies of an original" not in found.recommendation
    again = rank(pictures, TWO, size=40, pretrained=False)
    assert again.table.drop("features_seconds").equals(found.table.drop("features_seconds"))


def test_the_test_images_are_left_for_the_judgement(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[tuple[str, int]] = []
    whole = ranking.features

    def watched(network: nn.Module, data: ImageData, name: str, device: torch.device) -> Any:
        looked_at.append((name, len(data.indices[name])))
        return whole(network, data, name, device)

    monkeypatch.setattr(ranking, "features", watched)
    found = rank(pictures, TWO[:1], size=40, pretrained=False, group=r"(\d)\.png")
    assert looked_at[0][0] == "train"
    assert looked_at[1][0] == "validation"
    assert 20 <= sum(n for _, n in looked_at) <= 32  # of 36, a fifth for testing
    assert (
        "Copies of an original count as images of their own, so the intervals are too narrow." in found.recommendation
    )


def test_weights_that_cannot_be_had_are_listed_with_the_reason(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(name: str, shape: object) -> object:
        raise AssayError(f"model.pretrained: the weights of '{name}' are in no cache")

    monkeypatch.setattr("assay.models.catalogue.shipped", offline)
    found = rank(pictures, TWO, size=40)
    assert found.table["reason"].to_list() == [f"model.pretrained: the weights of '{n}' are in no cache" for n in TWO]
    assert found.table["place"].null_count() == 2
    assert found.recommendation == "None of these backbones could be ranked."


def test_a_network_that_the_images_do_not_fit_is_listed_too(pictures: Path) -> None:
    found = rank(pictures, ["timm/resnet18", "torchvision/alexnet"], size=40, pretrained=False)
    assert found.table["place"].to_list() == [1, None]
    assert str(found.table["reason"][1]).startswith("the network does not fit images of (3, 40, 40)")
    assert found.recommendation.startswith("timm/resnet18 is the only backbone that could be ranked")


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (["timm/resnet81"], "unknown timm model 'resnet81'; did you mean 'resnet18'"),
        (["timm/resnet18", "timm/resnet18"], "'timm/resnet18' is listed twice"),
        (["cnn"], "'cnn' has no backbone"),
        ([], "expected at least one backbone"),
    ],
)
def test_a_mistake_is_told_before_anything_is_measured(pictures: Path, models: list[str], said: str) -> None:
    with pytest.raises(AssayError, match=said):
        rank(pictures, models, pretrained=False)


# --------------------------------------------------------------------------------------- order and words


def table(**columns: list[float]) -> pl.DataFrame:
    """Backbones a, b, … with these qualities, intervals of ±0.05, and rising cost."""
    count = len(next(iter(columns.values())))
    rows = []
    for i in range(count):
        row = {"model": "abc"[i], "macs": 100 * (i + 1)} | {name: values[i] for name, values in columns.items()}
        ends = {
            f"{n}_{end}": row[n] + by for n in ("cross_si", "cross_csi") for end, by in (("low", -0.05), ("high", 0.05))
        }
        rows.append(row | ends)
    return placed(pl.DataFrame(rows, schema=SCHEMA))


def test_places_are_the_mean_of_three() -> None:
    found = table(cross_si=[0.5, 0.6, 0.7], cross_csi=[0.5, 0.9, 0.8], logme=[0.1, 0.2, 0.3])
    assert found["model"].to_list() == ["c", "b", "a"]
    assert found["place"].to_list() == [1, 2, 3]


def test_of_equal_means_the_higher_cross_csi_comes_first() -> None:
    found = table(cross_si=[0.9, 0.5], cross_csi=[0.5, 0.9], logme=[0.2, 0.2])
    assert found["model"].to_list() == ["b", "a"]


@pytest.mark.parametrize(("si", "csi"), [(0.82, 0.82), (0.5, 0.88), (0.88, 0.5)])
def test_a_case_is_clear_only_where_both_intervals_lie_apart(si: float, csi: float) -> None:
    said = recommendation(table(cross_si=[0.9, si], cross_csi=[0.9, csi], logme=[0.3, 0.1]), True)
    assert said.startswith("Take a, without certainty: b does not stand clearly behind it")


def test_a_clear_case_is_called_clear() -> None:
    said = recommendation(table(cross_si=[0.9, 0.5], cross_csi=[0.9, 0.6], logme=[0.3, 0.1]), True)
    assert said == "Take a: its cross-SI and cross-CSI lie above those of all others, intervals and all."


def test_overlapping_intervals_are_not() -> None:
    said = recommendation(table(cross_si=[0.7, 0.9, 0.88], cross_csi=[0.7, 0.9, 0.89], logme=[0.1, 0.2, 0.3]), True)
    assert said.startswith("Take b, without certainty: c does not stand clearly behind it")
    assert said.endswith("The measures disagree: LogME puts c first.")
    assert "cheapest" not in said
    said = recommendation(table(cross_si=[0.88, 0.9], cross_csi=[0.88, 0.9], logme=[0.1, 0.3]), True)
    assert "a is the cheapest: 50% of the multiply-accumulates" in said


# --------------------------------------------------------------------------------------------- command


def test_the_command(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = assay(capsys, "rank", pictures, "--models", ",".join(TWO), "--size", "40", "--no-pretrained")
    assert done.status == 0, done.err
    for word in ("cross-SI", "LogME", "timm/resnet18", "MACs", "random"):
        assert word in done.out
    failed = assay(capsys, "rank", pictures, "--models", "timm/resnet81")
    assert failed.status == 2
    assert "did you mean 'resnet18'" in failed.err


def test_an_image_that_cannot_be_read_is_left_out_and_named(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(pictures, damaged)
    (damaged / "red" / "torn.png").write_bytes((damaged / "red" / "0.png").read_bytes()[:100])
    done = assay(capsys, "rank", damaged, "--models", TWO[1], "--size", "40", "--no-pretrained")
    assert done.status == 0, done.err
    assert "red/torn.png was left out: " in done.out
    found = rank(damaged, TWO[1:], size=40, pretrained=False)
    assert [name for name, _ in found.left_out] == ["red/torn.png"]
    assert found.table["place"].to_list() == [1]


def test_copies_of_an_original_stay_on_one_side(pictures: Path) -> None:
    with pytest.raises(AssayError, match="group: found '\\(', expected a regular expression"):
        rank(pictures, TWO[:1], size=40, pretrained=False, group="(")
    with pytest.raises(AssayError, match="whole groups"):
        rank(pictures, TWO[:1], size=40, pretrained=False, group="red|green|blue")
