"""Who trains a run: a claim in its folder, so that no two processes, here or on another host, train it twice.

Claims are files ``claim-<generation>.json``, created by a hard link, which exactly one process can win. The highest
generation holds the run. A dead holder's run is taken over by creating the next generation, never by changing the
dead one's file; a holder that was only thought dead finds its file gone and stops before its next write.

A holder on this host is dead when its process is gone. Of another host only the heartbeat is known: its claim is dead
when the beat, watched by our own clock, has stood still for ``PATIENCE`` seconds.
"""

import json
import os
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from assay.errors import AssayError
from assay.files import create, read_json, write_json

BEAT = 5.0
PATIENCE = 90.0


class ClaimLost(AssayError):
    """Another process has taken this run over; nothing more may be written."""


@cache
def this_host() -> str:
    """A name for the set of processes whose numbers we can look up: host, boot and process namespace."""
    parts = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            parts.append(os.readlink(path) if "ns" in path else Path(path).read_text().strip())
        except OSError:
            continue
    return "/".join(parts)


@dataclass(frozen=True)
class Holder:
    """What a claim file says."""

    path: Path
    generation: int
    token: str
    host: str
    pid: int
    started: float
    beat: int
    beat_time: float

    def is_dead_here(self) -> bool | None:
        """Whether the process is gone; None when it is not one of this host's."""
        if self.host != this_host():
            return None
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.started) > 5 or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host.split('/')[0]}"


def holder(run: Path) -> Holder | None:
    """The claim of the highest generation in the run's folder, or None."""
    for path in sorted(run.glob("claim-*.json"), reverse=True):
        values = read_json(path)
        if values is not None:
            return Holder(path=path, **values)
    return None


def holder_alive(run: Path) -> bool:
    """Whether somebody seems to train this run now, judged in one look (clocks of other hosts are believed)."""
    claim = holder(run)
    if claim is None:
        return False
    dead = claim.is_dead_here()
    return not dead if dead is not None else time.time() - claim.beat_time < PATIENCE


@dataclass
class Watch:
    """Judges claims over time: remembers since when each foreign heartbeat has stood still."""

    seen: dict[Path, tuple[str, int, float]] = field(default_factory=dict)

    def is_dead(self, claim: Holder) -> bool:
        """Whether the holder is known to be gone."""
        dead = claim.is_dead_here()
        if dead is not None:
            return dead
        token, beat, since = self.seen.get(claim.path, ("", -1, 0.0))
        if (token, beat) != (claim.token, claim.beat):
            self.seen[claim.path] = (claim.token, claim.beat, time.monotonic())
            return False
        return time.monotonic() - since > PATIENCE


class Claim:
    """A claim that this process holds, as a context: the heart beats inside it, and leaving it releases the run."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path, self.content = path, content
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="assay-heartbeat", daemon=True)

    def check(self) -> None:
        """Raise ClaimLost when another process has taken the run over; called before every write."""
        if self._lost.is_set() or not self._is_ours():
            self._lost.set()
            raise ClaimLost(f"{self.path.parent}: another process has taken this run over")

    def _is_ours(self) -> bool:
        now = holder(self.path.parent)
        return now is not None and now.token == self.content["token"]

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            try:
                self.check()
                self.content = self.content | {"beat": self.content["beat"] + 1, "beat_time": time.time()}
                write_json(self.path, self.content)
            except ClaimLost:
                return
            except OSError:
                continue  # a full disk or a network share that stalls; the next beat may go through

    def __enter__(self) -> "Claim":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._is_ours():
            self.path.unlink(missing_ok=True)


def acquire(run: Path, watch: Watch) -> Claim | None:
    """Claim the run, or None while somebody else holds it. Taking over removes the dead holder's file."""
    run.mkdir(parents=True, exist_ok=True)
    current = holder(run)
    if current is not None and not watch.is_dead(current):
        return None
    generation = current.generation + 1 if current else 1
    content = {
        "generation": generation,
        "token": secrets.token_hex(8),
        "host": this_host(),
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "beat": 0,
        "beat_time": time.time(),
    }
    path = run / f"claim-{generation:06d}.json"
    if not create(path, json.dumps(content)):
        return None
    for old in run.glob("claim-*.json"):
        if old < path:
            old.unlink(missing_ok=True)
    return Claim(path, content)
