"""Writes that are whole or not there, files that one process alone creates, and what killed writers leave."""

import errno
import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import StudyStopped
from assay.system import files
from assay.system.process import Process, this_process


def dead_process() -> Process:
    """A process of this host that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return replace(this_process(), pid=ended.pid, started=1)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_with(number: int):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


# --------------------------------------------------------------------------------------------------- write


@settings(max_examples=20, deadline=None)
@given(st.lists(st.binary() | st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=3))
def test_the_last_content_written_is_read(tmp_path_factory, contents):
    path = tmp_path_factory.mktemp("files") / "new" / "file"
    for content in contents:
        files.write(path, content)
    last = contents[-1]
    assert path.read_bytes() == (last.encode() if isinstance(last, str) else last)
    assert names(path.parent) == ["file"]


def test_equal_values_give_equal_json_whatever_their_order(tmp_path):
    files.write_json(tmp_path / "a", {"x": 1, "y": {"é": [1.5, None], "b": True}})
    files.write_json(tmp_path / "b", {"y": {"b": True, "é": [1.5, None]}, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert files.read_object(tmp_path / "a") == {"x": 1, "y": {"b": True, "é": [1.5, None]}}
    assert files.read_object(tmp_path / "none", missing={}) == {}


def test_lines_are_added(tmp_path):
    files.append(tmp_path / "log", "one")
    files.append(tmp_path / "log", "zwölf")
    assert (tmp_path / "log").read_text(encoding="utf-8") == "one\nzwölf\n"


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "file"
    files.write(path, b"0" * 100_000)
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(lambda: [files.write(path, bytes([48 + i % 10]) * 100_000) for i in range(50)])
        while not writing.done():
            content = path.read_bytes()
            assert len(content) == 100_000
            assert len(set(content)) == 1


def test_the_check_comes_when_all_is_flushed_and_prevents_the_rename(tmp_path):
    path = tmp_path / "file"
    files.write(path, "old")

    def check() -> None:
        (draft,) = tmp_path.glob(".*.tmp")
        assert draft.read_text() == "new"
        raise PermissionError("no longer ours")

    with pytest.raises(StudyStopped):
        files.write(path, "new", check)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_trouble_with_the_disk_stops_the_study_and_keeps_the_old_file(tmp_path, monkeypatch, number, call):
    path = tmp_path / "status.json"
    files.write(path, "old")
    monkeypatch.setattr(os, call, fail_with(number))
    with pytest.raises(StudyStopped, match=rf"cannot write .*status\.json: {os.strerror(number)}"):
        files.write(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["status.json"]


def test_a_limit_on_the_size_of_files_is_trouble_too(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StudyStopped, match="too large"):
            files.write(tmp_path / "file", b"0" * 10_000)
        with pytest.raises(StudyStopped, match="too large"):
            files.append(tmp_path / "log", "0" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) in (["log"], [])


def test_a_file_where_a_folder_should_be_is_one_sentence(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(StudyStopped, match=r"cannot write .*study\.yaml"):
        files.write(tmp_path / "runs" / "study" / "study.yaml", "")


def test_a_folder_that_cannot_be_flushed_is_no_trouble(tmp_path, monkeypatch):
    fsync = os.fsync

    def refused(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            fail_with(errno.EINVAL)()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refused)
    files.write(tmp_path / "file", "content")
    assert (tmp_path / "file").read_text() == "content"


# ----------------------------------------------------------------------------------------------- leftovers


def leave(folder: Path, name: str, writer: Process, age: float = 0.0) -> str:
    draft = folder / f".{name}.{writer}.0011aabb.tmp"
    draft.write_text("half")
    os.utime(draft, (time.time() - age,) * 2)
    return draft.name


@pytest.mark.parametrize("name", ["status.json", "confusion-1-activation=[a-z]*.svg", "ü .x..csv"])
def test_the_next_write_removes_what_a_killed_one_left(tmp_path, name):
    leave(tmp_path, name, dead_process())
    leave(tmp_path, name, replace(this_process(), host="elsewhere"), age=2 * files.ABANDONED)
    live = leave(tmp_path, name, this_process(), age=2 * files.ABANDONED)
    foreign = leave(tmp_path, name, replace(this_process(), host="elsewhere"))
    files.write(tmp_path / name, "whole")
    assert names(tmp_path) == sorted([live, foreign, name])


def test_only_drafts_of_that_file_are_removed(tmp_path):
    other = leave(tmp_path, "status.json", dead_process())
    (tmp_path / ".status.tmp").write_text("somebody else's")
    (tmp_path / ".status.a.b.tmp").write_text("somebody else's")
    files.write(tmp_path / "status", "whole")
    assert names(tmp_path) == sorted([other, ".status.tmp", ".status.a.b.tmp", "status"])


# -------------------------------------------------------------------------------------------------- create


def no_links(*_):
    raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.fixture(params=["hard links", "no hard links"])
def links(request, monkeypatch):
    if request.param == "no hard links":
        monkeypatch.setattr(os, "link", no_links)


@pytest.mark.usefixtures("links")
def test_of_many_that_create_a_file_one_succeeds(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        for n in range(20):
            path = tmp_path / str(n) / "claim"
            won = list(pool.map(lambda text, path=path: files.create(path, text), map(str, range(8))))
            assert sum(won) == 1
            assert path.read_text() == str(won.index(True))
            assert names(path.parent) == ["claim"]


@pytest.mark.usefixtures("links")
def test_what_is_there_is_not_replaced(tmp_path):
    (tmp_path / "claim").write_text("mine")
    assert not files.create(tmp_path / "claim", "yours")
    assert (tmp_path / "claim").read_text() == "mine"
    assert names(tmp_path) == ["claim"]


def test_who_has_lost_his_draft_has_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", fail_with(errno.ENOENT))
    assert not files.create(tmp_path / "claim", "mine")
    assert names(tmp_path) == []


def test_a_file_that_cannot_be_filled_is_not_left_empty(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", no_links)
    fsync = os.fsync

    def full(descriptor: int) -> None:
        if not os.readlink(f"/proc/self/fd/{descriptor}").endswith(".tmp"):
            fail_with(errno.ENOSPC)()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StudyStopped, match="No space left"):
        files.create(tmp_path / "claim", json.dumps({}))
    assert names(tmp_path) == []


# ------------------------------------------------------------------------------------------------- process


def test_a_process_is_told_from_another_with_its_number():
    here = this_process()
    assert Process.parse(str(here)) == here
    assert here.is_gone() is False
    assert replace(here, started=here.started - 1).is_gone() is True
    assert dead_process().is_gone() is True
    assert replace(here, host="elsewhere").is_gone() is None


def test_a_zombie_is_gone_and_a_stopped_process_is_not():
    from assay.system.process import start_time

    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        process = replace(this_process(), pid=child.pid, started=start_time(child.pid))
        os.kill(child.pid, 19)
        assert process.is_gone() is False
        os.kill(child.pid, 9)
        while Path(f"/proc/{child.pid}/stat").read_text().split()[2] != "Z":
            time.sleep(0.01)
        assert process.is_gone() is True
    finally:
        child.kill()
        child.wait()
    assert process.is_gone() is True


@pytest.mark.parametrize("text", ["", "a-b", "host-1", "host-x-3", "a-1-2-3"])
def test_no_process_is_read_from_other_text(text):
    with pytest.raises(ValueError):
        Process.parse(text)
