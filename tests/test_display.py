"""What the terminal shows while a study trains: how good the networks are by now, and when all will be done."""

import json
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import assay
from assay.runs import pace
from assay.runs.display import Display, TimeLeft
from assay.runs.folder import Folder, Settings
from assay.runs.jobs import Job
from assay.runs.run import execute
from command import write_study


def planned(tmp_path: Path, epochs: int = 10) -> list[Job]:
    study = assay.load_study(write_study(tmp_path / "tiny.yaml", seeds=2), [f"train.epochs={epochs}"])
    return [
        Job(name, seed, variant.with_seed(seed), tmp_path / variant.folder / str(seed))
        for name, variant in study.plan.items()
        for seed in study.seed_list
    ]


def tell(job: Job, state: str, epoch: int, **far: Any) -> None:
    job.folder.mkdir(parents=True, exist_ok=True)
    status = {"state": state, "epoch": epoch, **far}
    (job.folder / "status.json").write_text(json.dumps(status))


@pytest.mark.parametrize(
    ("left", "timed", "at_once", "seconds"),
    [
        ({}, {}, 1, 0),
        ({"a": 0}, {"a": [2.0]}, 1, 0),
        ({"a": 3}, {}, 1, None),
        ({"a": 3}, {"a": [1.0, 3.0]}, 1, 6),
        ({"a": 3, "b": 2}, {"a": [2.0], "b": []}, 1, 10),
        ({"a": 3, "b": 2}, {"a": [1.0], "b": [5.0]}, 1, 13),
        ({"a": 3, "b": 2}, {"a": [1.0], "b": [5.0]}, 2, 6.5),
        ({"c": 4}, {"a": [1.0], "b": [5.0]}, 0, 12),
    ],
)
def test_epochs_left_times_what_they_lasted_so_far(left: Any, timed: Any, at_once: int, seconds: float | None) -> None:
    assert pace.seconds_left(left, timed, at_once) == seconds


def test_the_watched_value_and_the_end_are_shown_from_the_first_epoch_on(tmp_path: Path) -> None:
    jobs, display = planned(tmp_path), Display()
    display.watch(jobs)
    (bar,) = display.progress.tasks
    assert (bar.description, bar.completed, bar.total, bar.fields["ends"]) == ("training", 0, 40, None)

    tell(jobs[0], "running", 1, validation={"accuracy": 0.91239}, epoch_seconds=2.0)
    display.refresh()
    assert bar.description == "activation=relu: validation accuracy 0.9124"
    assert (bar.completed, bar.total) == (1, 40)
    assert bar.fields["ends"] - time.monotonic() == pytest.approx(39 * 2, abs=5)


def test_the_end_is_counted_down_while_no_epoch_ends(tmp_path: Path) -> None:
    jobs, display = planned(tmp_path), Display()
    display.watch(jobs)
    tell(jobs[0], "running", 1, epoch_seconds=2.0)
    display.refresh()
    (bar,) = display.progress.tasks
    ends = bar.fields["ends"]
    display.refresh()
    assert bar.fields["ends"] == ends


def test_a_run_that_ends_early_is_whole_and_two_at_once_take_half_the_time(tmp_path: Path) -> None:
    jobs, display = planned(tmp_path), Display()
    tell(jobs[0], "finished", 10)
    display.watch(jobs, at_once=2)
    (bar,) = display.progress.tasks
    tell(jobs[1], "running", 3, validation={"loss": 0.5}, epoch_seconds=2.0)
    tell(jobs[2], "running", 2, epoch_seconds=4.0)
    display.refresh()
    assert bar.description == "activation=relu: validation loss 0.5000; activation=tanh"
    assert (bar.completed, bar.total) == (5, 30)
    assert bar.fields["ends"] - time.monotonic() == pytest.approx((7 * 2 + 18 * 4) / 2, abs=5)

    tell(jobs[1], "failed", 3, reason="why")
    display.refresh()
    assert (bar.completed, bar.total) == (5, 23)
    assert bar.fields["ends"] - time.monotonic() == pytest.approx(18 * 4 / 2, abs=5)


def test_the_column_says_how_long_it_takes(tmp_path: Path) -> None:
    display = Display()
    display.watch(planned(tmp_path))
    (bar,) = display.progress.tasks
    assert TimeLeft()(bar).plain == "left -:--:--"
    display.progress.update(bar.id, ends=time.monotonic() + 3723.2)
    assert TimeLeft()(bar).plain in ("left 1:02:03", "left 1:02:02")
    display.progress.update(bar.id, ends=time.monotonic() - 3)
    assert TimeLeft()(bar).plain == "left 0:00:00"


def test_a_run_tells_its_watched_value_after_every_epoch(tmp_path: Path) -> None:
    (job, *_) = planned(tmp_path, epochs=2)
    told = []

    def read() -> None:
        told.append(json.loads((job.folder / "status.json").read_text()))

    execute(job.recipe, Folder(job.folder), Settings(root=tmp_path, threads=1), read)
    history = pl.read_parquet(job.folder / "history.parquet")
    assert [status["validation"]["accuracy"] for status in told] == history["validation_accuracy"].to_list()
    assert [status["epoch"] for status in told] == [1, 2]
    assert all(status["epoch_seconds"] > 0 for status in told)
    assert told[0]["epoch_seconds"] >= history["seconds"][0]
