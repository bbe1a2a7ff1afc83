"""At how many seeds a study's decisions have been told: each further time costs level, for chance has another try.

``looks.jsonl`` in the study's folder has a line a look, in the order in which they were told; nothing takes one away.
"""

import json
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from assay.errors import StudyStopped
from assay.system.files import append

NAME = "looks.jsonl"
ALPHA = 0.05
"""Of the first look, at the seeds that were planned …"""
LATER = 0.005
"""… and of all later ones together."""


@dataclass(frozen=True)
class Looks:
    """What stands in ``looks.jsonl``."""

    seeds: tuple[tuple[int, ...], ...]
    """The seeds of each look, in the order in which they were first told."""
    damaged: int = 0
    """Lines that tell nothing."""
    unwritable: str = ""
    """Why the present look could not be added."""

    def level(self, seeds: Sequence[int]) -> float:
        """The level at which decisions from these seeds are taken: ``level`` of all looks so far."""
        return level(self.seeds, tuple(sorted(seeds)))

    @property
    def next_level(self) -> float:
        """That at which decisions from seeds that were not yet told are taken."""
        return level(self.seeds, None)

    def before(self, seeds: Sequence[int]) -> list[int]:
        """At how many seeds decisions had been told before they were from these."""
        own = tuple(sorted(seeds))
        earlier = self.seeds[: self.seeds.index(own)] if own in self.seeds else self.seeds
        return [len(each) for each in earlier]


def level(looks: Iterable[Hashable], seeds: Hashable) -> float:
    """The level of the look at ``seeds`` among those told, as numbers or sets of seeds, in the order of telling.

    0.05 at the first; 0.005/((j−1)·j) at look j ≥ 2, whose sum over all j is 0.005: by Boole's inequality at most
    5.5 % of studies in which nothing differs ever tell a difference, however often they are extended. Looking again at
    the same seeds is the same look.
    """
    told = list(dict.fromkeys(looks))
    look = told.index(seeds) + 1 if seeds in told else len(told) + 1
    return ALPHA if look == 1 else LATER / ((look - 1) * look)


def read(folder: Path) -> Looks:
    """The looks at the study in ``folder``; none where none was recorded. What cannot be read counts as damaged."""
    try:
        lines = (folder / NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return Looks(())
    except OSError:
        return Looks((), damaged=1)
    found = [_seeds(line) for line in lines if line.strip()]
    return Looks(tuple(dict.fromkeys(each for each in found if each)), found.count(None))


def told(folder: Path, seeds: Sequence[int]) -> Looks:
    """The looks with that from these seeds, which is added unless it is there.

    It is written first and then read back, so that of two processes that tell at once one is the later. A folder that
    cannot be written changes nothing but ``unwritable``.
    """
    own, there = tuple(sorted(seeds)), read(folder)
    if own in there.seeds:
        return there
    line = json.dumps({"seeds": len(own), "which": own, "time": datetime.now(UTC).isoformat(timespec="seconds")})
    try:
        append(folder / NAME, "\n" * _is_torn(folder / NAME) + line)
    except (StudyStopped, FileNotFoundError) as error:
        return Looks(there.seeds, there.damaged, str(error))
    return read(folder)


def _is_torn(path: Path) -> bool:
    """Whether a process was ended within its line."""
    with suppress(OSError):
        return path.read_bytes()[-1:] not in (b"", b"\n")
    return False


def _seeds(line: str) -> tuple[int, ...] | None:
    """The seeds of a line; None where it tells none."""
    try:
        which = json.loads(line)["which"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    whole = isinstance(which, list) and all(isinstance(seed, int) and not isinstance(seed, bool) for seed in which)
    return tuple(which) or None if whole else None
