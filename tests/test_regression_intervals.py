"""Intervals of runs of regression by injected dropout: worked out anew from the passes, and where no pass differs."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.distributions import Normal

import assay
from assay.data import load
from assay.data.batches import Split
from assay.data.sources.discs import arranged, drawn
from assay.errors import AssayError
from assay.recipe import Model
from assay.recipe.study import Study
from assay.report.sections import intervals
from assay.report.subject import Subject
from assay.results import Results
from assay.runs.engine import run as run_study
from assay.seeds import numpy_generator
from assay.tools.predict import load_run
from assay.tools.predict_interval import IntervalPredictions
from assay.tools.predict_uncertain import predict_uncertain
from assay.uncertainty.replay import replaying
from driving import rehash

PASSES = 8
TARGETS = ("count", "mean diameter")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two seeds of a network, and of one whose hidden units are 0 for every image and stay so."""
    place = tmp_path_factory.mktemp("still")
    network = assay.models.build(Model(name="mlp", hidden=[16]), (1, 32, 32), 2)
    dead = network.state_dict()
    hidden = next(name for name, module in network.named_modules() if isinstance(module, nn.Linear))
    dead[f"{hidden}.weight"] = torch.zeros_like(dead[f"{hidden}.weight"])
    dead[f"{hidden}.bias"] = -torch.ones_like(dead[f"{hidden}.bias"])
    save_file(dead, place / "dead.safetensors")
    base = {
        "task": "regression",
        "data": {"source": "discs", "train": 200, "validation": 0.4, "test": 100},
        "model": {"name": "mlp", "hidden": [16]},
        "train": {"epochs": 3, "batch_size": 32},
        "evaluate": ["regression", {"name": "uncertainty", "passes": PASSES}],
    }
    variants = {"alive": {}, "dead": {"model.pretrained": str(place / "dead.safetensors")}}
    study = {"title": "Discs", "name": "discs", "base": base, "variants": variants, "seeds": 2}
    return run_study(Study.model_validate(study), place / "runs", quiet=True)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "0.png"
    pixels = drawn(arranged(numpy_generator(0, "discs", 0)), numpy_generator(0, "discs drawn", 0))
    Image.fromarray(pixels).save(path)
    return path


def in_own_units(folder: Path, split: str, metrics: dict[str, Any]) -> tuple[Normal, NDArray[np.float64]]:
    """The injected distributions of a run's images from the passes themselves, and the truth."""
    recipe, about, network = load_run(folder)
    scale, floor = (np.array([metrics[f"variance_{part}_{name}"] for name in TARGETS]) for part in ("scale", "floor"))
    unit, zero = np.array(about["target_deviation"]), np.array(about["target_mean"])
    means, variances, truth = [], [], []
    with replaying(network) as replay:
        for number, (images, values) in enumerate(Split(load(recipe.data, 0, Path()), split, torch.device("cpu"))):
            replay.first(images)
            passes = unit * replay.draw(metrics["dropout_rate"], PASSES, 0, number).double().numpy() + zero
            means.append(passes.mean(axis=0))
            variances.append(scale * (passes.var(axis=0, ddof=1) + floor * unit**2))
            truth.append(values.double().numpy())
    mean, variance = (torch.from_numpy(np.concatenate(parts)) for parts in (means, variances))
    return Normal(mean, variance.sqrt()), np.concatenate(truth)


def test_injected_metrics_are_those_of_the_passes(results: Results) -> None:
    run = results.run("alive", 0)
    metrics = results.metrics(run)
    normal, truth = in_own_units(run.folder, "test", metrics)
    assert metrics["gaussian_nll_injected"] == pytest.approx(-normal.log_prob(torch.tensor(truth)).mean().item())
    table = results.stacked("intervals").filter(
        pl.col("variant") == "alive", pl.col("seed") == 0, pl.col("method") == "injected"
    )
    for level in (0.5, 0.8, 0.9, 0.95):
        low, high = (normal.icdf(torch.tensor(p)).numpy() for p in ((1 - level) / 2, (1 + level) / 2))
        held = ((low <= truth) & (truth <= high)).mean(axis=0)
        assert metrics[f"coverage_{100 * level:.0f}_injected"] == pytest.approx(held.mean())
        of_level = table.filter(pl.col("level") == level)
        assert of_level["target"].to_list() == list(TARGETS)
        assert of_level["coverage"].to_list() == pytest.approx(held.tolist())
        assert of_level["width"].to_list() == pytest.approx((high - low).mean(axis=0).tolist(), rel=1e-5)
        if level == 0.9:
            widths = [metrics[f"width_90_injected_{name}"] for name in TARGETS]
            assert widths == pytest.approx((high - low).mean(axis=0).tolist(), rel=1e-5)


def test_the_calibration_is_that_of_the_validation_images_in_own_units(results: Results) -> None:
    run = results.run("alive", 0)
    metrics = results.metrics(run)
    normal, truth = in_own_units(run.folder, "validation", metrics)
    nll = -normal.log_prob(torch.tensor(truth)).mean().item()
    assert metrics["validation_gaussian_nll_injected"] == pytest.approx(nll, rel=1e-5)
    squared = ((torch.tensor(truth) - normal.mean) / normal.stddev) ** 2
    assert squared.mean(dim=0).tolist() == pytest.approx([1, 1], rel=1e-4)  # what the best scales do
    assert metrics["gaussian_nll_injected"] < metrics["gaussian_nll_plain"] + 0.2
    assert metrics["coverage_90_injected"] == pytest.approx(0.9, abs=0.1)
    for name in TARGETS:
        assert 0.7 < metrics[f"width_90_injected_{name}"] / metrics[f"width_90_plain_{name}"] < 1.4


def test_a_collapsed_network_finishes_with_its_plain_numbers(results: Results, picture: Path) -> None:
    assert [run.state for run in results.runs] == ["finished"] * 4
    run = results.run("dead", 0)
    metrics = results.metrics(run)
    said = results.predictions(run)["said"].struct.field("count")
    assert said.n_unique() == 1
    assert metrics["coverage_90_plain"] > 0.7
    assert not [name for name in metrics if "injected" in name or name.startswith(("dropout", "variance"))]
    with pytest.raises(AssayError, match="with dropout here outputs do not vary"):
        predict_uncertain(run.folder, [picture])
    assert assay.predict(run.folder, [picture])[0].cells["90 % interval of count"]


def test_the_page_says_what_is_left_out(results: Results) -> None:
    subject = Subject(results)
    sentences = intervals.sentences(subject)
    assert sentences[-1] == (
        "Of dead injected numbers are left out in 2 of 2 seeds: with dropout there an output does not vary, for any "
        "validation image."
    )
    assert sentences[0].startswith("Injected dropout, tuned on validation images, ")
    rows = [[cell.text for cell in line] for line in intervals.score_table(subject).rows]
    assert [row[:2] for row in rows if row[2] == "–"] == [["dead", "dropout injected"]]
    assay.report(results)


def test_a_page_without_any_injected_number(results: Results) -> None:
    dead = [run for run in results.runs if run.variant == "dead"]
    study = results.study.model_copy(update={"variants": {"dead": results.study.variants["dead"]}, "seeds": 1})
    subject = Subject(Results(results.folder, study, tuple(dead[:1])))
    first, second = intervals.sentences(subject)
    assert first.startswith("Intervals of 90 % hold of the true values: plain ones ")
    assert "injected" not in first
    assert second.startswith("Of dead injected numbers are left out: ")
    assert len(intervals.score_table(subject).rows) == 1


def test_a_run_from_before_there_was_a_floor_is_calibrated_anew(
    results: Results, picture: Path, tmp_path: Path
) -> None:
    folder = results.run("alive", 0).folder
    old = shutil.copytree(folder, tmp_path / "seed-0")
    metrics = json.loads((folder / "metrics.json").read_text())
    kept = {name: value for name, value in metrics.items() if not name.startswith("variance_floor")}
    (old / "metrics.json").write_text(json.dumps(kept))
    rehash(old)
    before, now = predict_uncertain(old, [picture]), predict_uncertain(folder, [picture])
    assert isinstance(before, IntervalPredictions)
    assert isinstance(now, IntervalPredictions)
    assert before.each[0].intervals["count"] == pytest.approx(now.each[0].intervals["count"], rel=1e-4)
    assert now.calibration.floor == pytest.approx([metrics[f"variance_floor_{name}"] for name in TARGETS])
