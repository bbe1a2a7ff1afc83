"""``assay work``, alone and in a Slurm array: what it claims and refuses, when it leaves, what it ends with."""

import os
import signal
import stat
import subprocess
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import assay.runs.likeness
from assay import load_study
from assay.errors import AssayError, NothingToDo
from assay.results.folders import Run
from assay.results.telling.notes import unlike_processors
from assay.runs.likeness import Likeness, kept
from assay.runs.place import Place, place
from assay.runs.slurm import prepare_batch, submit
from assay.runs.worker import work_on
from assay.system import claim
from assay.system.process import available_cores
from command import assay as command
from driving import count, differences, epochs, run_folders, running, said, state, wait_for, write_study

KILLED = -signal.SIGKILL


def prepared(tmp_path: Path, **values: object) -> Path:
    """The folder of a tiny study that is ready for workers."""
    study = write_study(tmp_path / "tiny.yaml", **values)
    return prepare_batch(load_study(study), tmp_path / "runs", quiet=True).folder


def test_workers_share_a_folder_and_a_killed_one_costs_no_more_than_an_epoch(driver, study, undisturbed, tmp_path):
    assert driver.run(study, tmp_path, "--on", "slurm", "--print") == 0
    folder = tmp_path / study.stem
    work = {"do": "start", "arguments": ["work", str(folder)], "log": str(tmp_path / "output")}
    killed = driver.ask(**work, kill={"name": "checkpoint.safetensors", "phase": "renamed", "nth": 3})["pid"]
    wait_for(lambda: running(folder))
    other = driver.ask(**work)["pid"]
    assert driver.wait(killed) == KILLED
    third = driver.ask(**work)["pid"]
    assert [driver.wait(other), driver.wait(third)] == [0, 0]
    assert differences(undisturbed, folder) == ["likeness.json"]
    assert all(epochs(run) in ([f"epoch {n}" for n in range(1, 26)], cut(3)) for run in run_folders(folder))
    assert [count(folder, "started"), count(folder, "finished")] == [4, 4]
    assert "4 of 4 runs have finished" in said(tmp_path)


def cut(epoch: int) -> list[str]:
    """The epochs in the log of a run that was killed before it could log ``epoch``."""
    return [f"epoch {n}" for n in range(1, 26) if n != epoch]


def test_the_printed_script_is_one_that_bash_runs(tmp_path, capfd):
    study = write_study(tmp_path / "with space.yaml", vary={"model.hidden": [[4], [5]]})
    printed = command(capfd, "run", study, "--out", tmp_path / "runs", "--on", "slurm", "--print")
    script = tmp_path / "job.sh"
    script.write_text(printed.out)
    assert "#SBATCH --array=0-1\n" in printed.out
    subprocess.run(["bash", "-n", str(script)], check=True)
    task = os.environ | {"SLURM_ARRAY_TASK_ID": "1", "SLURM_CPUS_PER_TASK": "1"}
    ended = subprocess.run(["bash", str(script)], env=task, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("2 of 2 runs have finished; 'assay report")
    with pytest.raises(NothingToDo, match=r"every run of .* is done"):
        prepare_batch(load_study(study), tmp_path / "runs", quiet=True)


def test_a_worker_leaves_what_others_train(tmp_path):
    folder = prepared(tmp_path, vary={"model.hidden": [[4], [5]]})
    with claim.acquire(folder / "hidden=4" / "seed-0", claim.Watch()):
        left = work_on(folder, quiet=True)
    assert left.elsewhere == 1
    assert [run.state for run in left.results.runs] == ["waiting", "finished"]
    assert work_on(folder, quiet=True).elsewhere == 0
    assert [state(run) for run in run_folders(folder)] == ["finished", "finished"]


def test_a_worker_whose_runs_fail_says_so(tmp_path, capfd):
    folder = prepared(tmp_path, vary={"train.optimizer.lr": [1e30]})
    ended = command(capfd, "work", folder, "--quiet")
    assert ended.status == 1
    assert ended.out.startswith("0 of 1 runs have finished")
    assert "1 of 1 runs failed" in ended.err


def test_a_machine_with_another_assay_is_refused(tmp_path, monkeypatch):
    folder = prepared(tmp_path)
    monkeypatch.setattr(assay.runs.likeness, "version", lambda _: "0.0.1")
    with pytest.raises(AssayError, match=r"this machine has assay 0\.0\.1, and the study was prepared with"):
        work_on(folder, quiet=True)
    assert run_folders(folder) == []


def pictures(folder: Path) -> Path:
    for label, level in {"dark": 0, "light": 200}.items():
        (folder / label).mkdir(parents=True)
        for n in range(20):
            Image.fromarray(np.full((8, 8), level + n, np.uint8)).save(folder / label / f"{n}.png")
    return folder


def test_a_machine_on_which_one_pixel_differs_is_refused(tmp_path):
    there = pictures(tmp_path / "set")
    folder = prepared(tmp_path, base={"data": {"source": str(there)}, "model": {"name": "mlp", "hidden": [4]}})
    changed = np.full((8, 8), 3, np.uint8)
    changed[5, 5] = 4
    Image.fromarray(changed).save(there / "dark" / "3.png")
    with pytest.raises(AssayError, match="this machine has other images than the study was prepared with"):
        work_on(folder, quiet=True)
    Image.fromarray(np.full((8, 8), 3, np.uint8)).save(there / "dark" / "3.png")
    assert work_on(folder, quiet=True).results.finished


def test_a_machine_without_the_images_is_refused_before_any_run_fails(tmp_path):
    there = pictures(tmp_path / "set")
    folder = prepared(tmp_path, base={"data": {"source": str(there)}, "model": {"name": "mlp", "hidden": [4]}})
    there.rename(tmp_path / "gone")
    with pytest.raises(AssayError, match="set"):
        work_on(folder, quiet=True)
    assert run_folders(folder) == []


def test_what_was_written_for_other_machines_is_read_back(tmp_path):
    folder = prepared(tmp_path)
    found = kept(folder)
    assert isinstance(found, Likeness)
    assert [found.assay, len(found.images)] == [version("assay-studies"), 1]
    (folder / "likeness.json").write_text('{"images": {}}')
    with pytest.raises(AssayError, match=r"likeness\.json: expected assay and images"):
        kept(folder)


def test_a_folder_without_a_study_is_told(tmp_path):
    with pytest.raises(AssayError, match="holds no study"):
        work_on(tmp_path)


def test_a_card_that_only_the_cluster_has_is_no_mistake(tmp_path):
    study = write_study(tmp_path / "card.yaml")
    loaded = load_study(study, ["train.device=cuda:7"])
    assert prepare_batch(loaded, tmp_path / "runs", jobs=5, quiet=True).tasks == 1


def test_a_task_of_slurm_uses_the_cores_that_it_was_given(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    assert available_cores() == 16
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert available_cores() == 3
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "99")
    assert available_cores() == 16


# ------------------------------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ray", None),
        ("ray://head", "ray://head:10001"),
        ("ray://10.0.0.1:99", "ray://10.0.0.1:99"),
        ("ray:head", "head:6379"),
        ("ray:head.of.all:80", "head.of.all:80"),
    ],
)
def test_a_cluster_is_named_as_ray_names_it(text, address):
    assert place(text).engine == "ray"
    assert place(text).address == address


def test_slurm_has_no_address():
    assert place("slurm") == Place("slurm")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slrm", "'slurm'"),
        ("Ray", "'ray'"),
        ("ray:", "'ray'"),
        ("ray://host:99999", "expected one of: ray, ray://HOST:PORT"),
    ],
)
def test_a_misspelt_cluster_is_told_with_the_nearest_name(text, said):
    with pytest.raises(AssayError, match=f"--on: found '{text}'; .*({said})"):
        place(text)


def test_options_that_go_with_no_cluster_are_refused(tmp_path, capfd):
    study = write_study(tmp_path / "tiny.yaml")
    for options in (["--print"], ["--on", "ray", "--print"]):
        ended = command(capfd, "run", study, *options)
        assert [ended.status, ended.err] == [2, "assay: --print: no use without --on slurm\n"]
    ended = command(capfd, "run", study, "--dry-run", "--on", "slurm")
    assert ended.status == 2
    assert "--dry-run: no use with --on" in ended.err


def stub(folder: Path, text: str) -> None:
    path = folder / "bin" / "sbatch"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_an_array_is_handed_to_sbatch(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    stub(tmp_path, f"cat > {tmp_path / 'handed'}; echo '17;here'")
    study = write_study(tmp_path / "tiny.yaml", seeds=3)
    ended = command(capfd, "run", study, "--out", tmp_path / "runs", "--on", "slurm", "--jobs", "2")
    assert ended.out.startswith("job 17: 2 tasks\n")
    assert "--array=0-1\n" in (tmp_path / "handed").read_text()
    stub(tmp_path, "echo 'sbatch: error: invalid partition' >&2; exit 1")
    with pytest.raises(AssayError, match="sbatch refused the array: sbatch: error: invalid partition"):
        submit(prepare_batch(load_study(study), tmp_path / "runs", quiet=True))


def test_without_sbatch_nothing_is_prepared(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = command(capfd, "run", write_study(tmp_path / "tiny.yaml"), "--out", tmp_path / "runs", "--on", "slurm")
    assert [ended.status, ended.out] == [2, ""]
    assert "this machine has no sbatch; --print gives the script" in ended.err
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path, capfd):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "tiny").write_text(yaml.safe_dump("a file where the study's folder is to be"))
    study = write_study(tmp_path / "tiny.yaml")
    ended = command(capfd, "run", study, "--out", tmp_path / "runs", "--on", "slurm", "--print")
    assert ended.status == 1
    assert f"cannot write {tmp_path / 'runs' / 'tiny'}" in ended.err


def noted(*made: tuple[int, str, str]) -> list[str]:
    """What is noted of runs of a seed, on a processor, with a device."""
    runs = {Run("v", made[0], Path(str(n)), "finished", None, None): made for n, made in enumerate(made)}
    return unlike_processors(runs, lambda run: dict(zip(("cpu", "device"), runs[run][1:], strict=True)))


def test_pairs_that_unlike_processors_trained_are_noted():
    assert noted((0, "A", "cpu"), (1, "B", "cpu"), (0, "A", "cpu"), (1, "B", "cpu")) == []
    assert noted((0, "A", "H100"), (0, "B", "H100")) == [], "the card computes"
    mixed = [(0, "A", "cpu"), (0, "B", "cpu"), (1, "A", "cpu"), (2, "A", "H100"), (2, "B", "cpu")]
    (said,) = noted(*mixed)
    assert said.startswith("Of seeds 0 and 2, runs that are compared in pairs were made on unlike processors")
    assert said.endswith("whose rounding differs: A; B; H100.")
