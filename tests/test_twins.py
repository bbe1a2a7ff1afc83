"""Runs that differ in ``predict`` alone are trained once, and end as if each had been trained."""

import signal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assay.results import Results
from assay.runs.jobs import Job, leading
from assay.tools.verify import verify
from driving import PROMISED, Driver, differences, run_here, write_study
from synthetic import make_study

FLIPS: dict[str, Any] = {"vary": {"predict.flip": [False, True]}}
FROZEN: dict[str, Any] = {
    "task": "segmentation",
    "data": {"source": "scenes", "size": [32, 32], "train": 16, "validation": 4, "test": 4},
    "model": {"name": "deeplab", "width": 4, "aspp": "none", "freeze": "backbone"},
    "train": {"epochs": 2, "batch_size": 8},
}


def log(results: Results, variant: str) -> str:
    return (results.run(variant, 0).folder / "log.txt").read_text()


def same_files(one: Path, other: Path) -> bool:
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in PROMISED)


@pytest.mark.parametrize(
    ("base", "flips"),
    [({}, [False, True]), ({"base": FROZEN}, [True, False])],
    ids=["a network that learns", "a head on kept features"],
)
def test_the_second_is_not_trained_and_ends_as_if_it_had_been(tmp_path: Path, base: Any, flips: list[bool]) -> None:
    values = base | {"vary": {"predict.flip": flips}}
    results = run_here(write_study(tmp_path / "both.yaml", **values), tmp_path)
    first, second = results.study.plan
    assert "not trained again" not in log(results, first)
    assert f"not trained again: the weights are those of {results.run(first, 0).folder}" in log(results, second)
    assert "epoch 1" not in log(results, second)
    runs = [results.run(name, 0) for name in (first, second)]
    assert not results.predictions(runs[0]).equals(results.predictions(runs[1]))
    shown = [results.history(run) for run in runs]
    assert shown[0].equals(shown[1])
    alone = run_here(write_study(tmp_path / "alone.yaml", **base, vary={"predict.flip": flips[1:]}), tmp_path)
    assert same_files(runs[1].folder, alone.finished[0].folder)
    assert all(not one.wrong for one in verify(results.folder))


def test_another_seed_or_a_damaged_twin_gives_no_weights(tmp_path: Path) -> None:
    study = write_study(tmp_path / "s.yaml", vary={"predict.flip": [False]})
    first = run_here(study, tmp_path).finished[0].folder
    (first / "history.parquet").write_bytes(b"damaged")
    wide = run_here(write_study(study, seeds=2, **FLIPS), tmp_path)
    logs = [(run.folder / "log.txt").read_text() for run in wide.runs]
    assert ["not trained again" in each for each in logs] == [False, False, False, True]


def test_a_run_waits_until_another_has_trained_the_same(tmp_path: Path) -> None:
    study = make_study(2, 2)
    recipes = [variant.recipe for variant in study.plan.values()]
    flipped = recipes[0].model_copy(update={"predict": recipes[0].predict.model_copy(update={"flip": True})})
    each = [recipes[0], flipped, recipes[1]]
    jobs = [Job(str(i), 0, recipe, tmp_path / str(i)) for i, recipe in enumerate(each)]
    ready = leading(jobs)
    assert ready(jobs) == [jobs[0], jobs[2]]
    jobs[0].folder.mkdir()
    (jobs[0].folder / "status.json").write_text('{"state": "finished"}')
    assert ready(jobs[1:]) == jobs[1:]
    (jobs[0].folder / "status.json").write_text('{"state": "failed"}')
    assert ready(jobs[1:]) == jobs[1:]


def test_killed_while_it_measures_it_takes_the_weights_again(driver: Driver, tmp_path: Path) -> None:
    study = write_study(tmp_path / "s.yaml", **FLIPS)
    undisturbed = driver.finish(study, tmp_path / "undisturbed")
    for name, phase in (("data.json", "renamed"), ("predictions.parquet", "half"), ("model.safetensors", "renamed")):
        kill = {"name": name, "phase": phase, "nth": 2 if name == "data.json" else 1}
        assert driver.run(study, tmp_path, kill=kill) == -signal.SIGKILL
    folder = driver.finish(study, tmp_path)
    assert differences(undisturbed, folder) == []
    assert pl.read_parquet(folder / "flip=true" / "seed-0" / "history.parquet").height == 2
