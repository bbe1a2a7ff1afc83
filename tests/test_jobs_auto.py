"""``--jobs auto``: what it takes on processors and cards, and that it says so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from assay.recipe import Recipe
from assay.recipe.study import load_study
from assay.runs import at_once
from assay.runs.at_once import AtOnce
from assay.runs.jobs import Job
from assay.start.forecast import forecast
from command import assay, write_study

GB = 10**9


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """A machine with so many cores, cards and free bytes, where a run needs 2 GB."""

    def has(cores: int, cards: int = 0, free: int = 1000 * GB) -> None:
        monkeypatch.setattr(at_once, "available_cores", lambda: cores)
        monkeypatch.setattr(at_once, "available_memory", lambda: free)
        monkeypatch.setattr(at_once, "memory_of", lambda recipe, root: 2 * GB)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cards > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)

    return has


def taken(tmp_path: Path, seeds: int, jobs: at_once.Jobs = "auto", device: str = "auto") -> AtOnce:
    study = load_study(write_study(tmp_path / "s.yaml", seeds=seeds), [f"train.device={device}"])
    planned = [
        Job(name, seed, variant.with_seed(seed), tmp_path / name / str(seed))
        for seed in study.seed_list
        for name, variant in study.plan.items()
    ]
    return at_once.at_once(jobs, planned, tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("cores", "seeds", "free", "expected", "why"),
    [
        (4, 5, 100 * GB, (4, 1), "4 processes with 1 thread each: 4 cores"),
        (1, 5, 100 * GB, (1, 1), "1 process with 1 thread: 1 core"),
        (16, 3, 100 * GB, (6, 2), "6 processes with 2 threads each: so many runs are left"),
        (8, 5, 7 * GB, (3, 2), "no more fit into the 7 GB of free memory, at about 2 GB each"),
        (8, 5, GB, (1, 8), "1 process with 8 threads: no more fit"),
    ],
)
def test_on_the_processor_a_core_a_run_as_memory_allows(machine, tmp_path, cores, seeds, free, expected, why) -> None:
    machine(cores, free=free)
    found = taken(tmp_path, seeds)
    assert (found.jobs, found.threads) == expected
    assert found.why.startswith("--jobs auto: ")
    assert why in found.why


def test_threads_that_a_study_was_begun_with_leave_room_for_so_many_processes(machine, tmp_path) -> None:
    machine(8)
    at_once.keep_threads(tmp_path, AtOnce(1, 4))
    found = taken(tmp_path, 5)
    assert (found.jobs, found.threads) == (2, 4)
    assert "the threads that the study was begun with" in found.why


@pytest.mark.parametrize(
    ("cards", "device", "jobs"), [(1, "auto", 1), (4, "cuda", 4), (4, "cuda:2", 1), (8, "auto", 6), (4, "cpu", 6)]
)
def test_one_run_a_card(machine, tmp_path, cards: int, device: str, jobs: int) -> None:
    machine(16, cards=cards)
    found = taken(tmp_path, 3, device=device)
    assert found.jobs == jobs
    assert ("one a card" in found.why) == (jobs == min(cards, jobs) and jobs < 6)


def test_a_number_is_taken_as_it_is(machine, tmp_path) -> None:
    machine(8, cards=1)
    assert taken(tmp_path, 1, jobs=4) == AtOnce(4, 2)


def test_a_process_needs_its_weights_and_the_activations_of_a_batch(tmp_path) -> None:
    study = load_study(write_study(tmp_path / "s.yaml"), ["train.batch_size=16"])
    recipe = next(iter(study.plan.values())).with_seed(0)
    weights, activations = 4 * (64 * 8 + 8 + 8 * 10 + 10), 4 * (8 + 8 + 10)
    assert at_once.memory_of(recipe, tmp_path) == 2**29 + 4 * weights + 3 * 16 * activations


def test_a_study_says_what_it_took_and_keeps_it(machine, tmp_path, capfd) -> None:
    machine(2, free=GB)
    study = write_study(tmp_path / "tiny.yaml")
    ended = assay(capfd, "run", study, "--out", tmp_path, "--jobs", "auto")
    assert ended.status == 0, ended.err
    said = [line for line in ended.err.splitlines() if "auto" in line]
    assert said == [
        "--jobs auto: 1 process with 2 threads: no more fit into the 1 GB of free memory, at about 2 GB each"
    ]
    kept = json.loads((tmp_path / "tiny" / "machine.json").read_text())
    assert (kept["jobs"], kept["threads"]) == (1, 2)
    again = assay(capfd, "run", study, "--out", tmp_path, "--jobs", "auto")
    assert "auto" not in again.err, "nothing is left to share"


def test_a_forecast_takes_what_the_study_would(machine, tmp_path, capfd) -> None:
    machine(2, free=GB)
    study = write_study(tmp_path / "tiny.yaml")
    ended = assay(capfd, "run", study, "--out", tmp_path, "--jobs", "auto", "--dry-run")
    assert "--jobs auto: 1 process with 2 threads: no more fit" in ended.out
    said = json.loads(assay(capfd, "run", study, "--out", tmp_path, "--jobs", "auto", "--dry-run", "--json").out)
    assert (said["jobs"], said["why"].partition(":")[0]) == (1, "--jobs auto")


def test_runs_that_share_a_card_are_no_sooner_done(machine, tmp_path, monkeypatch) -> None:
    from assay.start import trial

    monkeypatch.setattr("assay.start.forecast.try_recipe", lambda *_: trial.Trial(10.0, 2.0, 1000))
    study = load_study(write_study(tmp_path / "s.yaml", seeds=2))
    machine(8)
    assert forecast(study, tmp_path, jobs=4, quiet=True).seconds == 12
    machine(8, cards=2)
    assert forecast(study, tmp_path, jobs=4, quiet=True).seconds == 24


ASKED = """
import sys
import assay
from assay.recipe.study import load_study
from assay.start.forecast import forecast
study = load_study(sys.argv[1])
for jobs in (0, -1, "two", 1.5):
    for function in (assay.run, forecast):
        try:
            function(study, jobs=jobs)
        except assay.AssayError as error:
            print(error)
"""


def test_other_numbers_of_jobs_are_refused(tmp_path) -> None:
    """In a user's process, where types are not checked."""
    study = write_study(tmp_path / "s.yaml")
    found = subprocess.run([sys.executable, "-c", ASKED, study], capture_output=True, text=True, check=True)
    expected = [f"jobs: found {jobs!r}, expected at least 1, or 'auto'" for jobs in (0, -1, "two", 1.5)]
    assert found.stdout.splitlines() == [sentence for sentence in expected for _ in range(2)]


def test_the_memory_of_a_network_for_maps_is_found_too(tmp_path: Path) -> None:
    values = {"task": "segmentation", "data": {"source": "scenes"}, "model": {"name": "deeplab", "width": 8}}
    few, many = (Recipe.model_validate(values | {"train": {"batch_size": size}}) for size in (8, 16))
    assert 0 < at_once.memory_of(few, tmp_path) < at_once.memory_of(many, tmp_path)
