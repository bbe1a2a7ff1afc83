"""A study that is killed with SIGKILL at any kind of write, and started again, ends as one that never was killed."""

import random
import signal
import time
from pathlib import Path

import psutil
import pytest
import torch

import driving
from assay.train.optimizers import restore_optimizer
from driving import (
    Driver,
    all_end,
    count,
    descendants,
    differences,
    epochs,
    finished,
    kept,
    leftovers,
    log,
    run_folders,
    write_study,
)

KILLED = -signal.SIGKILL
PHASES = ("before", "half", "flushed", "renamed")

EVERYTHING = {
    "base": {
        "data": {
            "source": "digits",
            "train": 300,
            "validation": 0.3,
            "test": 100,
            "augment": [{"rotation": 10}, {"translation": 0.1}, {"erase": 0.3}],
        },
        "model": {"name": "mlp", "hidden": [16], "dropout": 0.2, "norm": "batch"},
        "train": {"epochs": 4, "batch_size": 64},
    },
    "variants": {
        "momentum, plateau, stopped early": {
            "train.optimizer": {"name": "sgd", "lr": 0.5, "momentum": 0.9, "nesterov": True},
            "train.schedule": {"name": "plateau", "patience": 1, "factor": 0.5},
            "train.early_stopping": {"patience": 2, "min_delta": 0.1},
            "train.epochs": 12,
            "train.watch": "loss",
        },
        "adam, bfloat16, l1, clipped, last, averaged": {
            "train.optimizer": {"name": "adam", "lr": 0.01, "weight_decay": 0.001},
            "train.schedule": {"name": "one_cycle"},
            "train.precision": "bfloat16",
            "train.l1": 0.0001,
            "train.clip": 1.0,
            "train.keep": "last",
            "train.ema": {"decay": 0.9, "ramp": 10},
        },
        "cnn, rmsprop, channels last, averaged": {
            "model": {"name": "cnn", "channels": [4, 8], "norm": "batch", "dense": [16], "dropout": 0.2},
            "train.optimizer": {"name": "rmsprop", "lr": 0.003, "momentum": 0.5},
            "train.schedule": {"name": "cosine", "warmup": 1},
            "train.channels_last": True,
            "train.ema": {"decay": 0.8, "ramp": 0},
            "train.loss": {"name": "cross_entropy", "label_smoothing": 0.1},
        },
    },
}
"""All that a checkpoint must bring back: momenta, best and averaged weights, running statistics, plateaus, noise."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study") / "killed.yaml", **EVERYTHING)


@pytest.fixture(scope="module")
def undisturbed(driver: Driver, study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the study that nothing happened to."""
    folder = driver.finish(study, tmp_path_factory.mktemp("undisturbed"))
    stopped_early = next(run for run in run_folders(folder) if "stopped early" in run.parent.name)
    assert 2 < len(epochs(stopped_early)) < 12
    assert not leftovers(folder)
    return folder


def kill(driver: Driver, study: Path, out: Path, name: str, phase: str, nth: int = 1, **request) -> None:
    """Kill the study at a write; runs that were finished before are left as they were."""
    before = finished(out)
    assert driver.run(study, out, kill={"name": name, "phase": phase, "nth": nth}, **request) == KILLED
    assert kept(before, out)


def assert_ends_like(undisturbed: Path, folder: Path) -> None:
    assert differences(undisturbed, folder) == []
    assert leftovers(folder) == []
    for run in run_folders(folder):
        assert len(epochs(run)) == len(set(epochs(run))), "an epoch was trained again"


def test_two_undisturbed_studies_are_equal(driver, study, undisturbed, tmp_path):
    assert_ends_like(undisturbed, driver.finish(study, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "nth", "then"),
    [
        ("study.yaml", 1, 1),
        ("machine.json", 1, 1),
        ("claim-000001.json", 2, 1),
        ("status.json", 1, 1),
        ("status.json", 6, 2),  # the one that says "finished"
        ("recipe.yaml", 1, 1),
        ("environment.json", 1, 1),
        ("data.json", 2, 1),
        ("checkpoint.safetensors", 1, 1),
        ("checkpoint.safetensors", 3, 1),
        ("history.parquet", 2, 1),
        ("predictions.parquet", 1, 1),
        ("pictures.parquet", 2, 1),
        ("model.safetensors", 1, 1),
        ("timing.json", 1, 1),
        ("metrics.json", 1, 1),
    ],
)
def test_killed_at_a_write_in_every_phase(driver, study, undisturbed, tmp_path, name, nth, then):
    for phase in PHASES:
        kill(driver, study, tmp_path, name, phase, nth)
        nth = then
    assert_ends_like(undisturbed, driver.finish(study, tmp_path))


@pytest.mark.parametrize(
    ("name", "nth"), [("checkpoint.safetensors", 1), ("claim-000001.json", 1), ("claim-000001.json", 2)]
)
@pytest.mark.parametrize("phase", ["kept", "removed"])
def test_killed_at_a_removal(driver, study, undisturbed, tmp_path, name, nth, phase):
    kill(driver, study, tmp_path, name, phase, nth)
    assert_ends_like(undisturbed, driver.finish(study, tmp_path))


def test_an_interrupted_run_goes_on_after_its_last_finished_epoch(driver, study, undisturbed, tmp_path):
    kill(driver, study, tmp_path, "checkpoint.safetensors", "renamed", 2)
    (run,) = run_folders(tmp_path)
    kill(driver, study, tmp_path, "checkpoint.safetensors", "half", 1)
    kill(driver, study, tmp_path, "metrics.json", "flushed", 1)
    folder = driver.finish(study, tmp_path)
    lines = [line.split(":")[0] for line in log(run)]
    said = [line for line in lines if not line.startswith("statistics of")]
    after = "continued after epoch"
    # the line of epoch 2 was to come after the write that was killed
    assert said == ["started", "epoch 1", f"{after} 2", f"{after} 2", "epoch 3", "epoch 4", f"{after} 4", "finished"]
    assert_ends_like(undisturbed, folder)


@pytest.mark.parametrize("fused", [True, False])
def test_restored_optimizer_state_lies_where_torch_would_have_put_it(fused):
    """Fused optimizers count their steps on the parameter's device, others on the processor."""
    parameter = torch.nn.Parameter(torch.empty(3, 2, device="meta"))
    optimizer = torch.optim.Adam([parameter])
    optimizer.param_groups[0]["fused"] = fused
    restore_optimizer(optimizer, {"0.step": torch.tensor(7.0), "0.exp_avg": torch.ones(3, 2)})
    state = optimizer.state[parameter]
    assert {name: value.device.type for name, value in state.items()} == {
        "step": "meta" if fused else "cpu",
        "exp_avg": "meta",
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_at_random_writes(driver, study, undisturbed, tmp_path, seed):
    chance, kills = random.Random(seed), 0
    while True:
        place = {"name": ".*", "nth": chance.randint(2, 25), "phase": chance.choice([*PHASES, "kept", "removed"])}
        before = finished(tmp_path)
        code = driver.run(study, tmp_path, kill=place)
        assert kept(before, tmp_path)
        if code == 0:
            break
        assert code == KILLED
        kills += 1
    assert kills > 3
    assert_ends_like(undisturbed, tmp_path / study.stem)


def test_killed_while_the_images_are_decoded(driver, study, undisturbed, tmp_path):
    own = {"environment": {"ASSAY_CACHE": str(tmp_path / "cache")}}
    for phase in PHASES:
        kill(driver, study, tmp_path / "runs", "index.json", phase, **own)
    for phase in ("flushed", "renamed"):
        kill(driver, study, tmp_path / "runs", "[0-9a-f]{24}", phase, **own)
    assert_ends_like(undisturbed, driver.finish(study, tmp_path / "runs", **own))
    assert leftovers(tmp_path / "cache") == []
    assert [path for path in (tmp_path / "cache" / "images").iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
def test_killed_while_the_report_is_written(driver, tmp_path):
    study = write_study(tmp_path / "told.yaml")
    folder = driver.finish(study, tmp_path / "undisturbed", report=True)
    for name, phase in [
        ("results.csv", "half"),
        ("learning.*.svg", "flushed"),
        ("index.html", "half"),
    ]:
        kill(driver, study, tmp_path / "killed", name, phase, report=True)
    again = driver.finish(study, tmp_path / "killed", report=True)
    assert_ends_like(folder, again)
    assert (again / "report" / "index.html").read_text().rstrip().endswith("</html>")
    assert count(again, "finished") == 1


@pytest.mark.slow
def test_a_tree_of_processes_killed_at_random_times_then_finished_by_one(driver, tmp_path, tmp_path_factory):
    study, undisturbed = driving.long_study(tmp_path_factory)
    out, chance, kills = tmp_path / "killed", random.Random(0), 0
    for _ in range(3):
        before = finished(out)
        pid = driver.start(study, out, "--jobs", "2", cores=2)
        driving.wait_for(lambda: driving.running(out))
        time.sleep(chance.uniform(0.0, 0.3))
        workers = descendants(pid)
        psutil.Process(pid).kill()
        kills += driver.wait(pid) == KILLED
        assert all_end(workers), "a worker outlived its parent"
        assert kept(before, out)
        if all(driving.state(run) == "finished" for run in run_folders(out)):
            break
    assert kills
    assert_ends_like(undisturbed, driver.finish(study, out, "--jobs", "1", cores=2))
