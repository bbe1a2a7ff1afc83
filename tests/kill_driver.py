"""Runs the command line in forked children, which can be killed at a chosen write and phase.

Started as a process of its own, it imports everything once and answers one line of JSON with another:
``{"do": "start", "arguments": [...], "kill": {...}, "set": {...}}`` gives ``{"pid": n}``, and
``{"do": "wait", "pid": n, "seconds": s}`` gives ``{"code": exit status}``, negative for a signal, null if it runs on.

``kill`` is ``{"name": pattern, "nth": 1, "phase": p}``: SIGKILL at the nth write of a file so called, ``before`` there
is a temporary file, when it is ``opened`` and empty, with ``half`` of it written, when it is ``flushed`` and not yet
renamed, when it is ``renamed``; or at the nth removal of such a file, before (``kept``) or after it (``removed``).
``{"batch": n}`` is SIGKILL before the nth batch that is learned, ``{"search": n}`` before the nth picture that is
searched for regions, counted over all runs of the process.
Instead of the signal, ``"errno": n`` raises that OSError from then on, and ``"stop": true`` sends SIGSTOP.

``set`` patches attributes of the package (``{"claim.BEAT": 0.1}``), ``environment`` changes os.environ, ``cores`` is
how many there seem to be (1), ``"links": false`` forbids hard links, and ``"report": true`` lets the report be written.
"""

import contextlib
import importlib
import itertools
import json
import os
import re
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

MODULES = ("cli", "runs.engine", "runs.run", "runs.processes", "results", "report.page", "data.cache", "models.cnn")


class Trap:
    """Waits for one write and phase, and springs."""

    def __init__(self, name: str, phase: str, nth: int = 1, errno: int | None = None, stop: bool = False) -> None:
        self.name, self.phase, self.left, self.errno, self.stop = re.compile(name), phase, nth, errno, stop

    def spring(self, phase: str, path: Any) -> None:
        """Kill, stop or fail, if this is the place."""
        if phase != self.phase or not self.name.fullmatch(target(path)):
            return
        self.left -= 1
        if self.left and not self.errno:
            return
        if self.errno:
            if self.left <= 0:
                raise OSError(self.errno, os.strerror(self.errno), str(path))
        else:
            os.kill(os.getpid(), signal.SIGSTOP if self.stop else signal.SIGKILL)

    def set(self) -> None:
        """Put the trap around what assay.system.files asks of the system."""
        from assay.system import files

        replace, link, fsync, unlink, rename = os.replace, os.link, os.fsync, os.unlink, os.rename

        def opened(path: Any, mode: str = "r", **options: Any) -> Any:
            writes = "x" in mode or "a" in mode
            if writes:
                self.spring("before", path)
            file = open(path, mode, **options)  # noqa: SIM115
            if writes:
                self.spring("opened", path)
            return file

        def synced(descriptor: int) -> None:
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            if self.phase == "half" and path.suffix == ".tmp" and self.left == 1 and self.name.fullmatch(target(path)):
                os.ftruncate(descriptor, path.stat().st_size // 2)
            if path.suffix == ".tmp":
                self.spring("half", path)
            fsync(descriptor)

        def replaced(source: Any, place: Any) -> None:
            self.spring("flushed", place)
            replace(source, place)
            self.spring("renamed", place)

        def linked(source: Any, place: Any) -> None:
            self.spring("flushed", place)
            link(source, place)
            self.spring("renamed", place)

        def renamed(source: Any, place: Any) -> None:
            self.spring("flushed", place)
            rename(source, place)
            self.spring("renamed", place)

        def removed(path: Any, **options: Any) -> None:
            self.spring("kept", path)
            unlink(path, **options)
            self.spring("removed", path)

        files.open = opened  # type: ignore[attr-defined]
        os.replace, os.link, os.fsync, os.unlink, os.rename = replaced, linked, synced, removed, renamed  # type: ignore[assignment]


CALLED = {"batch": ("train.steps", "Steps.__call__"), "search": ("data.proposals", "searched")}
"""What is counted → the module and the name of what is then called."""


def kill_before(counted: str, nth: int) -> None:
    """SIGKILL before the nth call."""
    module, name = CALLED[counted]
    holder, _, attribute = name.rpartition(".")
    found = importlib.import_module(f"assay.{module}")
    owner = getattr(found, holder) if holder else found
    call, turns = getattr(owner, attribute), itertools.count(1)

    def killing(*arguments: Any) -> Any:
        if next(turns) == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments)

    setattr(owner, attribute, killing)


def target(path: Any) -> str:
    """The name of the file that a temporary file is written for; of any other file its own."""
    name = Path(path).name
    return name[1:].rsplit(".", 3)[0] if name.endswith(".tmp") and name.startswith(".") else name


def child(request: dict[str, Any]) -> int:
    """The command line, as the user would start it."""
    from assay import cli

    with contextlib.suppress(KeyError):
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
    os.environ.update(request.get("environment", {}))
    at_once = importlib.import_module("assay.runs.at_once")
    assert callable(at_once.available_cores)
    at_once.available_cores = lambda: request.get("cores", 1)
    for name, value in request.get("set", {}).items():
        module, attribute = name.rsplit(".", 1)
        owner = importlib.import_module(f"assay.{module}")
        setattr(owner, attribute, (lambda v: lambda: v)(value) if callable(getattr(owner, attribute)) else value)
    if not request.get("links", True):
        os.link = no_links
    if not request.get("report", False):
        results = importlib.import_module("assay.results").Results
        results.verdict = importlib.import_module("assay.report.page").write_report = lambda *_: None
    os.fsync = os.fstat  # type: ignore[assignment]  # a signal loses nothing of what the system was handed
    kill = request.get("kill")
    if kill and kill.keys() <= CALLED.keys():
        kill_before(*next(iter(kill.items())))
    elif kill:
        Trap(**kill).set()
    sys.argv = ["assay", *request["arguments"]]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 70
    return 0


def no_links(*_: Any) -> None:
    """What a file system without hard links says."""
    raise PermissionError(1, os.strerror(1))


def wait(pid: int, seconds: float) -> int | None:
    """The exit status of a child, or None when it runs on after that many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def main() -> None:
    """Answer requests until the input ends."""
    for module in MODULES:
        importlib.import_module(f"assay.{module}")
    for module in (
        "torch._dynamo",
        "kornia.augmentation",
        "sklearn.datasets",
        "altair",
        "vl_convert",
        "polars",
        "typer",
    ):
        importlib.import_module(module)
    children: list[int] = []
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "wait":
            print(json.dumps({"code": wait(request["pid"], request["seconds"])}), flush=True)
            continue
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.stdin.close()
            code = 70
            try:
                code = child(request)
                sys.stdout.flush()
            finally:
                os._exit(code)
        children.append(pid)
        print(json.dumps({"pid": pid}), flush=True)
    for pid in children:
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
