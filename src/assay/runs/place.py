"""Where a study is trained, as ``--on`` says it: on a Ray cluster, or as a Slurm job array."""

import re
from dataclasses import dataclass
from typing import Literal

from assay.errors import AssayError, nearest

KNOWN = ("slurm", "ray", "ray://HOST:PORT", "ray:HOST:PORT")
_CLIENT_PORT, _PORT = 10001, 6379
"""Where ``ray start --head`` listens, to Ray Client and to the cluster's own nodes."""


@dataclass(frozen=True)
class Place:
    """A cluster."""

    engine: Literal["ray", "slurm"]
    host: str | None = None
    """Of a Ray cluster that runs already; None: one of this machine."""
    port: int = _PORT
    client: bool = False
    """Whether this machine is none of the cluster's and asks through Ray Client."""

    @property
    def address(self) -> str | None:
        """As Ray takes it."""
        return self.host and f"{'ray://' if self.client else ''}{self.host}:{self.port}"


def place(text: str) -> Place:
    """What follows ``--on``; AssayError for anything else, with the nearest known name."""
    if text == "slurm":
        return Place("slurm")
    if text == "ray":
        return Place("ray")
    found = re.fullmatch(r"ray:(//)?([\w.-]+)(?::(\d{1,5}))?", text)
    if not found or int(found[3] or 1) not in range(1, 2**16):
        raise AssayError(f"--on: found {text!r}; {nearest(text, KNOWN)}")
    return Place("ray", found[2], int(found[3] or (_CLIENT_PORT if found[1] else _PORT)), bool(found[1]))
