"""Studies that are stopped: Ctrl-C and signals, and disks that take no more."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import driving
from assay.system.children import interrupts_blocked
from driving import (
    all_end,
    descendants,
    differences,
    epochs,
    finished,
    kept,
    leftovers,
    run_folders,
    said,
    wait_for,
    write_study,
)

STOPPED = "stopped; the same command goes on from the last finished epoch"
# ---------------------------------------------------------------------------------------- interruptions


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_study_releases_its_claims_and_goes_on(driver, study, undisturbed, tmp_path, number, jobs):
    folder = tmp_path / study.stem
    pid = driver.start(study, tmp_path, "--jobs", jobs, cores=int(jobs))
    wait_for(lambda: any(epochs(run) for run in run_folders(folder)))
    children = descendants(pid)
    os.kill(pid, number)
    assert driver.wait(pid) == 130
    assert all_end(children), "a worker outlived its parent"
    assert [name for name in leftovers(folder) if "checkpoint" not in name] == []
    assert STOPPED in said(tmp_path)
    assert "Traceback" not in said(tmp_path)
    before = finished(folder)
    driver.finish(study, tmp_path, cores=2)
    assert kept(before, folder)
    assert differences(undisturbed, folder) == []
    assert {json.loads((run / "environment.json").read_text())["threads"] for run in run_folders(folder)} == {1}
    for run in run_folders(folder):
        assert len(epochs(run)) == len(set(epochs(run)))


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["while the workers start", "while they train"])
def test_ctrl_c_in_a_terminal_reaches_all_processes_and_all_end_quietly(study, tmp_path, moment):
    """The command as a user starts it; a terminal sends the signal to the whole group."""
    (tmp_path / study.stem).mkdir()
    (tmp_path / study.stem / "machine.json").write_text('{"threads": 1}')
    process = subprocess.Popen(
        [sys.executable, "-m", "assay", "run", str(study), "--jobs", "2", "--out", str(tmp_path)],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for(lambda: len(descendants(process.pid)) == 2)
    if moment == "while they train":
        wait_for(lambda: driving.running(tmp_path))
    children = descendants(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 130, output
    assert STOPPED in output
    assert "Traceback" not in output
    assert all_end(children), "a worker outlived its parent"
    assert [name for name in leftovers(tmp_path) if "checkpoint" not in name] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_another_thread_gets_waits_until_the_worker_is_known(number):
    """Numerical libraries have threads of their own, and the system hands a signal to any that does not block it."""

    def interrupt(*_):
        raise KeyboardInterrupt

    def start():
        signal.pthread_kill(other.ident, number)
        os.read(arrived, 1)
        done.append("started")
        done.append("known")

    over, done = threading.Event(), []
    other = threading.Thread(target=over.wait)
    other.start()
    arrived, told = os.pipe2(os.O_NONBLOCK)
    os.set_blocking(arrived, True)
    before, wakeup = signal.signal(number, interrupt), signal.set_wakeup_fd(told)
    try:
        with pytest.raises(KeyboardInterrupt), interrupts_blocked():
            start()
        assert done == ["started", "known"]
        assert signal.getsignal(number) is interrupt
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(number, before)
        over.set()
        other.join()
        os.close(arrived)
        os.close(told)


# ---------------------------------------------------------------------------------------------- full disk


@pytest.mark.parametrize("nth", [1, 3, 20, 45])
def test_a_full_disk_stops_the_study_with_one_sentence_and_nothing_finished_is_lost(driver, tmp_path, nth):
    values = {"train.optimizer.lr": [0.001, 0.002], "train.epochs": [4]}
    study = write_study(tmp_path / "full.yaml", vary=values)
    undisturbed = driver.finish(study, tmp_path / "undisturbed")
    out = tmp_path / "runs"
    trap = {"name": ".*", "phase": "half", "nth": nth, "errno": errno.ENOSPC}
    assert driver.run(study, out, kill=trap) == 1
    assert said(out).splitlines()[-1].startswith("assay: cannot write ")
    assert said(out).splitlines()[-1].endswith(": No space left on device")
    assert "Traceback" not in said(out)
    before = finished(out)
    assert len({Path(name).parent for name in before}) == (1 if nth == 45 else 0)
    folder = driver.finish(study, out)
    assert kept(before, out)
    assert differences(undisturbed, folder) == []


@pytest.fixture
def tiny_disk(tmp_path: Path):
    """A file system of 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False).returncode:
        pytest.skip("only root may mount a file system")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_disk_that_is_really_full(driver, tmp_path, tiny_disk, jobs):
    values = {"model.hidden": [[64], [72], [80], [88], [96]]}
    study = write_study(tmp_path / "wide.yaml", vary=values)
    undisturbed = driver.finish(study, tmp_path)
    (tiny_disk / "other people's data").write_bytes(b"0" * 700_000)
    assert driver.run(study, tiny_disk, "--jobs", jobs, cores=int(jobs), log=str(tmp_path / "output")) == 1
    assert "No space left on device" in said(tmp_path).splitlines()[-1]
    before = finished(tiny_disk)
    assert before
    assert len(before) < len(finished(undisturbed))
    (tiny_disk / "other people's data").unlink()
    folder = driver.finish(study, tiny_disk)
    assert kept(before, tiny_disk)
    assert differences(undisturbed, folder) == []


def test_a_report_that_finds_no_space_is_one_sentence(driver, tmp_path):
    study = write_study(tmp_path / "small.yaml")
    trap = {"name": "index.html", "phase": "half", "errno": errno.ENOSPC}
    assert driver.run(study, tmp_path, kill=trap, report=True) == 1
    last = said(tmp_path).splitlines()[-1]
    assert last.startswith("assay: cannot write ")
    assert last.endswith("index.html: No space left on device")


def test_a_place_that_cannot_be_written_is_one_sentence(driver, tmp_path):
    study = write_study(tmp_path / "small.yaml")
    (tmp_path / "runs" / "small").parent.mkdir()
    (tmp_path / "runs" / "small").write_text("a file")
    assert driver.run(study, tmp_path / "runs") == 1
    assert "cannot write" in said(tmp_path / "runs")
    assert "Traceback" not in said(tmp_path / "runs")
