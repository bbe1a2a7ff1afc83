"""Studies of segmentation from the file to the verdict, on drawn scenes, also where they are killed."""

import signal
from pathlib import Path

import numpy as np
import pytest

from assay.data.groups import group_numbers
from assay.results import Results
from assay.results.metrics import superlative, value_text
from assay.results.statistics import answers
from assay.tasks.predicting import scores
from assay.tasks.segmentation import task
from driving import Driver, differences, leftovers, write_study

PHASES = ("before", "half", "flushed", "renamed")
BASE = {
    "task": "segmentation",
    "data": {"source": "scenes", "size": [32, 32], "train": 24, "validation": 0.25, "test": 12},
    "model": {"name": "deeplab", "width": 4, "aspp": "none"},
    "train": {"epochs": 2, "batch_size": 8, "optimizer": {"name": "adamw", "lr": 0.02}},
    "evaluate": ["segmentation", "cost", "uncertainty"],
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    losses = [{"name": "cross_entropy", "class_weights": "inverse"}, ["dice", "lovasz"]]
    place = tmp_path_factory.mktemp("study") / "maps.yaml"
    return write_study(place, base=BASE, vary={"train.loss": losses}, seeds=1)


@pytest.fixture(scope="module")
def undisturbed(driver: Driver, study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return driver.finish(study, tmp_path_factory.mktemp("undisturbed"))


WRITES = [
    ("checkpoint.safetensors", 1),
    ("history.parquet", 2),
    ("predictions.parquet", 1),
    ("pictures.parquet", 1),
    ("classes.parquet", 1),
    ("reliability.parquet", 1),
    ("risk_coverage.parquet", 1),
    ("model.safetensors", 1),
    ("metrics.json", 1),
    ("status.json", 2),
]


def test_killed_while_it_learns_and_while_it_is_measured_it_ends_as_if_nothing_had_happened(
    driver: Driver, study: Path, undisturbed: Path, tmp_path: Path
) -> None:
    for name, phase in (("checkpoint.safetensors", "renamed"), ("classes.parquet", "half")):
        assert driver.run(study, tmp_path, kill={"name": name, "phase": phase, "nth": 1}) == -signal.SIGKILL
    folder = driver.finish(study, tmp_path)
    assert differences(undisturbed, folder) == []
    assert leftovers(folder) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "nth"), WRITES)
def test_killed_at_a_write_in_every_phase(
    driver: Driver, study: Path, undisturbed: Path, tmp_path: Path, name: str, nth: int
) -> None:
    for phase in PHASES:
        assert driver.run(study, tmp_path, kill={"name": name, "phase": phase, "nth": nth}) == -signal.SIGKILL
        nth = 1
    assert differences(undisturbed, driver.finish(study, tmp_path)) == []


def test_one_pair_is_compared_over_pictures_and_over_films(undisturbed: Path) -> None:
    results = Results.read(undisturbed)
    tables = [results.predictions(run).filter(split="test") for run in results.finished]

    def evidence(table):
        return task.read(table).evidence("miou")

    one, other = (answers.Answers(table, task.TRUTH, evidence) for table in tables)
    apart = answers.tested(one, other)
    assert apart is not None
    assert apart.method == "bootstrap over test images, swaps"
    metrics = [results.metrics(run)["miou"] for run in results.finished]
    assert apart.difference == pytest.approx(metrics[0] - metrics[1])

    def film(names):
        return group_numbers(r"test/\d{4}", names)

    together = answers.tested(*(answers.Answers(table, task.TRUTH, evidence, film) for table in tables))
    assert together is not None
    assert together.method == "bootstrap over originals, swaps"
    assert (together.low, together.high) != (apart.low, apart.high)


def test_the_verdict_speaks_of_points_of_miou(undisturbed: Path) -> None:
    assert "points" in Results.read(undisturbed).verdict("miou")
    assert value_text("miou", 0.35, 0.345, 0.355) == "35.0 ± 0.5 %"
    assert superlative("miou", "a") == "a has the highest mIoU"


def test_the_stored_matrices_give_every_number_again(undisturbed: Path) -> None:
    results = Results.read(undisturbed)
    for run in results.finished:
        found = task.read(results.predictions(run).filter(split="test"))
        again, kept = scores(found, found.metrics), results.metrics(run)
        existing = {name: value for name, value in again.items() if not np.isnan(value)}
        assert {name: kept[name] for name in existing} == pytest.approx(existing)
        assert {"miou", "boundary_iou", "border_miou", "iou_disc", "temperature"} <= kept.keys()
