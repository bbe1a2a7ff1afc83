"""From which seeds and variants a study's decisions have been told: each further time costs level, for chance has
another try.

``looks.jsonl`` in the study's folder has a line a look, in the order in which they were told; nothing takes one away.
"""

import json
from collections.abc import Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from assay.errors import StudyStopped
from assay.system.files import append

NAME = "looks.jsonl"
ALPHA = 0.05
"""Of the first look, at the seeds that were planned …"""
LATER = 0.005
"""… and of all later ones together."""


class Look(NamedTuple):
    """What decisions were told from, both in order."""

    seeds: tuple[int, ...]
    variants: tuple[str, ...]


def look_at(seeds: Iterable[int], variants: Iterable[str]) -> Look:
    """The look at these seeds of these variants."""
    return Look(tuple(sorted(seeds)), tuple(sorted(variants)))


@dataclass(frozen=True)
class Looks:
    """What stands in ``looks.jsonl``."""

    told: tuple[Look, ...]
    """In the order in which they were first told."""
    damaged: int = 0
    """Lines that tell nothing."""
    unwritable: str = ""
    """Why the present look could not be added."""

    def level(self, look: Look) -> float:
        """The level at which its decisions are taken: ``level`` of all looks so far."""
        return level(self.told, look)

    @property
    def next_level(self) -> float:
        """That at which decisions that were not yet told are taken."""
        return level(self.told, None)

    def before(self, look: Look) -> tuple[Look, ...]:
        """Those that were told before it."""
        return self.told[: self.told.index(look)] if look in self.told else self.told

    def since(self, look: Look) -> tuple[Look, ...]:
        """Those that were first told after it."""
        return self.told[self.told.index(look) + 1 :] if look in self.told else ()


def level(looks: Iterable[Hashable], own: Hashable) -> float:
    """The level of a look among those told, in the order of telling.

    0.05 at the first; 0.005/((j−1)·j) at look j ≥ 2, whose sum over all j is 0.005: by Boole's inequality at most
    5.5 % of studies in which nothing differs ever tell a difference, however often they are extended, by seeds or by
    variants. Looking again at the same is the same look.
    """
    told = list(dict.fromkeys(looks))
    number = told.index(own) + 1 if own in told else len(told) + 1
    return ALPHA if number == 1 else LATER / ((number - 1) * number)


def read(folder: Path) -> Looks:
    """The looks at the study in ``folder``; none where none was recorded. What cannot be read counts as damaged."""
    try:
        lines = (folder / NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return Looks(())
    except OSError:
        return Looks((), damaged=1)
    found = [_look(line) for line in lines if line.strip()]
    return Looks(tuple(dict.fromkeys(each for each in found if each)), found.count(None))


def told(folder: Path, own: Look) -> Looks:
    """The looks with this one, which is added unless it is there.

    It is written first and then read back, so that of two processes that tell at once one is the later. A folder that
    cannot be written changes nothing but ``unwritable``.
    """
    there = read(folder)
    if own in there.told:
        return there
    which = {"seeds": len(own.seeds), "which": own.seeds, "variants": own.variants}
    line = json.dumps(which | {"time": datetime.now(UTC).isoformat(timespec="seconds")})
    try:
        append(folder / NAME, "\n" * _is_torn(folder / NAME) + line)
    except (StudyStopped, FileNotFoundError) as error:
        return Looks(there.told, there.damaged, str(error))
    return read(folder)


def _is_torn(path: Path) -> bool:
    """Whether a process was ended within its line."""
    with suppress(OSError):
        return path.read_bytes()[-1:] not in (b"", b"\n")
    return False


def _look(line: str) -> Look | None:
    """The look of a line; None where it tells none."""
    try:
        found = json.loads(line)
        seeds, variants = found["which"], found["variants"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    is_whole = all(isinstance(part, list) and part for part in (seeds, variants))
    if not is_whole or not all(type(seed) is int for seed in seeds) or not all(type(name) is str for name in variants):
        return None
    return look_at(seeds, variants)
