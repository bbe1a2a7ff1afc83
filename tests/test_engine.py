"""What the engine does with other studies' folders, failed runs, mistakes, extensions and dead workers."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import psutil
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

import assay
import assay.runs.processes
import assay.runs.run
from assay import seeds
from assay.errors import AssayError, StudyStopped
from assay.models import build
from assay.models.catalogue import complete
from assay.recipe import Model, Recipe
from assay.report.page import write_report
from assay.runs.at_once import at_once, keep_threads
from assay.runs.checks import refuse_other_recipe
from assay.runs.display import Display
from assay.runs.engine import run as run_study
from assay.runs.engine import tidy
from assay.runs.folder import Folder, Settings
from assay.runs.jobs import Job
from assay.runs.trouble import reason
from assay.system import claim
from assay.system.integrity import digests
from driving import (
    count,
    descendants,
    differences,
    epochs,
    finished,
    kept,
    leftovers,
    log,
    run_folders,
    run_here,
    said,
    state,
    tree,
    wait_for,
    write_study,
)


def reasons(results) -> dict[str, str | None]:
    return {run.variant: run.reason for run in results.runs if run.state == "failed"}


# ------------------------------------------------------------------------------------------- other studies


def test_a_default_spelled_out_is_the_same_run(tmp_path):
    study = write_study(tmp_path / "words.yaml", vary={"model.hidden": [[4]]})
    first = run_here(study, tmp_path / "runs")
    base = dict(assay.load_study(study).base)
    for spelled in ({"dropout": 0}, {"dropout": 0.0}, {}):
        reworded = base | {"model": base["model"] | spelled}
        write_study(study, vary={"model.hidden": [[4]]}, base=reworded)
        again = run_here(study, tmp_path / "runs")
        assert [run.state for run in again.runs] == ["finished"]
        assert again.metrics(again.runs[0]) == first.metrics(first.runs[0])
        assert count(again.folder, "started") == 1, "it was trained again"


def test_a_key_that_only_the_folders_recipe_has_makes_it_another_run(tmp_path):
    recipe = Recipe.model_validate({"data": {"source": "digits"}, "model": {"name": "mlp"}})
    balanced = Recipe.model_validate({"data": {"source": "digits", "balance": "oversample"}, "model": {"name": "mlp"}})
    assert "balance" not in recipe.dump()["data"]
    job = Job("base", 0, recipe, tmp_path)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(complete(recipe).dump()))
    refuse_other_recipe(job)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(complete(balanced).dump()))
    with pytest.raises(AssayError, match=r"data\.balance is 'oversample' there and None here"):
        refuse_other_recipe(job)


def test_the_folder_of_another_study_is_left_alone(tmp_path):
    study = write_study(tmp_path / "name.yaml", vary={"model.hidden": [[4]]})
    results = run_here(study, tmp_path / "runs")
    before = (results.folder / "study.yaml").read_text()
    write_study(study, title="Another question", vary={"model.hidden": [[5], [6]]})
    with pytest.raises(AssayError, match="belongs to another study"):
        run_here(study, tmp_path / "runs")
    assert (results.folder / "study.yaml").read_text() == before


def test_a_damaged_checkpoint_is_begun_anew(tmp_path):
    study = write_study(tmp_path / "junk.yaml", vary={"model.hidden": [[4]]})
    folder = tmp_path / "runs" / "junk" / "hidden=4" / "seed-0"
    folder.mkdir(parents=True)
    (folder / "checkpoint.safetensors").write_bytes(b"junk")
    results = run_here(study, tmp_path / "runs")
    assert [run.state for run in results.runs] == ["finished"]
    assert "the checkpoint cannot be read" in (folder / "log.txt").read_text()


@pytest.fixture
def pictures(tmp_path):
    for label, level in {"dark": 0, "light": 200}.items():
        (tmp_path / "set" / label).mkdir(parents=True)
        for n in range(20):
            Image.new("L", (8, 8), level + n).save(tmp_path / "set" / label / f"{n}.png")
    return tmp_path / "set"


def test_pictures_that_changed_are_read_again_by_the_same_process(tmp_path, pictures):
    base = {"data": {"source": str(pictures), "validation": 0.2}, "model": {"name": "mlp", "hidden": [4]}}
    results = run_here(write_study(tmp_path / "first.yaml", base=base), tmp_path)
    assert sum(results.data(results.runs[0])["counts"].values()) == 40
    for n in range(20, 40):
        for label in ("dark", "light"):
            Image.new("L", (8, 8), n).save(pictures / label / f"{n}.png")
    results = run_here(write_study(tmp_path / "second.yaml", base=base), tmp_path)
    assert sum(results.data(results.runs[0])["counts"].values()) == 80


def go_on(recipe: Recipe, folder: Path, epochs: int) -> dict:
    """Train on for ``epochs`` and be interrupted, or to the end; what status.json says then."""
    left = iter(range(epochs - 1))

    def after_epoch() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    assay.runs.run.shared_data.cache_clear()
    with suppress(KeyboardInterrupt):
        assay.runs.run.execute(recipe, Folder(folder), Settings(folder.parent, 1), after_epoch)
    return json.loads((folder / "status.json").read_text())


def test_a_run_that_went_on_ends_with_its_time_and_the_hashes_of_its_files(tmp_path):
    values = {"data": {"source": "digits", "train": 100}, "model": {"name": "mlp", "hidden": [4]}}
    recipe, run = Recipe.model_validate(values | {"train": {"epochs": 3}}), tmp_path / "run"
    first = go_on(recipe, run, 1)
    assert (first["state"], "files" in first) == ("running", False)
    (run / "status.json").write_text(json.dumps(first | {"seconds": 5000.0}))
    ended = go_on(recipe, run, 3)
    assert ended["state"] == "finished"
    assert 5000 < ended["seconds"] < 6000
    assert ended["files"] == digests(run)
    assert {"log.txt", "model.safetensors", "history.parquet"} <= set(ended["files"])


def test_the_seconds_of_a_run_count_more_than_its_epochs(tmp_path):
    results = run_here(write_study(tmp_path / "small.yaml"), tmp_path)
    (run,) = results.runs
    assert run.seconds > results.metrics(run)["training_seconds"]
    assert results.seconds == run.seconds


def test_a_run_goes_on_with_the_images_it_began_with_alone(tmp_path, pictures):
    values = {"data": {"source": str(pictures), "normalize": "unit"}, "model": {"name": "mlp", "hidden": [4]}}
    recipe = Recipe.model_validate(values | {"train": {"epochs": 3}})
    assert go_on(recipe, tmp_path / "run", 1)["epoch"] == 1
    (pictures / "dark" / "3.png").rename(pictures / "dark" / "aside.png")
    for _ in range(2):
        ended = go_on(recipe, tmp_path / "run", 3)
        assert (ended["state"], ended["epoch"]) == ("failed", 1)
        assert ended["reason"].startswith(f"{tmp_path / 'run'}: its data have changed: names or labels are not those")
    (pictures / "dark" / "aside.png").rename(pictures / "dark" / "3.png")
    assert go_on(recipe, tmp_path / "run", 9)["state"] == "finished"
    assert go_on(recipe, tmp_path / "whole", 9)["state"] == "finished"
    one, other = (tmp_path / name / "model.safetensors" for name in ("run", "whole"))
    assert one.read_bytes() == other.read_bytes()


def test_a_run_goes_on_from_the_weights_it_began_with_alone(tmp_path):
    def write_weights(seed: int) -> None:
        with seeds.scoped(seed, "initialisation"):
            save_file(build(Model(name="mlp", hidden=[4]), (1, 8, 8), 10).state_dict(), tmp_path / "w.safetensors")

    model = {"name": "mlp", "hidden": [4], "pretrained": str(tmp_path / "w.safetensors")}
    values = {"data": {"source": "digits"}, "model": model, "train": {"epochs": 3, "batch_size": 512}}
    recipe = Recipe.model_validate(values)
    write_weights(1)
    assert go_on(recipe, tmp_path / "run", 1)["epoch"] == 1
    write_weights(2)
    for _ in range(2):
        ended = go_on(recipe, tmp_path / "run", 3)
        assert ended["state"] == "failed"
        assert f"its pretrained weights, {tmp_path / 'w.safetensors'}, have changed since it began" in ended["reason"]
    write_weights(1)
    assert go_on(recipe, tmp_path / "run", 9)["state"] == "finished"


def test_a_study_that_measures_no_accuracy_ends_with_its_report(tmp_path):
    base = dict(assay.load_study(write_study(tmp_path / "cost.yaml")).base) | {"evaluate": ["cost"]}
    results = run_here(write_study(tmp_path / "cost.yaml", vary={"model.hidden": [[4], [5]]}, base=base), tmp_path)
    assert "parameters" in results.verdict()
    assert write_report(results).exists()
    assert "parameters" in results._repr_html_()


def test_that_others_hold_the_runs_is_said_once(tmp_path, capsys):
    (variant,) = assay.load_study(write_study(tmp_path / "held.yaml")).plan.values()
    jobs = [Job(variant.name, seed, variant.with_seed(seed), tmp_path) for seed in (0, 1)]
    display = Display()
    for _ in range(3):
        display.waiting(jobs)
    assert capsys.readouterr().err.count("waiting for base, seed 0 and 1 more: another process has them") == 1


# -------------------------------------------------------------------------------------------- failed runs


def test_a_failed_run_is_recorded_with_its_reason_and_the_others_go_on(driver, tmp_path):
    values = {"train.optimizer": [{"name": "sgd", "lr": lr} for lr in (0.1, 1e30)]}
    study = write_study(tmp_path / "rates.yaml", vary=values, seeds=2)
    assert driver.run(study, tmp_path / "runs") == 1
    results = assay.results.Results.read(tmp_path / "runs" / "rates")
    assert [run.state for run in results.runs] == ["finished", "finished", "failed", "failed"]
    failed = results.runs[2]
    assert failed.reason == "the train loss is not finite in epoch 1 (learning rate 1e+30)"
    assert "failed: Traceback" in (failed.folder / "log.txt").read_text()
    assert failed.reason in (failed.folder / "log.txt").read_text()
    assert "2 of 4 runs failed; 'assay status" in said(tmp_path / "runs")
    assert leftovers(results.folder) == []

    before = finished(results.folder)
    assert driver.run(study, tmp_path / "runs") == 1, "it was forgotten"
    assert count(results.folder, "started") == 4, "it was repeated without being asked for"
    assert driver.run(study, tmp_path / "runs", "--retry") == 1
    assert count(results.folder, "started") == 6
    assert kept(before, results.folder)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), "out of memory: a smaller train.batch_size, data.size or model would need less"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried …"), "out of memory: "),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …"), "out of memory: "),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), "out of memory: "),
        (RuntimeError("MPS backend out of memory (MPS allocated …)"), "out of memory: "),
        (AssayError("the loss is not finite"), "the loss is not finite"),
        (ZeroDivisionError("division\nby zero"), r"ZeroDivisionError: division \(log.txt has the details\)"),
        (ValueError(), "ValueError: "),
    ],
)
def test_the_reason_is_one_sentence(error, expected):

    assert re.match(expected, reason(error))
    assert "\n" not in reason(error)


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("run.initial_network", MemoryError),
        ("learning.train", torch.OutOfMemoryError),
        ("run.measure", torch.OutOfMemoryError),
    ],
)
def test_a_run_without_memory_fails_and_the_study_goes_on(tmp_path, monkeypatch, place, error):
    study = write_study(tmp_path / "memory.yaml", vary={"model.hidden": [[4], [5]]})
    module, function = place.split(".")
    there = import_module(f"assay.runs.{module}")
    whole = getattr(there, function)

    def starved(first, *rest, **named):
        recipe = {"initial_network": first, "train": rest and rest[1]}.get(function) or first.recipe
        if recipe.model.arguments["hidden"] == [4]:
            raise error
        return whole(first, *rest, **named)

    monkeypatch.setattr(there, function, starved)
    results = run_here(study, tmp_path)
    assert [run.state for run in results.runs] == ["failed", "finished"]
    assert results.runs[0].reason.startswith("out of memory")
    monkeypatch.undo()
    results = run_here(study, tmp_path, retry=True)
    assert [run.state for run in results.runs] == ["finished", "finished"]
    assert leftovers(tmp_path / "memory") == []


# -------------------------------------------------------------------------------------- mistakes of the user


def test_a_folder_of_another_study_is_refused_before_training(driver, tmp_path):
    study = write_study(tmp_path / "small.yaml")
    folder = driver.finish(study, tmp_path / "runs")
    before = {name: (folder / name).read_bytes() for name in tree(folder)}
    changed = assay.load_study(study, ["train.epochs=3"])
    with pytest.raises(AssayError, match=r"belongs to another study: train\.epochs is 2 there and 3 here"):
        run_study(changed, tmp_path / "runs", quiet=True)
    assert driver.run(study, tmp_path / "runs", "--set", "train.epochs=3") == 2
    assert {name: (folder / name).read_bytes() for name in tree(folder)} == before


@pytest.mark.parametrize(
    ("key", "wrong", "message"),
    [
        ("model.hiden", [8], "did you mean 'hidden'"),
        ("model.dropout", 1.5, r"variant 'wrong': model\.dropout: found 1\.5"),
        ("model", {"name": "cnn", "channels": [4, 4, 4, 4, 4]}, "variant 'wrong'"),
        ("data.source", "no such folder", "unknown data source"),
        ("data.validation", 0.9999, "."),
        ("train.device", "cuda:99", "this machine has"),
    ],
)
def test_a_study_with_one_wrong_variant_trains_nothing(tmp_path, key, wrong, message):
    study = write_study(tmp_path / "wrong.yaml", variants={"right": {}, "wrong": {key: wrong}})
    with pytest.raises(AssayError, match=message):
        run_study(assay.load_study(study), tmp_path, quiet=True)
    assert run_folders(tmp_path) == []
    assert not (tmp_path / "wrong").exists()


def test_no_jobs_is_refused(tmp_path):
    with pytest.raises(AssayError, match="jobs: found 0, expected at least 1"):
        run_study(assay.load_study(write_study(tmp_path / "small.yaml")), tmp_path, jobs=0)


# -------------------------------------------------------------------------------------- extended, kept, tidied


def test_more_seeds_and_levels_repeat_nothing_finished(driver, tmp_path):
    study = write_study(tmp_path / "grown.yaml", vary={"model.activation": ["relu"]}, seeds=1)
    folder = driver.finish(study, tmp_path / "runs")
    for values in ({"seeds": 2}, {"seeds": 2, "vary": {"model.activation": ["tanh", "relu"]}}):
        before = finished(folder)
        driver.finish(write_study(study, **{"vary": {"model.activation": ["relu"]}} | values), tmp_path / "runs")
        assert kept(before, folder)
    assert count(folder, "started") == len(run_folders(folder)) == 4
    at_once = driver.finish(study, tmp_path / "at once")
    assert differences(at_once, folder) == []


def test_the_threads_are_decided_at_the_first_start_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.runs.at_once.available_cores", lambda: 8)

    def threads(folder, jobs):
        return keep_threads(folder, at_once(jobs, [], folder, tmp_path))

    assert [threads(tmp_path, jobs) for jobs in (3, 1, 8)] == [2, 2, 2]
    assert [threads(tmp_path / "other", jobs) for jobs in (16, 1)] == [1, 1]


@pytest.mark.parametrize("text", ['{"threads": "two"}', '{"threads": 0}', "{}", "[]", "{"])
def test_threads_that_cannot_be_read_are_one_sentence(tmp_path, text):
    study = assay.load_study(write_study(tmp_path / "small.yaml"))
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "machine.json").write_text(text)
    with pytest.raises(AssayError, match=r"machine\.json"):
        run_study(study, tmp_path, quiet=True)


def test_what_killed_processes_left_in_a_finished_run_is_removed_unless_somebody_is_at_it(tmp_path, monkeypatch):
    study = write_study(tmp_path / "small.yaml")
    run = run_here(study, tmp_path).runs[0].folder
    before = tree(run)
    for name in ("checkpoint.safetensors", ".history.parquet.x.y.tmp"):
        (run / name).write_text("left")
    with claim.acquire(run, claim.Watch()):
        with monkeypatch.context() as other:
            other.setattr("assay.system.process.this_host", lambda: "another host")
            run_here(study, tmp_path)
        assert (run / "checkpoint.safetensors").exists()
    run_here(study, tmp_path)
    assert tree(run) == before


def test_a_failure_is_forgotten_only_under_a_claim(tmp_path):
    (run,) = run_here(write_study(tmp_path / "small.yaml"), tmp_path).runs
    status = json.loads((run.folder / "status.json").read_text()) | {"state": "failed", "reason": "a mistake"}
    (run.folder / "status.json").write_text(json.dumps(status))
    job = Job(run.variant, run.seed, assay.load_study(tmp_path / "small.yaml").plan["base"].recipe, run.folder)
    with claim.acquire(run.folder, claim.Watch()):
        tidy(job, retry=True)
        assert job.state == "failed"
    tidy(job, retry=False)
    assert job.state == "failed"
    tidy(job, retry=True)
    assert job.state is None
    assert leftovers(run.folder) == []


# ----------------------------------------------------------------------------------------------- workers


def worker_at(run: Path) -> int:
    """The process that trains a run."""
    found = claim.holder(run)
    return found.process.pid if found and found.process else 0


def stopped_amid(run: Path) -> int:
    """The worker of a run that has an epoch and goes on, stopped; 0 where there is none."""
    worker = worker_at(run)
    if not worker or not epochs(run):
        return 0
    os.kill(worker, signal.SIGSTOP)
    wait_for(lambda: psutil.Process(worker).status() == psutil.STATUS_STOPPED)
    if state(run) == "running" and worker_at(run) == worker:
        return worker
    os.kill(worker, signal.SIGCONT)
    return 0


@pytest.mark.slow
def test_a_killed_worker_costs_its_run_and_retry_mends_it(driver, study, undisturbed, tmp_path):
    folder = tmp_path / study.stem
    parent = driver.start(study, tmp_path, "--jobs", "2", cores=2)
    workers: dict[Path, int] = {}

    def stopped_while_the_other_trains() -> bool:
        both = [run for run in run_folders(folder) if state(run) == "running" and worker_at(run)]
        return len(both) == 2 and any(workers.setdefault(run, stopped_amid(run)) or workers.pop(run) for run in both)

    wait_for(stopped_while_the_other_trains)  # a worker without a run would take over the victim's at once
    victim, worker = next(iter(workers.items()))
    os.kill(worker, signal.SIGKILL)
    assert driver.wait(parent) == 1
    status = json.loads((victim / "status.json").read_text())
    assert status["state"] == "failed"
    assert status["reason"] == "its process ended without a word (signal 9, often a lack of memory)"
    assert status["epoch"] >= 1
    assert [state(run) for run in run_folders(folder)].count("finished") == 3
    assert [name for name in leftovers(folder) if "checkpoint" not in name] == []
    driver.finish(study, tmp_path, "--retry")
    assert log(victim).count("started") == 1, "it did not go on from its checkpoint"
    assert differences(undisturbed, folder) == []


@pytest.mark.slow
def test_a_worker_that_dies_before_it_has_a_run_costs_nothing(driver, study, undisturbed, tmp_path):
    parent = driver.start(study, tmp_path, "--jobs", "2", cores=2)
    found: list[psutil.Process] = []
    wait_for(lambda: found.extend(descendants(parent)) or found)
    found[0].kill()
    assert driver.wait(parent) == 0, said(tmp_path)
    assert differences(undisturbed, tmp_path / study.stem) == []


def test_workers_that_cannot_start_stop_the_study(tmp_path, monkeypatch):
    def broken(*_):
        return subprocess.Popen([sys.executable, "-c", "raise SystemExit(9)"], stdin=subprocess.PIPE, text=True)

    monkeypatch.setattr(assay.runs.processes, "new_child", broken)
    with pytest.raises(StudyStopped, match="end before they take up a run \\(exit status 9\\)"):
        run_here(write_study(tmp_path / "small.yaml"), tmp_path, jobs=2)


def test_a_worker_whose_parent_ended_before_it_told_its_plan_ends_quietly(monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"settings": {"ro'))
    assay.runs.processes.main()
