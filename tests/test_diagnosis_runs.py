"""Diagnoses of real runs: planted faults on digits, runs that ended badly, the command, the page."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from assay.models.catalogue import build
from assay.recipe import Recipe
from assay.report.page import write_report
from assay.results import Results
from assay.seeds import scoped
from assay.system.machine import reproducible
from assay.train.checkpoint import State
from assay.train.loop import fit
from assay.train.recording import COLUMNS
from command import assay, write_study
from driving import run_here
from trained import CPU, image_data

DEEP = {"name": "mlp", "hidden": [16] * 9, "activation": "sigmoid"}
VARIANTS: dict[str, dict[str, Any]] = {
    "healthy": {"train.epochs": 25, "train.optimizer.lr": 0.2},
    "exploded": {"train.optimizer.lr": 100.0},
    "not finite": {"train.optimizer.lr": 1e30},
    "rate too low": {"train.optimizer.lr": 1e-5},
    "unfinished": {"train.epochs": 3},
    "inputs unscaled": {"data.normalize": {"mean": [0.0], "std": [0.004]}},
    "gradient fades": {"model": DEEP},
    "not learning": {"train.optimizer.weight_decay": 9.0},
}
"""Name → what differs from a healthy training of four epochs."""
BASE = {
    "data": {"source": "digits", "validation": 0.2},
    "model": {"name": "mlp", "hidden": [32]},
    "train": {"epochs": 4, "batch_size": 64, "optimizer": {"name": "sgd", "lr": 0.1}},
    "evaluate": ["classification", "diagnosis"],
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A study whose variants have the faults that they are called by."""
    folder = tmp_path_factory.mktemp("planted")
    values = {"title": "Planted", "name": "planted", "base": BASE, "vary": None, "variants": VARIANTS, "seeds": 1}
    return run_here(write_study(folder / "planted.yaml", **values), folder / "runs")


def faults(results: Results, variant: str) -> list[str]:
    found = pl.read_parquet(results.run(variant, 0).folder / "diagnosis.parquet")
    return found.filter(kind="fault")["finding"].to_list()


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name not in ("healthy", "not finite")])
def test_a_planted_fault_is_called_by_its_name(planted: Results, variant: str) -> None:
    assert variant in faults(planted, variant)


def test_of_a_healthy_run_nothing_is_wrong(planted: Results) -> None:
    assert faults(planted, "healthy") == []


def test_steps_are_recorded_and_change_no_weight() -> None:
    data = image_data(shape=(1, 6, 6), train=40)

    def weights(measures: list[str], **train: Any) -> tuple[State, dict[str, torch.Tensor]]:
        own = {"epochs": 3, "batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}} | train
        tree = {"data": {"source": "noise"}, "model": {"name": "mlp"}, "train": own, "evaluate": measures}
        recipe = Recipe.model_validate(tree)
        with reproducible(1), scoped(0, "initialisation"):
            network = build(recipe.model, data.shape, 3)
            state = fit(network, data, recipe, CPU, State(), lambda state: None)
        return state, network.state_dict()

    for train in ({}, {"clip": 0.1}, {"accumulate": 2}, {"l1": 0.01}, {"precision": "bfloat16"}):
        plain, own = weights(["cost"], **train)
        told, recorded = weights(["cost", "diagnosis"], **train)
        assert all(torch.equal(own[name], recorded[name]) for name in own)
        rows = [{k: v for k, v in row.items() if k not in (*COLUMNS, "seconds")} for row in told.history]
        assert rows == [{k: v for k, v in row.items() if k != "seconds"} for row in plain.history]
        assert all(row[name] > 0 for row in told.history for name in COLUMNS)


def test_a_step_of_plain_descent_is_rate_times_gradient() -> None:
    """One batch an epoch: the step is lr·‖g‖/‖w‖, and a batch alone has no neighbour to differ from."""
    data = image_data(shape=(1, 6, 6), train=12)
    recipe = Recipe.model_validate(
        {
            "data": {"source": "noise"},
            "model": {"name": "mlp", "hidden": []},
            "train": {"epochs": 1, "batch_size": 12, "optimizer": {"name": "sgd", "lr": 0.5}},
            "evaluate": ["diagnosis"],
        }
    )
    network = build(recipe.model, data.shape, 3)
    before = network.output.weight.detach().clone()
    row = fit(network, data, recipe, CPU, State(), lambda state: None).history[0]
    moved = network.output.weight.detach() - before
    assert row["step_size"] == pytest.approx(float(moved.norm() / before.norm()), rel=1e-5)
    assert row["first_gradient"] == pytest.approx(float(moved.norm() / 0.5 / moved.numel() ** 0.5), rel=1e-5)
    assert row["loss_noise"] is None


def test_the_command_tells_a_run(planted: Results, capfd: pytest.CaptureFixture[str]) -> None:
    told = assay(capfd, "diagnose", planted.run("rate too low", 0).folder)
    assert told.out.startswith("rate too low: a step moves the weights by ")
    assert "False alarms: 0 of 60 healthy runs on cifar10, which chose no threshold (at most 4.9%" in told.out
    assert "train.optimizer.lr: [1.0e-05, 0.0001, 0.001, 0.01]" in told.out
    found = json.loads(assay(capfd, "diagnose", planted.run("rate too low", 0).folder, "--json").out)
    assert found["findings"][0]["numbers"]["step"] < 1e-4
    assert (found["findings"][0]["flagged"], found["findings"][0]["healthy"]) == (0, 60)


def test_a_run_that_ended_in_a_number_that_was_not_finite_has_exploded(
    planted: Results, capfd: pytest.CaptureFixture[str]
) -> None:
    told = assay(capfd, "diagnose", planted.run("not finite", 0).folder)
    assert told.status == 0
    assert told.out.startswith("exploded: the loss was not finite in epoch 1.")


def test_a_study_has_a_line_a_variant(planted: Results, capfd: pytest.CaptureFixture[str]) -> None:
    lines = assay(capfd, "diagnose", planted.folder).out.splitlines()
    assert len(lines) == len(VARIANTS)
    assert "healthy: no rule speaks of a fault" in lines[0]
    of_variant = assay(capfd, "diagnose", planted.run("unfinished", 0).folder.parent).out
    assert of_variant.startswith("unfinished: unfinished")


def test_a_run_without_recorded_steps_has_the_rules_on_epochs(
    planted: Results, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "old"
    shutil.copytree(planted.run("rate too low", 0).folder, old)
    (old / "diagnosis.parquet").unlink()
    history = pl.read_parquet(old / "history.parquet").drop(COLUMNS)
    history.write_parquet(old / "history.parquet")
    told = assay(capfd, "diagnose", old).out
    assert told.startswith("not learning: ")
    assert "steps, units and inputs were not recorded" in told
    (old / "history.parquet").unlink()
    assert "history.parquet is missing" in assay(capfd, "diagnose", old).err


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"state": "running", "epoch": 2, "epochs": 9}, r"has not finished \(2 of 9 epochs\); a diagnosis needs"),
        ({"state": "failed", "reason": "out of memory"}, r"has not finished \(it failed: out of memory\)"),
        (None, r"holds neither a run \(a status.json\) nor a study \(a study.yaml\)"),
    ],
)
def test_what_has_no_course_is_a_sentence(
    status: dict[str, Any] | None, told: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if status:
        (tmp_path / "status.json").write_text(json.dumps(status))
    found = assay(capfd, "diagnose", tmp_path)
    assert found.status == 2
    assert re.search(told, found.err)


def test_the_page_has_a_line_a_variant_and_the_rest_folded(planted: Results) -> None:
    page = write_report(planted).read_text(encoding="utf-8")
    section = re.search(r'<section id="diagnosis">(.*?)</section>', page, flags=re.S)
    assert section
    summaries = re.findall(r"<summary>(.*?)</summary>", section[1], flags=re.S)
    lines = [" ".join(re.sub(r"<.*?>", "", text).split()) for text in summaries]
    assert any(line.startswith("not finite: exploded") for line in lines)
    assert any(line.startswith("healthy: no rule speaks of a fault") for line in lines)
    assert section[1].count("The study to run next") >= 5
