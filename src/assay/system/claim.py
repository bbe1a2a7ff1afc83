"""Who trains a run: a claim in its folder, so that no two processes, here or on another host, train it twice.

Claims are files ``claim-<generation>.json`` that exactly one process can create. The highest generation holds the run.
A dead holder's run is taken over by creating the next generation, never by changing the dead one's file.

A holder on this host is dead when its process is gone. Of another host only the heartbeat is known, the claim's time
of modification: its claim is dead when the beat, watched by our own clock, has stood still for ``PATIENCE`` seconds.

A holder that was only thought dead (a host that slept) writes nothing more when it wakes: it flushes a file under a
temporary name, checks its claim, renames; whoever takes over creates its claim, then removes all temporary files.
So either the check fails, or the rename does, or the file was in place before the new holder read anything.
"""

import errno
import json
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from assay.errors import AssayError, StudyStopped
from assay.system.files import create
from assay.system.process import Process, this_process

BEAT = 5.0
PATIENCE = 90.0

_held: set[str] = set()
"""The tokens of the claims that this process holds."""


class ClaimLost(AssayError):
    """Another process has taken this run over; nothing more may be written."""


@dataclass(frozen=True)
class Holder:
    """What a claim file says. One that cannot be read, since it is being written, has no process and no token."""

    path: Path
    token: str
    process: Process | None
    beat: int
    """Time of the last heartbeat in nanoseconds, by the clock of the disk's host."""

    @property
    def generation(self) -> int:
        """How many claims there were before, and this one."""
        return int(self.path.stem.removeprefix("claim-"))

    def is_dead_here(self) -> bool | None:
        """Whether the process is gone; None when it is not one of this host's."""
        if self.process is None:
            return None
        if self.process == this_process():
            return self.token not in _held
        return self.process.is_gone()


def holder(run: Path) -> Holder | None:
    """The claim of the highest generation in the run's folder, or None."""
    claims = (read(path) for path in sorted(run.glob("claim-*.json"), reverse=True))
    return next((claim for claim in claims if claim is not None), None)


def read(path: Path) -> Holder | None:
    """One claim file, or None when it is gone."""
    try:
        with open(path, encoding="utf-8") as file:
            beat, text = os.fstat(file.fileno()).st_mtime_ns, file.read()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESTALE):
            return None
        raise StudyStopped(f"{path} cannot be read: {error.strerror}") from error
    try:
        values = json.loads(text)
        return Holder(path, values["token"], Process.parse(values["process"]), beat)
    except (ValueError, TypeError, KeyError):
        return Holder(path, "", None, beat)


def holder_alive(run: Path) -> bool:
    """Whether somebody seems to train this run now, judged in one look (clocks of other hosts are believed)."""
    claim = holder(run)
    if claim is None:
        return False
    dead = claim.is_dead_here()
    return not dead if dead is not None else time.time() - claim.beat / 1e9 < PATIENCE


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

    def __init__(self, path: Path, token: str) -> None:
        self.path, self.token = path, token
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="assay-heartbeat", daemon=True)

    def check(self) -> None:
        """Raise ClaimLost when another process has taken the run over; called before every write."""
        now = holder(self.path.parent)
        if now is None or now.token != self.token:
            raise ClaimLost(f"{self.path.parent}: another process has taken this run over")

    def release(self) -> None:
        """Give the run free, or, where it was taken over, remove what is left of our claim."""
        _held.discard(self.token)
        claim = read(self.path)
        if claim is not None and claim.token == self.token:
            self.path.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            with suppress(OSError):  # a share that stalls: the next beat may go through; a lost claim: check() tells
                os.utime(self.path)

    def __enter__(self) -> "Claim":
        try:
            self._thread.start()
        except BaseException:  # a Ctrl-C too: nobody will call __exit__
            self._stop.set()
            self.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        with suppress(OSError, StudyStopped):  # what stays binds nobody once this process has ended
            self.release()


def acquire(run: Path, watch: Watch) -> Claim | None:
    """Claim the run, or None while somebody else holds it; what a dead holder left half written is removed."""
    current = holder(run)
    if current is not None and not watch.is_dead(current):
        return None
    token = secrets.token_hex(8)
    claim = Claim(run / f"claim-{current.generation + 1 if current else 1:06d}.json", token)
    content = {"token": token, "process": str(this_process()), "host": socket.gethostname(), "pid": os.getpid()}
    _held.add(token)
    try:
        if not create(claim.path, json.dumps(content)):
            _held.discard(token)
            return None
        claim.check()  # somebody may have created a higher generation while the one we judged was taken away
        for left in [*run.glob(".*.tmp"), *(old for old in run.glob("claim-*.json") if old < claim.path)]:
            left.unlink(missing_ok=True)
    except ClaimLost:
        claim.release()
        return None
    except BaseException:
        claim.release()
        raise
    return claim
