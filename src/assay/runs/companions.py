"""The other devices of a run (``train.devices``): a process each, which trains along and keeps nothing.

A companion is ``python -m assay.runs.companions``. What it trains comes through its input, and the end of that input,
whatever ended us, ends it too; through its output it says that it is ready. What has stopped it lies in a
folder of the run's devices.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from assay.data import load
from assay.errors import AssayError, RunFailed, StudyStopped
from assay.models.weights import initial_network
from assay.recipe import Recipe
from assay.runs.folder import Settings
from assay.runs.trouble import reason
from assay.system import files
from assay.system.children import Child, interrupts_blocked, manner, new_child
from assay.system.machine import refuse_full, refuse_too_many, reproducible, resolve_device, share_memory
from assay.system.memory import keep_freed_memory
from assay.tasks import catalogue
from assay.train.checkpoint import State, pack, unpack
from assay.train.devices import ALONE, Devices, is_parting, meeting
from assay.train.phases import train

READY = "ready"
FAILED, PARTED = 4, 5
"""Exit status of one that has said what stopped it, and of one that another has left."""
_PATIENCE = 10.0
"""Seconds for those to end whose run has ended."""


def placed_at(recipe: Recipe, settings: Settings, number: int = 0) -> torch.device:
    """Where the device ``number`` of a run trains; the workers of a study take their cards one after the other.

    Raises AssayError where the machine has not so many.
    """
    refuse_too_many(recipe.train.device, recipe.train.devices)
    return resolve_device(recipe.train.device, settings.device_number * recipe.train.devices + number)


def share_card(recipe: Recipe, settings: Settings, device: torch.device) -> None:
    """Leave the other runs at the cards their part of the memory."""
    share_memory(device, settings.workers * recipe.train.devices, ":" in recipe.train.device)


@contextmanager
def companions(
    recipe: Recipe, state: State, device: torch.device, settings: Settings, log: Callable[[str], None]
) -> Iterator[Devices]:
    """A block in which all devices of the run train from ``state``; ours, ``device``, is the first.

    Raises RunFailed with what stopped another one, and StudyStopped where one was killed: the same command goes on.
    """
    count = recipe.train.devices
    if count == 1:
        yield ALONE
        return
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        place, devices = Path(folder), Devices(0, count)
        others = _started(recipe, state, settings, place)
        with _ended(others, place, log):
            for each in others:
                assert each.stdout is not None
                if each.stdout.readline().strip() != READY:
                    raise _Parted
            with meeting(devices, device, place), _ended(others, place, log):  # they end first: no sum waits for them
                log(f"{count} devices share every batch")
                yield devices


def _started(recipe: Recipe, state: State, settings: Settings, place: Path) -> list[Child]:
    (place / "state").write_bytes(pack(state))
    others = []
    for number in range(1, recipe.train.devices):
        with interrupts_blocked():
            other = new_child("assay.runs.companions", settings.threads)
        others.append(other)
        plan = {"recipe": recipe.dump(), "number": number, "place": str(place)}
        plan |= {"settings": asdict(settings) | {"root": str(settings.root)}}
        assert other.stdin is not None
        with suppress(BrokenPipeError):
            other.stdin.write(json.dumps(plan) + "\n")
            other.stdin.flush()
    return others


class _Parted(RuntimeError):
    """A companion ended before it had begun."""


@contextmanager
def _ended(others: Sequence[Child], place: Path, log: Callable[[str], None]) -> Iterator[None]:
    """A block after which all have ended; where one of them ended it, with what stopped that one."""
    over = threading.Event()
    threading.Thread(target=_abort_with, args=(others, over), daemon=True).start()
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, _Parted) or is_parting(error)):
            raise
        raise _stopped(others, place, log) or error from None
    else:
        over.set()
        for each in others:
            with suppress(subprocess.TimeoutExpired):
                each.wait(_PATIENCE)
    finally:
        over.set()
        for each in others:
            _end(each)


def _stopped(others: Sequence[Child], place: Path, log: Callable[[str], None]) -> AssayError | None:
    """What stopped a companion; None where none has ended."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        for number, other in enumerate(others, start=1):
            code = other.poll()
            if code == FAILED:
                said = files.read_object(place / f"stopped-{number}")
                log(f"device {number} failed: {said['details']}")
                return RunFailed(said["reason"])
            if code not in (None, 0, PARTED):
                how = f"the process of device {number} ended without a word ({manner(other)})"
                return StudyStopped(f"{how}; the same command goes on after the last whole epoch")
        time.sleep(0.05)
    return None


def _abort_with(others: Sequence[Child], over: threading.Event) -> None:
    """Let nobody wait for a device that has ended before its time: gloo sees that by itself, NCCL does not."""
    while not over.wait(0.25):
        if any(other.poll() for other in others):
            if distributed.is_initialized() and distributed.group.WORLD is not None:
                distributed.group.WORLD.abort()
            return


def _end(other: Child) -> None:
    other.kill()
    other.wait()
    for pipe in (other.stdin, other.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()


def main() -> None:
    """The companion's side."""
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no word of ours
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        return
    plan: dict[str, Any] = json.loads(line)
    watch = threading.Thread(target=_end_with_first, args=(plan["place"],), daemon=True)
    watch.start()
    try:
        _train_along(plan, lambda: print(READY, file=said, flush=True))
    except Exception as error:
        if is_parting(error):
            watch.join(_PATIENCE)  # of the first one's end, or killed by it
            os._exit(PARTED)
        told = {"reason": reason(error), "details": traceback.format_exc().rstrip()}
        files.write_json(Path(plan["place"]) / f"stopped-{plan['number']}", told)
        os._exit(FAILED)
    os._exit(0)


def _train_along(plan: dict[str, Any], ready: Callable[[], None]) -> None:
    settings = Settings(**plan["settings"] | {"root": Path(plan["settings"]["root"])})
    recipe, place = Recipe(**plan["recipe"]), Path(plan["place"])
    keep_freed_memory()
    with reproducible(settings.threads):
        device = placed_at(recipe, settings, plan["number"])
        share_card(recipe, settings, device)
        refuse_full(device)
        data, state = load(recipe.data, recipe.seed, settings.root), unpack((place / "state").read_bytes())
        outputs = catalogue.task(recipe.task).outputs(recipe.train.loss, data.classes)
        network, _ = initial_network(recipe, data.shape, outputs, data.classes)
        ready()
        devices = Devices(plan["number"], recipe.train.devices)
        with meeting(devices, device, place):
            train(network.to(device), data, recipe, device, state, lambda state: None, lambda line: None, devices)


def _end_with_first(place: str) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    shutil.rmtree(place, ignore_errors=True)
    os._exit(PARTED)


if __name__ == "__main__":
    main()
