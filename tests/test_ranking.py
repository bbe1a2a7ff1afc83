"""Backbones ranked without training: numbers, order, honesty, and what cannot be had."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from timm import get_pretrained_cfg
from torch import nn
from torchvision.models import get_model_weights

from assay.data import ImageData
from assay.errors import AssayError
from assay.models import build
from assay.models.catalogue import installed
from assay.recipe import Model
from assay.recipe.study import load_study
from assay.tools.ranking import Ranking, rank, ranking
from assay.tools.ranking.in_words import recommendation
from assay.tools.ranking.next_study import leading
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
    def offline(model: Model, shape: object) -> object:
        raise AssayError(f"model.pretrained: the weights of '{model.name}' are in no cache")

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


def test_the_command(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = assay(capsys, "rank", pictures, "--models", ",".join(TWO), "--size", "40", "--no-pretrained")
    assert done.status == 0, done.err
    for word in ("cross-SI", "LogME", "timm/resnet18", "MACs", "random"):
        assert word in done.out
    page = Path("ranks") / "set" / "index.html"
    assert done.out.splitlines()[-1] == f"page: {page}"
    text, table = page.read_text(encoding="utf-8"), pl.read_csv(page.parent / "tables" / "ranking.csv")
    assert set(re.findall('data-chart="([^"]+)"', text)) == {"cross-si", "cross-csi", "cost"}
    for row in table.iter_rows(named=True):
        assert f"{row['cross_si']:.3f} ({row['cross_si_low']:.3f} to {row['cross_si_high']:.3f})" in text
    study = load_study(page.parent / "next.yaml")
    assert {variant.recipe.model.name for variant in study.plan.values()} == set(TWO)
    recipe = study.plan[study.base_variant].recipe
    assert recipe.model.name == table["model"][0]
    assert (recipe.model.freeze, recipe.model.pretrained) == ("backbone", False)
    assert (recipe.data.source, recipe.data.size) == (str(pictures), 40)
    assert "assay run ranks/set/next.yaml" in text
    failed = assay(capsys, "rank", pictures, "--models", "timm/resnet81")
    assert failed.status == 2
    assert "did you mean 'resnet18'" in failed.err


def test_an_image_that_cannot_be_read_is_left_out_and_named(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(pictures, damaged)
    (damaged / "red" / "torn.png").write_bytes((damaged / "red" / "0.png").read_bytes()[:100])
    page = ("--out", tmp_path / "page")
    done = assay(capsys, "rank", damaged, "--models", TWO[1], "--size", "40", "--no-pretrained", *page)
    assert done.status == 0, done.err
    assert "red/torn.png was left out: " in done.out
    assert "red/torn.png" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    (variant, other) = load_study(tmp_path / "page" / "next.yaml").plan.values()
    assert {variant.recipe.model.freeze, other.recipe.model.freeze} == {"backbone", "none"}
    found = rank(damaged, TWO[1:], size=40, pretrained=False)
    assert [name for name, _ in found.left_out] == ["red/torn.png"]
    assert found.table["place"].to_list() == [1]


def test_copies_of_an_original_stay_on_one_side(pictures: Path) -> None:
    with pytest.raises(AssayError, match="group: found '\\(', expected a regular expression"):
        rank(pictures, TWO[:1], size=40, pretrained=False, group="(")
    with pytest.raises(AssayError, match="whole groups"):
        rank(pictures, TWO[:1], size=40, pretrained=False, group="red|green|blue")


def parted(pictures: Path, folder: Path, *names: str) -> Path:
    """The pictures in three folders: the first eight of each class, the next two, the last two."""
    for name, numbers in zip(names, (range(8), range(8, 10), range(10, 12)), strict=True):
        for label in ("red", "green", "blue"):
            (folder / name / label).mkdir(parents=True)
            for n in numbers:
                shutil.copy(pictures / label / f"{n}.png", folder / name / label)
    return folder


def test_a_validation_split_of_the_source_s_own_is_held_against_its_training_images(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looked_at: list[set[str]] = []
    whole = ranking.features

    def watched(network: nn.Module, data: ImageData, name: str, device: torch.device) -> Any:
        looked_at.append({data.images.names[i].split("/")[0] for i in data.indices[name]})
        return whole(network, data, name, device)

    monkeypatch.setattr(ranking, "features", watched)
    monkeypatch.chdir(tmp_path)
    found = rank(parted(pictures, tmp_path / "own", "train", "val", "test"), TWO[:1], size=40, pretrained=False)
    assert looked_at == [{"train"}, {"val"}]
    assert found.validation is None
    named = parted(pictures, tmp_path / "named", "one", "two", "three")
    stated = ("--layout", "one=train,two=validation,three=test")
    done = assay(capsys, "rank", named, "--models", TWO[1], "--size", "40", "--no-pretrained", *stated)
    assert done.status == 0, done.err
    assert looked_at[2:] == [{"one"}, {"two"}]
    data = load_study(Path("ranks") / "named" / "next.yaml").plan["freeze=backbone"].recipe.data
    assert data.layout == (("one", "train"), ("three", "test"), ("two", "validation"))
    assert data.validation is None
    failed = assay(capsys, "rank", named, "--models", TWO[1], "--layout", "one=learn")
    assert failed.status == 2
    assert (
        "--layout: layout: found {'one': 'learn'}, expected classes, splits, masks, or folders with the split"
        in failed.err
    )


# ------------------------------------------------------------------------------------ weights that are here


def test_the_weights_in_the_caches_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.models.timm_classifiers.packaged_file", lambda name: None)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("assay.models.timm_classifiers.try_to_load_from_cache", lambda *_: None)
    assert installed() == []
    (tmp_path / "checkpoints").mkdir()
    for url in (get_model_weights("alexnet").DEFAULT.url, get_pretrained_cfg("resnet18").url):
        (tmp_path / "checkpoints" / url.rpartition("/")[2]).touch()
    assert installed() == ["timm/resnet18", "torchvision/alexnet"]
    (tmp_path / "checkpoints" / get_pretrained_cfg("resnet18.tv_in1k").url.rpartition("/")[2]).touch()
    assert "timm/resnet18.tv_in1k" in installed()


def test_the_weights_of_a_package_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = {"tf_efficientnet_lite1": Path("lite1.pth")}
    monkeypatch.setattr("assay.models.timm_classifiers.packaged_file", packaged.get)
    assert "timm/tf_efficientnet_lite1" in installed()


def test_without_models_those_are_ranked_whose_weights_are_here(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shipped(model: Model, shape: tuple[int, int, int]) -> object:
        torch.manual_seed(0)
        return build(Model(name=model.name), shape, 1000).state_dict(), "here"

    monkeypatch.setattr("assay.tools.ranking.command.installed", lambda: TWO)
    monkeypatch.setattr("assay.models.catalogue.shipped", shipped)
    done = assay(capsys, "rank", pictures, "--size", "40", "--out", tmp_path)
    assert done.status == 0, done.err
    assert set(pl.read_csv(tmp_path / "tables" / "ranking.csv")["model"]) == set(TWO)
    monkeypatch.setattr("assay.tools.ranking.command.installed", list)
    done = assay(capsys, "rank", pictures, "--size", "40", "--out", tmp_path)
    assert done.status == 2
    assert "rank: no pretrained weights are installed or cached; install the extra 'weights'" in done.err
    done = assay(capsys, "rank", pictures, "--no-pretrained")
    assert "rank --no-pretrained: --models is missing" in done.err


def test_the_next_study_has_those_that_lead() -> None:
    found = table(cross_si=[0.9, 0.88, 0.5], cross_csi=[0.9, 0.88, 0.5], logme=[0.3, 0.2, 0.1])
    assert leading(Ranking(found, "")) == ["a", "b"]
    clear = table(cross_si=[0.9, 0.6, 0.5], cross_csi=[0.9, 0.6, 0.5], logme=[0.3, 0.2, 0.1])
    assert leading(Ranking(clear, "")) == ["a", "b"]
    assert leading(Ranking(clear.head(1), "")) == ["a"]
