"""Claims: one holder at a time, dead ones replaced, slow ones respected, woken ones silent."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import driving
from assay.errors import StudyStopped
from assay.system import claim, files
from assay.system.claim import ClaimLost, Watch, acquire, holder, holder_alive
from assay.system.process import Process, start_time, this_process
from driving import (
    Driver,
    count,
    differences,
    epochs,
    finished,
    kept,
    leftovers,
    run_folders,
    state,
    wait_for,
    write_study,
)

ELSEWHERE = Process("elsewhere", 1, 1)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "seed-0"


@pytest.fixture
def dead() -> Process:
    """A process of this host that has ended."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    return replace(this_process(), pid=ended.pid, started=1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """Our own clock, set by hand."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def leave_claim(run: Path, process: Process, generation: int = 1, token: str = "theirs", age: float = 0.0) -> Path:
    """The claim of some other process."""
    run.mkdir(parents=True, exist_ok=True)
    path = run / f"claim-{generation:06d}.json"
    path.write_text(json.dumps({"token": token, "process": str(process)}))
    os.utime(path, (time.time() - age,) * 2)
    return path


def names(run: Path) -> list[str]:
    return sorted(path.name for path in run.iterdir())


# --------------------------------------------------------------------------------------------- one process


def test_a_ctrl_c_before_the_heart_beats_frees_the_run(run, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    claimed = acquire(run, Watch())
    monkeypatch.setattr(threading.Thread, "start", interrupt)
    with pytest.raises(KeyboardInterrupt), claimed:
        pass
    assert names(run) == []
    assert holder(run) is None


def test_a_run_is_claimed_once_and_free_again_when_released(run):
    ours = acquire(run, Watch())
    assert ours
    assert acquire(run, Watch()) is None
    assert holder_alive(run)
    with ours:
        ours.check()
        assert acquire(run, Watch()) is None
    assert names(run) == []
    assert not holder_alive(run)
    assert acquire(run, Watch())


def test_the_claim_says_who_holds_it(run):
    with acquire(run, Watch()):
        found = holder(run)
        said = json.loads(found.path.read_text())
    assert found.process == this_process()
    assert said["pid"] == os.getpid()
    assert said["host"]


def test_leaving_it_by_an_error_releases_it(run):
    with pytest.raises(KeyboardInterrupt), acquire(run, Watch()):
        raise KeyboardInterrupt
    assert names(run) == []


def test_the_heart_beats_without_writing(run, monkeypatch):
    monkeypatch.setattr(claim, "BEAT", 0.02)
    with acquire(run, Watch()) as ours:
        before, text = holder(run).beat, ours.path.read_text()
        wait_for(lambda: holder(run).beat > before)
        assert ours.path.read_text() == text
        ours.path.unlink()
        time.sleep(0.1)
        assert names(run) == [], "the heartbeat made the file again"


def test_a_claim_of_ours_that_nothing_holds_any_more_does_not_bind_us(run):
    leave_claim(run, this_process())
    assert acquire(run, Watch())


def test_an_interrupted_claim_leaves_nothing(run, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(claim.Claim, "check", interrupted)
    with pytest.raises(KeyboardInterrupt):
        acquire(run, Watch())
    assert names(run) == []


def test_a_claim_that_cannot_be_read_stops_the_study_with_a_sentence(run):
    (run / "claim-000001.json").mkdir(parents=True)
    with pytest.raises(StudyStopped, match=r"claim-000001\.json cannot be read: Is a directory"):
        acquire(run, Watch())


# ------------------------------------------------------------------------------------- holders of this host


def test_a_dead_holder_is_replaced_and_what_it_left_half_written_removed(run, dead):
    leave_claim(run, dead, generation=3)
    (run / f".history.parquet.{dead}.00aa.tmp").write_text("half")
    (run / "history.parquet").write_text("whole")
    assert not holder_alive(run)
    assert acquire(run, Watch())
    assert names(run) == ["claim-000004.json", "history.parquet"]


def test_a_holder_whose_number_another_process_has_now_is_dead(run):
    leave_claim(run, replace(this_process(), pid=os.getppid(), started=start_time(os.getppid()) - 1))
    assert acquire(run, Watch())


def test_a_zombie_is_dead(run):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    leave_claim(run, replace(this_process(), pid=child.pid, started=start_time(child.pid)))
    assert acquire(run, Watch()) is None
    child.kill()
    wait_for(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert acquire(run, Watch())
    child.wait()


def test_a_stopped_process_of_this_host_keeps_its_run_however_long_its_heart_stands_still(run, clock):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        os.kill(child.pid, signal.SIGSTOP)
        leave_claim(run, replace(this_process(), pid=child.pid, started=start_time(child.pid)), age=1e6)
        watch = Watch()
        assert acquire(run, watch) is None
        clock[0] += 1e6
        assert acquire(run, watch) is None
    finally:
        child.kill()
        child.wait()


# ------------------------------------------------------------------------------------- holders of other hosts


@pytest.mark.parametrize("age", [0.0, 1e6, -1e6], ids=["now", "long ago", "in the future"])
def test_a_foreign_claim_is_dead_when_its_beat_stands_still_by_our_own_clock(run, clock, age):
    leave_claim(run, ELSEWHERE, age=age)
    watch = Watch()
    assert acquire(run, watch) is None
    clock[0] += claim.PATIENCE
    assert acquire(run, watch) is None
    clock[0] += 1
    assert acquire(run, watch)


def test_a_foreign_claim_that_beats_is_respected(run, clock):
    path, watch = leave_claim(run, ELSEWHERE), Watch()
    for beat in range(10):
        os.utime(path, (1000 + beat,) * 2)
        assert acquire(run, watch) is None
        clock[0] += claim.PATIENCE - 1


def test_another_foreign_claim_in_its_place_is_watched_anew(run, clock):
    path, watch = leave_claim(run, ELSEWHERE), Watch()
    beat = path.stat().st_mtime_ns
    assert acquire(run, watch) is None
    clock[0] += claim.PATIENCE + 1
    os.utime(leave_claim(run, ELSEWHERE, token="another"), ns=(beat, beat))
    assert acquire(run, watch) is None


@pytest.mark.parametrize(("late", "alive"), [(-30, True), (30, False)])
def test_in_one_look_a_foreign_claim_lives_as_long_as_its_beat_is_young(run, late, alive):
    leave_claim(run, ELSEWHERE, age=claim.PATIENCE + late)
    assert holder_alive(run) == alive


@pytest.mark.parametrize(
    "text", ["", "{", '{"token": "x", "proc', "{}", "[]", "null", '{"token": "x", "process": "y"}']
)
def test_a_claim_that_is_being_written_is_somebodys_until_it_stood_still_long_enough(run, clock, text):
    run.mkdir()
    (run / "claim-000002.json").write_text(text)
    watch = Watch()
    assert holder_alive(run)
    assert acquire(run, watch) is None
    clock[0] += claim.PATIENCE + 1
    assert acquire(run, watch)
    assert names(run) == ["claim-000003.json"]


# ------------------------------------------------------------------------------------------- taking over


def test_who_was_taken_over_writes_nothing_more(run):
    with acquire(run, Watch()) as ours:
        theirs = leave_claim(run, ELSEWHERE, generation=2)
        with pytest.raises(ClaimLost, match="has taken this run over"):
            files.write(run / "status.json", "ours", ours.check)
        ours.path.unlink()
        with pytest.raises(ClaimLost):
            ours.check()
    assert names(run) == [theirs.name]


def test_a_write_that_slept_between_check_and_rename_fails(run, monkeypatch):
    """The other host takes over after the check has passed: it sweeps the draft, and the rename finds nothing."""
    with acquire(run, Watch()) as ours:
        files.write(run / "status.json", "old", ours.check)

        def check() -> None:
            ours.check()
            with monkeypatch.context() as other:
                other.setattr("assay.system.process.this_host", lambda: "another host")
                other.setattr(Watch, "is_dead", lambda *_: True)
                assert acquire(run, Watch())

        with pytest.raises(FileNotFoundError):
            files.write(run / "status.json", "new", check)
        assert (run / "status.json").read_text() == "old"
        with pytest.raises(ClaimLost):
            ours.check()
    assert names(run) == ["claim-000002.json", "status.json"]


def test_who_judged_a_claim_that_is_no_longer_there_gives_way_to_a_higher_one(run, dead, monkeypatch):
    """Between our look and our claim, one process has taken over from the dead holder, and another from that one."""
    seen = claim.read(leave_claim(run, dead, generation=1))
    third = leave_claim(run, ELSEWHERE, generation=3)
    seen.path.unlink()
    looks = iter([seen])
    look = claim.holder
    monkeypatch.setattr(claim, "holder", lambda run: next(looks, None) or look(run))
    assert acquire(run, Watch()) is None
    assert names(run) == [third.name]


@pytest.mark.parametrize("left", ["nothing", "a dead claim"])
def test_of_many_threads_one_takes_over(tmp_path, dead, left):
    with ThreadPoolExecutor(8) as pool:
        for number in range(25):
            run = tmp_path / str(number)
            if left == "a dead claim":
                leave_claim(run, dead)
            won = [c for c in pool.map(lambda _, run=run: acquire(run, Watch()), range(8)) if c]
            assert len(won) == 1
            assert names(run) == [won[0].path.name]
            won[0].check()


@pytest.mark.parametrize("links", ["links", "no-links"])
def test_of_many_processes_one_takes_over(tmp_path, dead, links):
    rounds = 50
    for number in range(0, rounds, 2):
        leave_claim(tmp_path / str(number), dead)
    arguments = [str(tmp_path), str(rounds), str(time.time() + 2), links]
    racers = [
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("claim_racer.py")), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    won = [int(number) for racer in racers for number in racer.stdout.readline().split()]
    for racer in racers:
        racer.communicate()
    assert sorted(won) == list(range(rounds))


# ------------------------------------------------------------------------------------------- whole studies


def host(name: str, patience: float = 1.5, **changes) -> dict:
    """A command line that believes to be on another host, with a fast heart and little patience."""
    return {
        "set": {"system.process.this_host": name, "system.claim.BEAT": 0.1, "system.claim.PATIENCE": patience}
    } | changes


@pytest.mark.parametrize("hosts", [("one", "one"), ("one", "another")], ids=["one host", "two hosts"])
def test_two_that_start_at_once_share_the_runs(driver, study, undisturbed, tmp_path, hosts):
    pids = [driver.start(study, tmp_path, report=hosts[0] == hosts[1], **host(name, 60)) for name in hosts]
    assert [driver.wait(pid) for pid in pids] == [0, 0], (tmp_path / "output").read_text()
    folder = tmp_path / study.stem
    assert count(folder, "started") == count(folder, "finished") == len(run_folders(folder)) == 4
    assert leftovers(folder) == []
    assert [name for name in differences(undisturbed, folder) if not name.startswith("report")] == []
    if hosts[0] == hosts[1]:
        assert (folder / "report" / "index.html").read_text().rstrip().endswith("</html>")


def test_a_stopped_process_is_waited_for_on_its_own_host(driver, study, undisturbed, tmp_path):
    folder, first = tmp_path / study.stem, driver.start(study, tmp_path, **host("one"))

    def stopped_amid_a_run():
        os.kill(first, signal.SIGSTOP)
        wait_for(lambda: psutil.Process(first).status() == psutil.STATUS_STOPPED)
        if driving.running(folder):
            return True
        os.kill(first, signal.SIGCONT)
        return False

    wait_for(lambda: any(map(epochs, run_folders(folder))) and stopped_amid_a_run())
    second = driver.start(study, tmp_path, **host("one"))
    wait_for(lambda: [state(run) for run in run_folders(folder)].count("finished") >= 3)
    assert driver.wait(second, 3) is None, "it did not wait"
    assert [state(run) for run in run_folders(folder)].count("running") == 1
    os.kill(first, signal.SIGCONT)
    assert [driver.wait(first), driver.wait(second)] == [0, 0]
    assert count(folder, "started") == 4
    assert differences(undisturbed, folder) == []


@pytest.fixture(scope="module")
def short(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A study of two short runs, and its folder when nothing happens."""
    train = {"train.optimizer.lr": [0.001, 0.002], "train.epochs": [4]}
    study = write_study(tmp_path_factory.mktemp("study") / "short.yaml", vary=train)
    return study, driver.finish(study, tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "phase", "nth"),
    [
        ("checkpoint.safetensors", "before", 3),
        ("checkpoint.safetensors", "flushed", 3),
        ("status.json", "flushed", 3),
        ("status.json", "flushed", 6),  # the one that says "finished"
        ("history.parquet", "renamed", 3),
        ("log.txt", "before", 3),
        ("claim-000001.json", "flushed", 2),
        ("claim-000001.json", "renamed", 2),
    ],
)
def test_who_slept_too_long_on_another_host_is_taken_over_and_stays_silent(driver, short, tmp_path, name, phase, nth):
    study, undisturbed = short
    folder, trap = tmp_path / study.stem, {"name": name, "phase": phase, "nth": nth, "stop": True}
    sleeper = driver.start(study, tmp_path, kill=trap, **host("one"))
    wait_for(lambda: psutil.Process(sleeper).status() == psutil.STATUS_STOPPED)
    assert driver.run(study, tmp_path, **host("another")) == 0
    before = finished(folder)
    assert {state(run) for run in run_folders(folder)} == {"finished"}
    assert set(differences(undisturbed, folder)) == set(leftovers(folder))
    os.kill(sleeper, signal.SIGCONT)
    assert driver.wait(sleeper) == 0, (tmp_path / "output").read_text()
    assert kept(before, folder)
    assert differences(undisturbed, folder) == []


@pytest.mark.parametrize(("name", "phase", "nth"), [("claim-000001.json", "opened", 4), ("status.json", "half", 9)])
def test_killed_on_a_file_system_without_hard_links(driver, short, tmp_path, name, phase, nth):
    """In the first case, the second run's claim is left empty: nobody knows whose it is, and that it is dead."""
    study, undisturbed = short
    trap = {"name": name, "phase": phase, "nth": nth}
    assert driver.run(study, tmp_path, kill=trap, links=False, **host("one")) == -signal.SIGKILL
    before = finished(tmp_path)
    begun = time.monotonic()
    folder = driver.finish(study, tmp_path, links=False, **host("one"))
    assert name != "claim-000001.json" or time.monotonic() - begun > 1.5
    assert kept(before, tmp_path)
    assert differences(undisturbed, folder) == []


def test_who_waits_takes_over_when_the_other_is_interrupted(driver, study, undisturbed, tmp_path):
    folder = tmp_path / study.stem
    first = driver.start(study, tmp_path)
    wait_for(lambda: driving.running(folder))
    second = driver.start(study, tmp_path)
    wait_for(lambda: count(folder, "started") >= 2)
    os.kill(first, signal.SIGINT)
    assert [driver.wait(first), driver.wait(second)] == [130, 0]
    assert differences(undisturbed, folder) == []
