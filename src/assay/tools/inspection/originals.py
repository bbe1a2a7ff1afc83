"""What file names tell of originals: the part before a running number, where the pixels bear it out."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from assay.data.groups import group_numbers
from assay.errors import AssayError

Indices = Int64[np.ndarray, " _"]
_FIELDS = 3
"""At most so many fields at the end of a name are taken for the copy's own."""
_LIFT = 10.0
"""How many times as often as by chance, of films with how many times the odds, an image's nearest neighbour must have
the same original."""


def propose(names: Sequence[str], nearest: Indices, labels: Indices) -> str | None:
    """A pattern for ``data.group`` that the names suggest, or None.

    The candidates leave out one to three fields at the end of the name (``aug_Y100_0_2052.jpg``: number, number). One
    is believed if, of the images whose nearest neighbour has their label, ten times as many as by chance have a
    neighbour of the same original. The pattern that ties most neighbours together wins.
    """
    believed = []
    for fields in range(1, _FIELDS + 1):
        ending = _ending(names, fields)
        for original in ("(.*)", "([^/]*)"):
            if ending is None:
                continue
            pattern = original + ending
            share, chance = agreement(pattern, names, nearest, labels)
            if share > _LIFT * chance:
                believed.append((share, fields, original == "(.*)", pattern))
    return max(believed)[-1] if believed else None


def propose_films(names: Sequence[str], nearest: Indices) -> str | None:
    """A pattern for ``data.group`` by which names tell of films, a few with many frames each, or None.

    The candidates leave out one to three fields at the end of the file's name, whatever folder it is in, for a film may
    lie on both sides of a split. One is believed if the odds that an image's nearest neighbour is of the same film are
    ten times those by chance; the fewest fields win.
    """
    labels = np.zeros(len(names), dtype=np.int64)
    for fields in range(1, _FIELDS + 1):
        if (ending := _ending(names, fields)) is None:
            continue
        share, chance = agreement(f"([^/]*){ending}", names, nearest, labels)
        if share * (1 - chance) > _LIFT * chance * (1 - share):
            return f"([^/]*){ending}"
    return None


def agreement(pattern: str, names: Sequence[str], nearest: Indices, labels: Indices) -> tuple[float, float]:
    """(share, chance) of nearest neighbours with the same original, among those with the same label."""
    try:
        groups = group_numbers(pattern, names)
    except AssayError:
        return 0.0, 1.0
    same_label = labels == labels[nearest]
    tied = (groups == groups[nearest])[same_label]
    together = _pairs(np.unique(np.stack([groups, labels]), axis=1, return_counts=True)[1])
    return (float(tied.mean()) if len(tied) else 0.0), together / max(_pairs(np.bincount(labels)), 1)


def _pairs(counts: Indices) -> int:
    return int((counts * (counts - 1)).sum())


def _ending(names: Sequence[str], fields: int) -> str | None:
    """The last fields and the file's ending as a pattern, if nine of ten names have so many fields."""
    shape = re.compile(r"[^/]" + r"([_\-. ])([^_\-. /]+)" * fields + r"\.\w+$")
    found = [match for name in names if (match := shape.search(name))]
    if len(found) < 0.9 * len(names):
        return None
    parts = []
    for position in range(fields):
        separators = Counter(match[2 * position + 1] for match in found)
        parts.append(re.escape(next(iter(separators))) if len(separators) == 1 else r"[_\-. ]")
        parts.append(_field([match[2 * position + 2] for match in found]))
    return "".join(parts) + r"\.\w+$"


def _field(values: list[str]) -> str:
    """``\\d+``, ``slice\\d+``, or any text without a separator."""
    words = {re.sub(r"\d+$", "", value) for value in values}
    if len(words) == 1 and all(value[-1].isdigit() for value in values):
        return re.escape(words.pop()) + r"\d+"
    return r"[^_\-. /]+"
