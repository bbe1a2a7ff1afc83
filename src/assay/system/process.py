"""Which process, on which host: told apart from every other that ever had the same number."""

import hashlib
import os
import shlex
import socket
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Process:
    """One process of one host."""

    host: str
    """As ``this_host`` names it."""
    pid: int
    started: int
    """When it began, by ``start_time``."""

    def is_gone(self) -> bool | None:
        """Whether it has ended; None when it is another host's and cannot be looked up from here."""
        if self.host != this_host():
            return None
        try:
            return start_time(self.pid) != self.started or psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return True
        except (psutil.AccessDenied, PermissionError):
            return False

    def __str__(self) -> str:
        return f"{self.host}-{self.pid}-{self.started}"

    @classmethod
    def parse(cls, text: str) -> "Process":
        """The inverse of ``str``; ValueError for any other text."""
        host, pid, started = text.split("-")
        return cls(host, int(pid), int(started))


def this_process() -> Process:
    """The process that asks."""
    return Process(this_host(), os.getpid(), start_time(os.getpid()))


@cache
def this_host() -> str:
    """A short name for the set of processes that can be looked up from here: host, boot and process namespace."""
    parts = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            parts.append(os.readlink(path) if "ns" in path else Path(path).read_text().strip())
        except OSError:
            continue
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:12]


def start_time(pid: int) -> int:
    """When a process began: in ticks since boot where /proc has it, which setting the clock leaves alone, else in s."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (FileNotFoundError, NotADirectoryError):
        return int(psutil.Process(pid).create_time())


def available_cores() -> int:
    """The cores that this process may use: those that the system lets it, and no more than Slurm has given its task."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(cores, int(given)) if given.isdecimal() and int(given) else cores


def own_command() -> str:
    """The command that this process was started with, when it is assay's own."""
    program = Path(sys.argv[0])
    is_assay = program.stem == "assay" or program.parts[-2:] == ("assay", "__main__.py")
    return shlex.join(["assay", *sys.argv[1:]]) if is_assay else ""
